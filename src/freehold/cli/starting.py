"""Make a daemon listen: spawn it detached, wait for its socket, replace a deaf one.

Two commands may do this at the same moment; the daemon's own lock decides which of the two
daemons stays, so a child that ends is no failure as long as somebody answers.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

from freehold.cli import wire
from freehold.cli.client import Say
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.runtimes.local.paths import LocalPaths

_DEADLINE_S = 30.0
_SAY_AFTER_S = 0.4  # a quick start is not worth a line
_LOG_TAIL = 12


def make_listen(socket: str, because: str, say: Say) -> None:
    """Return when a daemon answers on ``socket``.

    Args:
        because: why a daemon that listens has to be replaced; empty when none does.

    Raises:
        PermanentFault: the daemon ended at once, with the end of its log.
        TransientFault: it did not answer in time.
    """
    if because:
        say(f"replacing the daemon: {because}")
        _kill_deaf(socket)
    log = LocalPaths.of(os.environ, os.getuid()).daemon_log
    child = _spawn(log)
    started = time.monotonic()
    said = False
    while not _answers(socket):
        waited = time.monotonic() - started
        code = child.poll()
        if code not in (None, 0, _LOCK_HELD):
            raise PermanentFault(
                f"cannot start the daemon: it ended with code {code}\n{_tail(log)}",
                next_command="freehold doctor",
            )
        if waited > _DEADLINE_S:
            raise TransientFault(
                f"cannot reach the daemon: it did not answer within {_DEADLINE_S:.0f} s",
                next_command=f"tail {log}",
            )
        if waited > _SAY_AFTER_S and not said:
            say("starting the Freehold daemon …")
            said = True
        time.sleep(0.02)
    _end_second_best(socket, child)


_LOCK_HELD = 75  # another daemon has the lock and will answer soon


def daemon_command() -> list[str]:
    """Return the argv of a daemon in the foreground. ``-P``: never import from the folder we are in."""
    return [sys.executable, "-P", "-m", "freehold.serve"]


def _spawn(log: Path) -> subprocess.Popen[bytes]:
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _appending(log) as output:
            return subprocess.Popen(
                daemon_command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd="/",
            )
    except OSError as error:
        raise PermanentFault(
            f"cannot start the daemon: {error}", next_command="freehold doctor"
        ) from error


def _appending(log: Path) -> IO[bytes]:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "ab")


def _end_second_best(socket: str, child: subprocess.Popen[bytes]) -> None:
    """End our daemon when another one answers: it would wake up as the daemon after that one's end."""
    try:
        is_ours = wire.listening_pid(socket) == child.pid
    except OSError:
        return
    if not is_ours and child.poll() is None:
        child.kill()
        child.wait()


def _answers(socket: str) -> bool:
    try:
        answer = wire.exchange(socket, "GET", "/v1/version", timeout_s=5.0)
    except OSError:
        return False
    answer.close()
    return True


def _kill_deaf(socket: str) -> None:
    """Kill the process that listens and does not answer; members and agents do not notice."""
    try:
        pid = wire.listening_pid(socket)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return
    if b"freehold" in command and pid != os.getpid():
        os.kill(pid, signal.SIGKILL)


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL:]
    except OSError:
        return ""
    return "\n".join(f"  {line}" for line in lines)


def wait_for_end(pid: int, within_s: float) -> None:
    """Return when the process has ended. Raises TransientFault when it has not in time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], within_s)
    finally:
        os.close(handle)
    if not ended:
        raise TransientFault(
            f"cannot stop the daemon: process {pid} has not ended in {within_s:.0f} s",
            next_command=f"kill -9 {pid}   (services go on)",
        )
