"""The API on its unix socket: uvicorn without its signals, its clock tick and its logs.

uvicorn wakes ten times a second to look whether it should end; a daemon that has nothing to do
shall do nothing, so this one waits for an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from freehold.serve.accounts import peer_uid

GRACE_S = 2  # for answers that are being written when the daemon stops


class _PeerProtocol(H11Protocol):
    """Puts the peer's uid where a network server puts the client's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        uid = peer_uid(connection) if connection is not None else None
        if uid is not None:
            self.client = (f"uid:{uid}", 0)


class Server(uvicorn.Server):
    def __init__(self, application: Any) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=_PeerProtocol,
                ws="none",
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=30,
            )
        )
        self._ending = asyncio.Event()

    def end(self) -> None:
        self.should_exit = True
        self._ending.set()

    async def ended(self) -> None:
        """Return once the server has been told to end."""
        await self._ending.wait()

    async def main_loop(self) -> None:
        await self._ending.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the daemon owns the signals: the loops close before the process ends


def listen(path: Path) -> socket.socket:
    """Return a listening 0600 socket at ``path``; the caller holds the daemon's lock.

    It is bound beside its place and moved there, so that nobody ever connects to a socket whose
    mode is not yet right, or to one that does not listen.
    """
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        former = os.umask(0o177)
        try:
            listener.bind(str(beside))
        finally:
            os.umask(former)
        listener.listen(128)
        listener.setblocking(False)
        beside.replace(path)
    except BaseException:
        listener.close()
        raise
    return listener
