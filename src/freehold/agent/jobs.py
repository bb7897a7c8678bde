"""Long commands beside the member: they outlive the agent, so all their state is on disk.

A job's folder holds its lock (held by the job while it lives), its log and, once it ended, its
exit code. Lock free and no exit code: it was killed together with the parent that records.
"""

from __future__ import annotations

import asyncio
import binascii
import os
import time
from pathlib import Path
from typing import NamedTuple

from freehold.agent.processes import Child, Launch, Processes, certificate_of
from freehold.agent.rendering import Filling
from freehold.foundation.member import Certificate, Place

KILLED = -9
_TAIL = 8192
_KEPT = 20
_SETTLING_S = 5.0  # a launcher needs so long, at most, to take the lock


class Job(NamedTuple):
    """What a hook sees of its command: hook.Job without that module's cost."""

    exit_code: int | None
    log_tail: str


class Jobs:
    def __init__(self, folder: Path, processes: Processes) -> None:
        self._folder = folder / "jobs"
        self._processes = processes
        self._children: dict[str, Child] = {}
        self._kills: set[asyncio.Task[bool]] = set()

    def start(self, key: str, number: int, argv: tuple[str, ...], place: Place) -> None:
        """Start the command, once for this number. Raises TransientFault, PermanentFault."""
        folder = self._of(key, number)
        if folder.exists():
            return
        filling = Filling(place)
        filled = [filling.fill(text) for text in argv]
        folder.mkdir(parents=True)
        self._children[folder.name] = self._processes.spawn(
            Launch(
                process=f"job:{folder.name}",
                argv=filled,
                cwd=place.run,
                output=str(folder / "log"),
                lock=str(folder / "lock"),
                exit_file=str(folder / "exit"),
            )
        )
        self._forget_old()

    def state(self, key: str, number: int) -> Job:
        folder = self._of(key, number)
        return Job(exit_code=self._exit_code(folder), log_tail=_tail(folder / "log"))

    def runs(self, key: str, number: int) -> bool:
        return number > 0 and self._exit_code(self._of(key, number)) is None

    async def ended_or(self, key: str, number: int, seconds: float) -> None:
        """Sleep, but no longer than the job runs."""
        until = time.monotonic() + seconds
        if not self.runs(key, number):
            await asyncio.sleep(seconds)
            return
        child = self._children.get(self._of(key, number).name)
        if child is not None:
            await asyncio.wait({child.exited}, timeout=seconds)
            return
        while self.runs(key, number) and time.monotonic() < until:  # noqa: ASYNC110  nobody signals the end of another agent's child
            await asyncio.sleep(min(0.2, max(0.0, until - time.monotonic())))

    def cancel_soon(self, key: str, number: int) -> None:
        if number > 0:
            name = self._of(key, number).name
            task = asyncio.create_task(self._processes.kill_all(f"job:{name}"))
            self._kills.add(task)
            task.add_done_callback(self._kills.discard)

    async def kill_all(self) -> None:
        await self._processes.kill_all("job:")

    def _of(self, key: str, number: int) -> Path:
        # Readable, and unique by its checksum; hashlib would cost the agent's start 5 ms.
        plain = "".join(letter if letter.isalnum() else "_" for letter in key[:60])
        return self._folder / f"{plain}-{binascii.crc32(key.encode()):08x}-{number}"

    def _exit_code(self, folder: Path) -> int | None:
        try:
            return int((folder / "exit").read_text())
        except (OSError, ValueError):
            pass
        child = self._children.get(folder.name)
        if child is not None and child.lives:
            return None
        if child is None:  # maybe another agent's, maybe just about to take its lock
            try:
                young = time.time() - folder.stat().st_mtime < _SETTLING_S
            except OSError:
                return KILLED
            if young or certificate_of(str(folder / "lock")) is Certificate.HELD:
                return None
        try:
            return int((folder / "exit").read_text())
        except (OSError, ValueError):
            return KILLED

    def _forget_old(self) -> None:
        def age(folder: Path) -> float:
            return folder.stat().st_mtime

        ended = [f for f in self._folder.iterdir() if self._exit_code(f) is not None]
        for folder in sorted(ended, key=age)[:-_KEPT]:
            self._children.pop(folder.name, None)
            for path in folder.iterdir():
                path.unlink(missing_ok=True)
            folder.rmdir()


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
