"""A real three-member Cassandra for each test; its software is fetched once per session."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    """Wait until the service is ready with one living engine and agent for each member, no more."""

    def is_whole(seen: dict[str, Any]) -> bool:
        pids = [each[pid] for each in seen["members"] for pid in ("agent_pid", "pid")]
        return (
            seen["state"] == "ready"
            and len(seen["members"]) == members
            and len(seen["endpoints"][0]["addresses"]) == members
            and len({pid for pid in pids if is_alive(pid)}) == 2 * members
        )

    until(lambda: home.service("orders"), is_whole, 240, "orders is whole", home.evidence)
    assert len(home.engines(ENGINE)) == members
