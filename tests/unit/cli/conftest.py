from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.unit.cli.fake_daemon import FakeDaemon, Route, listening

from freehold.cli.entry import main

Run = Callable[..., "Ended"]


class Ended:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("h")
    monkeypatch.setenv("FREEHOLD_HOME", str(folder))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return folder


@pytest.fixture
def daemon(home: Path) -> Iterator[Callable[[dict[str, Route]], FakeDaemon]]:
    """Return a function that makes a fake daemon listen in this test's home."""
    with ExitStack() as stack:
        yield lambda routes: stack.enter_context(listening(home / "run/daemon.sock", routes))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run_words(*words: str) -> Ended:
        code = main(words)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return run_words
