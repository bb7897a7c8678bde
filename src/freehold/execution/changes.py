"""Tell listeners that something about a service changed. They look for themselves what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager


class Changes:
    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = {}

    def notify(self, service: str) -> None:
        for event in self._listeners.get(service, ()):
            event.set()

    @contextmanager
    def listen(self, service: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._listeners.setdefault(service, set()).add(event)
        try:
            yield event
        finally:
            listeners = self._listeners[service]
            listeners.discard(event)
            if not listeners:
                del self._listeners[service]

    async def ticks(self, service: str) -> AsyncIterator[None]:
        """Yield at once, and then after every change; changes that come together yield once."""
        with self.listen(service) as event:
            while True:
                yield
                await event.wait()
                event.clear()
