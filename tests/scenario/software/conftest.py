from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.software.misbehaving_registry import HOST, Registry

from freehold.software.store import Store


@pytest.fixture
def registry() -> Iterator[Registry]:
    registry = Registry()
    registry.start(HOST)
    yield registry
    registry.stop()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.prepare()
    return store
