"""Processes as proven identities, and locks as proof of life.

A pid is reused; a pid with its start time and the machine's boot id is not. A signal goes through a
pidfd that was opened *before* the identity was checked, so it can never hit a stranger.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from freehold.agent import proc
from freehold.foundation.member import Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessId:
    pid: int
    started: int  # clock ticks since boot: field 22 of /proc/<pid>/stat
    boot: str


def identify(pid: int) -> ProcessId | None:
    """Return who ``pid`` is now; None when there is no such process or it is a zombie."""
    found = proc.stat(pid)
    if found is None or found.state in "ZX":
        return None
    return ProcessId(pid=pid, started=found.ticks, boot=proc.boot_id())


def open_process(process: ProcessId) -> int | None:
    """Return a pidfd of exactly this process, None when it is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    if identify(process.pid) != process:
        os.close(descriptor)
        return None
    return descriptor


def kill(process: ProcessId) -> bool:
    """SIGKILL exactly this process; False when it was gone already."""
    descriptor = open_process(process)
    if descriptor is None:
        return False
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True


def lock_holder(file: Path) -> ProcessId | None:
    """Return the living process that took the flock on ``file``; asking disturbs nobody.

    The kernel lists who took a lock, which need not be who still holds it (a descendant may): use
    it for close-on-exec locks such as ``agent.lock``, never as a death certificate.
    """
    try:
        found = file.stat()
        table = Path("/proc/locks").read_text()
    except OSError:
        return None
    pid = parse_lock_holder(table, found.st_dev, found.st_ino)
    return identify(pid) if pid else None


def parse_lock_holder(table: str, device: int, inode: int) -> int:
    """Return the pid in the text of /proc/locks, 0 when nobody holds that file's flock."""
    wanted = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    for line in table.splitlines():
        columns = line.split()
        if len(columns) >= 6 and columns[1] == "FLOCK" and columns[5] == wanted:
            return int(columns[4])
    return 0


@contextmanager
def certificate_held(file: Path) -> Iterator[Certificate]:
    """Take the death certificate for the length of the block.

    FREE inside the block means: we hold it, nothing of the software lives and nothing can start.
    """
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield Certificate.UNKNOWN
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            answer = Certificate.FREE
        except BlockingIOError:
            answer = Certificate.HELD
        except OSError:
            answer = Certificate.UNKNOWN
        yield answer
    finally:
        os.close(descriptor)


def read_certificate(file: Path) -> Certificate:
    """Try the lock and let it go again. Only for members whose agent is gone: it could be starting."""
    if not file.exists():
        return Certificate.FREE  # nothing was ever started here
    with certificate_held(file) as answer:
        return answer


def command_line_of(pid: int) -> list[str]:
    with suppress(OSError):
        raw = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        return raw.rstrip("\0").split("\0")
    return []
