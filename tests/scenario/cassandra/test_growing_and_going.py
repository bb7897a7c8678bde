"""Cassandra grows, shrinks, stops, goes and comes back with its data."""

import shutil

from tests.scenario.cassandra.conftest import ENGINE, bind, until_whole
from tests.scenario.cassandra.writer import Writer, connected
from tests.scenario.home import kill, until


def some_rows(binding, count=200):
    with connected(binding) as session:
        session.execute("CREATE TABLE IF NOT EXISTS kept (id int PRIMARY KEY, v text)")
        for number in range(count):
            session.execute("INSERT INTO kept (id, v) VALUES (%s, %s)", (number, f"v{number}"))


def rows_there(binding) -> int:
    with connected(binding) as session:
        return sum(1 for row in session.execute("SELECT id, v FROM kept") if row.v == f"v{row.id}")


def test_three_to_four_to_three_members_keeps_every_row(orders):
    binding = bind(orders)
    with Writer(binding, "t_scale") as writer:
        orders.run("scale", "orders", "--members", "4", "--yes", within_s=400)
        until_whole(orders, members=4)
        orders.run("scale", "orders", "--members", "3", "--yes", within_s=400)
        until_whole(orders, members=3)
    assert writer.verify() > 100
    gone = orders.run("scale", "orders", "--members", "2", "--yes", code=3)
    assert "cannot" in gone.stderr
    until_whole(orders, members=3)


def test_a_scale_cancelled_midway_goes_back(orders):
    binding = bind(orders)
    some_rows(binding)
    accepted = orders.json("scale", "orders", "--members", "4", "--yes", "--no-wait")
    until(lambda: len(orders.engines(ENGINE)), lambda n: n == 4, 120, "the fourth starts")
    back = orders.json("operations", "cancel", accepted["operation"]["id"])
    orders.run("operations", "wait", back["id"], within_s=400)
    until_whole(orders, members=3)
    assert rows_there(binding) == 200
    shown = orders.json("operations", "show", accepted["operation"]["id"])
    assert shown["phase"] == "cancelled"


def test_a_newer_wish_supersedes_and_stop_and_purge_never_wait_for_a_stuck_one(orders):
    accepted = orders.json("scale", "orders", "--members", "4", "--yes", "--no-wait")
    until(lambda: len(orders.engines(ENGINE)), lambda n: n == 4, 120, "the fourth starts")
    newest = [pid for pid, line in orders.engines(ENGINE).items() if "orders-node-3" in line]
    kill(newest[0])  # it will not get ready soon
    orders.run("stop", "orders", "--yes", within_s=200)
    assert not orders.engines(ENGINE)
    shown = orders.json("operations", "show", accepted["operation"]["id"])
    assert shown["phase"] == "superseded"
    orders.run("purge", "orders", "--yes", "--confirm", "orders", "--unprotect", within_s=200)
    assert orders.json("list", "--all") == []


def test_uninstall_keeps_the_data_for_the_next_install_and_purge_leaves_nothing(orders):
    binding = bind(orders)
    some_rows(binding)
    orders.run("uninstall", "orders", "--yes", within_s=200)
    assert not orders.engines(ENGINE)
    orders.run("install", "cassandra", "orders", "--yes", within_s=300)
    assert rows_there(bind(orders)) == 200
    refused = orders.run("purge", "orders", "--yes", "--confirm", "orders", code=3)
    assert "protect" in refused.stderr
    orders.run("purge", "orders", "--yes", "--confirm", "orders", "--unprotect", within_s=200)
    assert orders.json("list", "--all") == []
    assert not orders.engines(ENGINE)
    left = [path for path in (orders.folder / "data/services").rglob("*") if path.is_file()]
    assert left == []
    only_the_daemon = [line for line in orders.processes().values() if "agents/" in line]
    assert only_the_daemon == []


def test_a_lost_state_database_is_rebuilt_by_adopt_and_no_secret_changes(orders):
    binding = bind(orders)
    some_rows(binding)
    secret = (binding / "password").read_text()
    pids = sorted(orders.engines(ENGINE))
    kill(orders.daemon_pid)
    for path in (orders.folder / "data").glob("state.db*"):
        path.unlink()
    lost = orders.run("list", code=70)
    assert "freehold adopt" in lost.stderr
    orders.run("adopt")
    until_whole(orders)
    assert sorted(orders.engines(ENGINE)) == pids
    assert (binding / "password").read_text() == secret
    assert rows_there(binding) == 200
    shutil.rmtree(binding)
    assert rows_there(bind(orders)) == 200
