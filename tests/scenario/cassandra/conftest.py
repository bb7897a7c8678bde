"""A real three-member Cassandra for each test; its software is fetched once per session."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.home import Home, is_alive, until

ENGINE = "org.apache.cassandra.service.CassandraDaemon"


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def fetched_store() -> Iterator[Path]:
    """Return a software store that holds Cassandra: homes link from it."""
    with Home.new() as first:
        first.run("software", "fetch", "cassandra", within_s=600)
        kept = Path(tempfile.mkdtemp(prefix="fh-store-", dir="/tmp"))
        shutil.move(first.folder / "data/store", kept / "store")
    yield kept / "store"
    shutil.rmtree(kept)


@pytest.fixture
def home(fetched_store) -> Iterator[Home]:
    with Home.new(fetched_store) as made:
        yield made


@pytest.fixture
def orders(home) -> Home:
    """Return a home whose service "orders" is a ready three-member Cassandra."""
    home.run("install", "cassandra", "orders", "--yes", within_s=400)
    return home


def bind(home: Home, application: str = "shop") -> Path:
    return Path(home.json("bind", "orders", application)["folder"])


def until_whole(home: Home, members: int = 3) -> None:
    """Wait until the service is ready, and see one engine and one agent for each member."""
    home.until_state("orders", "ready", within_s=240)
    until(
        lambda: len(home.engines(ENGINE)),
        lambda count: count == members,
        60,
        f"{members} engines run",
        home.evidence,
    )
    seen = home.service("orders")["members"]
    pids = [each["agent_pid"] for each in seen] + [each["pid"] for each in seen]
    assert len(seen) == members
    assert len(set(pids)) == 2 * members
    assert all(is_alive(pid) for pid in pids)
