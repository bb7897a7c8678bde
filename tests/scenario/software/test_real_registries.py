"""The whole of Cassandra's software from the registries this machine is set to."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from freehold.software.fetch import fetch_files
from freehold.software.layout import lay_out
from freehold.software.lock import parse_lock
from freehold.software.locked import user_registries
from freehold.software.platforms import this_platform
from freehold.software.store import Store

LOCKS = Path(__file__).parents[3] / "catalog/cassandra/locks"


@pytest.mark.real
@pytest.mark.slow
def test_the_newest_cassandra_comes_verified_and_runs(store: Store, record_property):
    newest = max(LOCKS.iterdir(), key=lambda path: [int(part) for part in path.name.split(".")])
    path = newest / f"{this_platform()}.json"
    if not path.exists():
        pytest.skip(f"{newest.name} is not locked for {this_platform()}")
    lock = parse_lock(path.read_bytes(), str(path))
    started = time.monotonic()
    fetch_files(lock.files, store, user_registries)
    fetched = time.monotonic()
    tree = lay_out(lock, "cassandra", store)
    laid_out = time.monotonic()
    record_property("fetch_s", round(fetched - started, 2))
    record_property("layout_s", round(laid_out - fetched, 2))
    assert store.damaged(lock) == []
    assert len(list((tree / "lib").iterdir())) == sum(file.into == "lib" for file in lock.files)
    said = subprocess.run([tree / "jdk/bin/java", "-version"], capture_output=True, check=True)
    assert b"17.0.9" in said.stderr
