"""Members with real agents and real processes; everything is killed, also after a failure."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scenario.agent.agent_bench import Bench

from freehold.agent.tree import lay_out


@pytest.fixture(scope="session")
def root() -> Iterator[Path]:
    """A folder that unprivileged accounts can enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="freehold-agent-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def tree(root: Path) -> Path:
    return lay_out(root / "agents")


@pytest.fixture
def make(root: Path, tree: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make_one(**options: Any) -> Bench:
        made.append(Bench(root, tree, **options))
        return made[-1]

    yield make_one
    for bench in made:
        bench.end()


@pytest.fixture
def member(make: Callable[..., Bench]) -> Bench:
    return make()
