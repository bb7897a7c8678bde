"""Cassandra under a continuous QUORUM writer while its parts are killed and frozen.

After each fault: the service is whole by itself, every acknowledged row is there, nothing runs
twice and nothing is orphaned.
"""

import signal

import pytest
from tests.scenario.cassandra.conftest import ENGINE, bind, until_whole
from tests.scenario.cassandra.writer import Writer
from tests.scenario.home import is_alive, kill, until


def victims(home, what):
    member = home.member("orders", 1)
    match what:
        case "database":
            return [member["pid"]]
        case "agent":
            return [member["agent_pid"]]
        case "daemon":
            return [home.daemon_pid]
        case "agent and its database":
            return [member["agent_pid"], member["pid"]]
        case "everything":
            return list(home.processes())
    raise AssertionError(what)


@pytest.mark.parametrize("what", ["database", "agent", "daemon", "agent and its database"])
def test_writes_go_on_and_the_killed_part_comes_back_by_itself(orders, what):
    binding = bind(orders)
    before = orders.service("orders")
    with Writer(binding, f"t_{what.replace(' ', '_')}") as writer:
        for pid in victims(orders, what):
            kill(pid)
        writer.until_more(200)
        until_whole(orders)
        writer.until_more(50)
    assert writer.verify() > 250
    after = orders.service("orders")
    assert after["endpoints"] == before["endpoints"]
    if what in ("agent", "daemon"):  # adopted, not restarted
        assert [each["pid"] for each in after["members"]] == [
            each["pid"] for each in before["members"]
        ]
    orders.run("check", "orders")


def test_everything_killed_at_once_comes_back_with_the_next_command(orders):
    binding = bind(orders)
    with Writer(binding, "t_all") as writer:
        writer.until_more(100)
        for pid in victims(orders, "everything"):
            kill(pid)
    until_whole(orders)
    assert writer.verify() > 100


def test_a_frozen_database_is_noticed_killed_and_started_again(orders):
    binding = bind(orders)
    frozen = orders.member("orders", 2)
    with Writer(binding, "t_frozen") as writer:
        kill(frozen["pid"], signal.SIGSTOP)
        until(
            lambda: is_alive(frozen["pid"]),
            lambda alive: not alive,
            120,
            "the frozen one is killed",
        )
        writer.until_more(50)
        until_whole(orders)
    assert writer.verify() > 50
    assert orders.member("orders", 2)["pid"] != frozen["pid"]
    assert "probe" in orders.member("orders", 2)["last_exit"]


def test_a_frozen_member_with_its_agent_does_no_harm_when_it_wakes(orders):
    binding = bind(orders)
    frozen = orders.member("orders", 2)
    with Writer(binding, "t_both") as writer:
        kill(frozen["agent_pid"], signal.SIGSTOP)
        kill(frozen["pid"], signal.SIGSTOP)
        writer.until_more(300)  # the others serve
        for pid in (frozen["pid"], frozen["agent_pid"]):
            if is_alive(pid):
                kill(pid, signal.SIGCONT)
        writer.until_more(50)
        until_whole(orders)
    assert writer.verify() > 350
    assert len(orders.engines(ENGINE)) == 3


@pytest.mark.parametrize("verb", ["scale", "stop", "uninstall"])
def test_the_daemon_killed_in_the_middle_of_a_verb_changes_nothing_of_its_end(orders, verb):
    words = {
        "scale": ["scale", "orders", "--members", "4"],
        "stop": ["stop", "orders"],
        "uninstall": ["uninstall", "orders"],
    }[verb]
    accepted = orders.json(*words, "--yes", "--no-wait")
    kill(orders.daemon_pid)
    orders.run("operations", "wait", accepted["operation"]["id"], within_s=300)
    match verb:
        case "scale":
            until_whole(orders, members=4)
        case "stop":
            assert orders.service("orders")["state"] == "stopped"
            assert not orders.engines(ENGINE)
        case "uninstall":
            assert not orders.engines(ENGINE)
            assert [each["name"] for each in orders.json("list")] == []


def test_the_daemon_killed_in_the_middle_of_an_install_changes_nothing_of_its_end(home):
    accepted = home.json("install", "cassandra", "orders", "--yes", "--no-wait")
    until(lambda: len(home.engines(ENGINE)), lambda count: count >= 1, 120, "a first engine starts")
    kill(home.daemon_pid)
    home.run("operations", "wait", accepted["operation"]["id"], within_s=300)
    until_whole(home)
    home.run("check", "orders")
