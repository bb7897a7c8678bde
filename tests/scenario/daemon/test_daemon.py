"""The daemon may go and come back; services do not notice, and a lost state is never "no services"."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.scenario.daemon.homes import Home, home, until
from tests.scenario.daemon.pictures import secrets_of

pytestmark = pytest.mark.real


@pytest.fixture
def each() -> Iterator[Home]:
    with home() as made:
        yield made


def _pid(each: Home, name: str = "echo") -> int:
    return int(each.get(f"/v1/services/{name}")["members"][0]["pid"])


def test_one_daemon_a_home_and_its_socket_is_its_owners(each: Home) -> None:
    first = each.daemon
    assert first is not None
    second = each.spawn()
    assert second.wait(timeout=60) == 75, each.log
    each.daemon = first
    assert stat.S_IMODE(Path(each.socket).stat().st_mode) == 0o600
    assert each.get("/v1/version")["pid"] == first.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_software_goes_on_without_the_daemon_and_is_adopted(number: int) -> None:
    with home() as each:
        each.done(each.install())
        before = _pid(each)
        code = each.stop(number)
        assert code == (0 if number == signal.SIGTERM else -number)
        os.kill(before, 0)
        each.start()
        view = each.get("/v1/services/echo")
        assert (view["state"], view["members"][0]["pid"]) == ("ready", before)
        assert view["members"][0]["restarts"] == 0


def test_a_stopping_daemon_ends_its_streams(each: Home) -> None:
    each.done(each.install())
    lines = each.stream("/v1/services/echo/watch")
    assert next(lines)["name"] == "echo"
    assert each.stop() == 0
    for view in lines:
        assert view["name"] == "echo"


def test_two_homes_on_one_machine_do_not_meet(each: Home) -> None:
    with home() as other:
        for one in (each, other):
            one.done(one.install())
        addresses = [
            one.get("/v1/services/echo")["endpoints"][0]["addresses"] for one in (each, other)
        ]
        assert addresses[0] != addresses[1]
        other.done(other.verb("echo", "purge", confirm="echo"))
        assert each.get("/v1/services/echo")["state"] == "ready"


def _delete(each: Home) -> None:
    for path in each.data.glob("state.*"):
        path.unlink()


def _delete_database(each: Home) -> None:
    for path in each.data.glob("state.db*"):
        path.unlink()


def _empty(each: Home) -> None:
    _delete_database(each)
    (each.data / "state.db").touch()


def _garble(each: Home) -> None:
    database = each.data / "state.db"
    database.write_bytes(b"\x00garbage" * 600)


def _flip(each: Home) -> None:
    """One bit of a wish, as a bad disk would: SQLite itself does not notice."""
    with sqlite3.connect(each.data / "state.db") as database:
        document = bytearray(database.execute("SELECT document FROM wishes").fetchone()[0])
        document[40] ^= 1
        database.execute("UPDATE wishes SET document=?", (bytes(document),))
    database.close()


@pytest.mark.parametrize("damage", [_delete, _delete_database, _empty, _garble, _flip])
def test_a_lost_state_is_refused_and_adopt_rebuilds_it(damage: Callable[[Home], None]) -> None:
    with home() as each:
        each.done(each.install())
        before, secrets = _pid(each), secrets_of(each, "echo")
        assert each.stop() == 0
        damage(each)
        each.start()
        status, answer = each.ask("GET", "/v1/services")
        assert (status, answer["next_command"]) == (500, "freehold adopt"), answer
        assert each.ask("POST", "/v1/services", {"package": "echo"})[0] == 500
        assert each.get("/v1/doctor")[0]["fix"] == "freehold adopt"
        foreseen = each.change("POST", "/v1/adopt", {"dry_run": True})
        done = each.change("POST", "/v1/adopt")
        assert foreseen["services"] == done["services"] == ["echo"], (foreseen, done)
        _ready(each)
        assert (_pid(each), secrets_of(each, "echo")) == (before, secrets)
        each.done(each.verb("echo", "stop"))


def _ready(each: Home) -> None:
    until(
        lambda: each.get("/v1/services/echo")["state"] == "ready",
        "echo is ready",
        lambda: str(each.get("/v1/services/echo")),
    )


def test_a_newer_state_is_refused_and_not_replaced(each: Home) -> None:
    each.done(each.install())
    each.stop()
    with sqlite3.connect(each.data / "state.db") as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    each.start()
    assert each.ask("GET", "/v1/services")[0] == 409
    assert each.ask("POST", "/v1/adopt", {})[0] == 409
    with sqlite3.connect(each.data / "state.db") as database:
        assert database.execute("SELECT count(*) FROM wishes").fetchone() == (1,)
    database.close()


def test_a_full_disk_is_said_and_nothing_is_half_stored(each: Home) -> None:
    """A limit on file sizes stands in for the disk: the database cannot grow by one page."""
    each.done(each.install())
    assert each.daemon is not None
    size = max(path.stat().st_size for path in each.data.glob("state.db*"))
    resource.prlimit(each.daemon.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    statuses = set()
    for _ in range(40):
        status, answer = each.ask("POST", "/v1/services/echo/restart", {})
        statuses.add(status)
        if status == 503:
            break
    assert 503 in statuses, statuses
    assert answer["message"].startswith("cannot write"), answer
    resource.prlimit(
        each.daemon.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    each.follow(each.verb("echo", "restart"))
    assert each.get("/v1/services/echo")["state"] in {"ready", "changing", "unavailable"}
