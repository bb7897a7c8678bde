from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.home import Home

import freehold.testkit

ECHO = str(Path(freehold.testkit.__file__).parent / "echo")


@pytest.fixture
def home() -> Iterator[Home]:
    with Home.new() as made:
        yield made


@pytest.fixture
def echo(home) -> Home:
    """Return a home whose service "echo" is ready."""
    home.run("install", ECHO, "echo", "--yes")
    return home
