"""The daemon on demand: real processes, one home each."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from freehold.cli.starting import wait_for_end
from freehold.cli.wire import exchange, listening_pid

FREEHOLD = [sys.executable, "-m", "freehold.cli"]


pytestmark = pytest.mark.real


@pytest.fixture
def home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("h")
    monkeypatch.setenv("FREEHOLD_HOME", str(folder))
    yield folder
    socket = str(folder / "run/daemon.sock")
    try:
        pid = listening_pid(socket)
    except OSError:
        return
    os.kill(pid, signal.SIGCONT)
    exchange(socket, "POST", "/v1/daemon/stop", timeout_s=20).close()
    wait_for_end(pid, 20)


def freehold(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FREEHOLD, *words], check=False, capture_output=True, text=True, timeout=60
    )


def processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def command_of(pid: int, home: Path) -> bytes:
    """Return the command of a process of this home, nothing for all others."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
    return command if f"FREEHOLD_HOME={home}".encode() in environment.split(b"\0") else b""


def test_two_commands_at_once_start_one_daemon(home):
    with ThreadPoolExecutor() as pool:
        ended = list(pool.map(lambda _: freehold("list", "-o", "json"), range(3)))
    assert [(each.returncode, each.stdout) for each in ended] == [(0, "[]\n")] * 3, ended
    daemons = [pid for pid in processes() if b"freehold.serve" in command_of(pid, home)]
    assert daemons == [listening_pid(str(home / "run/daemon.sock"))]


def test_a_dead_daemon_is_replaced_by_the_next_command(home):
    assert freehold("daemon", "start").returncode == 0
    first = listening_pid(str(home / "run/daemon.sock"))
    os.kill(first, signal.SIGKILL)
    wait_for_end(first, 20)
    assert freehold("list").returncode == 0
    assert listening_pid(str(home / "run/daemon.sock")) != first


def test_a_frozen_daemon_is_replaced_by_the_next_command(home):
    assert freehold("daemon", "start").returncode == 0
    first = listening_pid(str(home / "run/daemon.sock"))
    os.kill(first, signal.SIGSTOP)
    ended = freehold("list")
    assert ended.returncode == 0, ended.stderr
    assert "replacing the daemon: it does not answer" in ended.stderr
    assert listening_pid(str(home / "run/daemon.sock")) != first


def test_stop_ends_it_and_says_that_services_go_on(home):
    freehold("daemon", "start")
    status = json.loads(freehold("daemon", "status", "-o", "json").stdout)
    assert status["pid"] == listening_pid(status["socket"])
    assert status["socket"] == str(home / "run/daemon.sock")
    ended = freehold("daemon", "stop")
    assert "services go on" in ended.stdout
    wait_for_end(status["pid"], 0.0)
    assert freehold("daemon", "stop").stdout == "the daemon does not run\n"


def test_a_daemon_that_cannot_start_shows_the_end_of_its_log(home, tmp_path):
    (home / "data").mkdir()
    (home / "data/services").write_text("a file where a folder has to be")
    ended = freehold("list")
    assert ended.returncode == 70
    assert ended.stderr.splitlines()[-1] == "next: freehold doctor"
    assert "Traceback" not in ended.stderr.split("\n", 1)[0]
