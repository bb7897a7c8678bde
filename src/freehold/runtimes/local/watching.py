"""Notice that a member changed while nobody asks: one look at every agent each few seconds.

Deaths of agents arrive at once by their pidfd. This is for the rest (a crash that the agent already
mended, a probe that fails); a rest that costs about a millisecond a member keeps the CPU quiet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from freehold.engine.observed import ObservedMember
from freehold.foundation.errors import FreeholdError
from freehold.runtimes.local.folders import member_folders, service_folders
from freehold.runtimes.local.observing import Observer

LOOK_EVERY_S = 5.0


class Watcher:
    def __init__(self, observer: Observer, services: Path, changed: Callable[[str], None]) -> None:
        self._observer, self._services, self._changed = observer, services, changed
        self._seen: dict[str, ObservedMember] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="watch members")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with suppress(FreeholdError, OSError):  # a folder that goes away while we look
                await self.look()

    async def look(self) -> None:
        """Compare every member with the last look and wake the services of those that differ."""
        folders = [
            folder
            for service in service_folders(self._services)
            for folder in member_folders(service)
            if folder.retired() is None
        ]
        found = await asyncio.gather(*(self._observer.member(folder) for folder in folders))
        seen = {str(folder.path): each for folder, each in zip(folders, found, strict=True)}
        different = {
            folder.service
            for folder in folders
            if self._seen.get(str(folder.path), seen[str(folder.path)]) != seen[str(folder.path)]
        }
        self._seen = seen
        for service in sorted(different):
            self._changed(service)
