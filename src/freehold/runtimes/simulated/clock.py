"""Time that passes only when everybody waits for it."""

from __future__ import annotations

import asyncio
import heapq
import itertools


class FakeClock:
    """Unix seconds that jump to the next sleeper as soon as nothing else can run."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int]] = []
        self._numbers = itertools.count()

    def now(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        due = (self._now + seconds, next(self._numbers))
        heapq.heappush(self._sleepers, due)
        try:
            while self._now < due[0]:
                for _ in range(10):  # whoever can run at this instant runs first
                    await asyncio.sleep(0)
                if self._sleepers[0] == due:
                    self._now = max(self._now, due[0])
        finally:
            self._sleepers.remove(due)
            heapq.heapify(self._sleepers)
