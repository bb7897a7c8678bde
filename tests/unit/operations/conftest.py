from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.operations.desks import World

from freehold.adapters.catalog import FolderPackages


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> FolderPackages:
    """Loaded once: linting echo takes longer than a test does."""
    folder = tmp_path_factory.mktemp("packages")
    return FolderPackages([folder / "catalog"], folder / "pins")


@pytest.fixture
def world(tmp_path: Path, packages: FolderPackages) -> Iterator[World]:
    made = World.at(tmp_path, packages)
    yield made
    made.journal.close()
