"""The real clock, and ids that sort by the time they were made."""

from __future__ import annotations

import asyncio
import secrets
import time


class SystemClock:
    """Implements :class:`freehold.execution.ports.Clock`."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TimedIds:
    """Implements :class:`freehold.execution.ports.Ids`: 12 hex digits of milliseconds, 8 by chance.

    Ids of one process always rise, also within a millisecond and when the clock is set back.
    """

    def __init__(self) -> None:
        self._last_ms = 0

    def new(self) -> str:
        self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
        return f"{self._last_ms:012x}{secrets.token_hex(4)}"


class NoFailpoints:
    """Implements :class:`freehold.execution.ports.Failpoints` for everybody but tests."""

    def reach(self, point: str) -> None:
        """Go on."""
