"""Logs and metrics of a service: what its members' agents have, put together.

Log streams are merged by time. A member whose agent does not answer is named in the stream instead
of failing it: the others' lines are what somebody looks for then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

from freehold.agent.client import AgentClient
from freehold.foundation.errors import FreeholdError

FOLLOW_PATIENCE_S = 0.2  # how long a line waits for an older one of another member

Line = dict[str, Any]


async def member_lines(member: str, client: AgentClient, **filters: Any) -> AsyncGenerator[Line]:
    """Yield one agent's lines; end with a warning when it does not answer."""
    try:
        async for line in client.logs(**filters):
            yield line
    except FreeholdError as fault:
        yield {
            "at": time.time(),
            "member": member,
            "source": "freehold",
            "level": "WARNING",
            "message": str(fault),
        }


async def merge(
    streams: Mapping[str, AsyncGenerator[Line]], *, patience_s: float | None
) -> AsyncIterator[Line]:
    """Yield the streams' lines by their time.

    ``patience_s`` None waits for every stream's next line: exact, for streams that end. Otherwise a
    stream that keeps silent so long is not waited for until it speaks again.
    """
    merging = _Merging(streams, patience_s)
    try:
        while await merging.has_line():
            yield merging.oldest()
    finally:
        await merging.close()


class _Merging:
    def __init__(
        self, streams: Mapping[str, AsyncGenerator[Line]], patience_s: float | None
    ) -> None:
        self._streams, self._patience_s = streams, patience_s
        self._live = dict(streams)
        self._asked: dict[str, asyncio.Future[Line]] = {}
        self._heads: dict[str, Line] = {}
        self._quiet: set[str] = set()

    async def has_line(self) -> bool:
        while self._live or self._heads:
            for name, stream in self._live.items():
                if name not in self._heads and name not in self._asked:
                    self._asked[name] = asyncio.ensure_future(anext(stream))
            await self._wait()
            self._collect()
            if self._heads:
                return True
        return False

    def oldest(self) -> Line:
        heads = self._heads
        return heads.pop(min(heads, key=lambda name: float(heads[name].get("at", 0.0))))

    async def close(self) -> None:
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        for stream in self._streams.values():
            await stream.aclose()

    async def _wait(self) -> None:
        asked = self._asked
        if not asked:
            return
        if self._patience_s is None:
            await asyncio.wait(asked.values())
            return
        expected = [task for name, task in asked.items() if name not in self._quiet]
        if expected:
            await asyncio.wait(expected, timeout=self._patience_s)
        elif not self._heads:
            await asyncio.wait(asked.values(), return_when=asyncio.FIRST_COMPLETED)

    def _collect(self) -> None:
        for name, task in list(self._asked.items()):
            if not task.done():
                self._quiet.add(name)
                continue
            del self._asked[name]
            self._quiet.discard(name)
            try:
                self._heads[name] = task.result()
            except StopAsyncIteration:
                del self._live[name]
