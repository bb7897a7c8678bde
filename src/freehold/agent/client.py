"""Talk to an agent over its unix socket: the runtimes' and the tests' side of its API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import h11
import msgspec

from freehold.foundation.errors import (
    DefinitionError,
    FreeholdError,
    NotFoundError,
    PermanentFault,
    RefusedError,
    TransientFault,
)
from freehold.foundation.member import (
    ActionOrder,
    ActionState,
    MemberSpec,
    MemberStatus,
    Orders,
    Place,
)

T = TypeVar("T")
_BY_STATUS: Mapping[int, type[FreeholdError]] = {
    400: PermanentFault,
    404: NotFoundError,
    409: RefusedError,
    413: PermanentFault,
    422: DefinitionError,
    503: TransientFault,
}


class AgentClient:
    """One agent. Every call opens a connection of its own: an agent may be replaced at any time.

    Raises TransientFault when the agent does not answer within ``timeout_s``; RefusedError and the
    rest of the tree as the agent says.
    """

    def __init__(self, socket_path: str, *, timeout_s: float = 5.0) -> None:
        self.socket_path = socket_path
        self.timeout_s = timeout_s

    async def status(self) -> MemberStatus:
        return await self._call("GET", "/v1/status", MemberStatus)

    async def order(
        self,
        *,
        spec: MemberSpec | None = None,
        place: Place | None = None,
        orders: Orders | None = None,
    ) -> MemberStatus:
        """Store what is given (durably), then let the agent make it true."""
        given = {"spec": spec, "place": place, "orders": orders}
        body = {name: value for name, value in given.items() if value is not None}
        return await self._call("PUT", "/v1/orders", MemberStatus, body)

    async def act(self, order: ActionOrder) -> ActionState:
        return await self._call("PUT", f"/v1/actions/{_quote(order.key)}", ActionState, order)

    async def cancel(self, key: str) -> ActionState:
        return await self._call("DELETE", f"/v1/actions/{_quote(key)}", ActionState)

    async def metrics(self, since: float = 0.0) -> dict[str, Any]:
        return await self._call("GET", f"/v1/metrics?since={since:.3f}", dict[str, Any])

    async def prometheus(self) -> str:
        return (await self._bytes("GET", "/metrics", b"")).decode()

    async def events(self) -> list[dict[str, Any]]:
        return await self._call("GET", "/v1/events", list[dict[str, Any]])

    async def replace(self, folder: str) -> None:
        """Let the agent become the one in ``folder``: same pid, the software goes on."""
        await self._call("POST", "/v1/replace", dict[str, Any], {"folder": folder})

    async def shutdown(self) -> None:
        """Let a stopped member's agent exit; refused while the software runs."""
        await self._call("POST", "/v1/shutdown", dict[str, Any])

    async def logs(
        self, *, since: float = 0.0, level: str = "", source: str = "", follow: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield log lines {at, source, level, message, member}, oldest first."""
        target = f"/v1/logs?since={since:.3f}&level={_quote(level)}&source={_quote(source)}"
        reader, writer = await self._connect()
        try:
            pieces = self._exchange(reader, writer, "GET", target + "&follow=1" * follow, b"")
            left = b""
            async for piece in pieces:
                *lines, left = (left + piece).split(b"\n")
                for line in lines:
                    yield msgspec.json.decode(line)
        except OSError as error:
            raise self._silent(str(error)) from error
        finally:
            writer.close()

    async def _call(self, method: str, target: str, kind: type[T], body: Any = None) -> T:
        sent = b"" if body is None else msgspec.json.encode(body)
        received = await self._bytes(method, target, sent)
        try:
            return msgspec.json.decode(received, type=kind)
        except msgspec.MsgspecError as error:
            raise PermanentFault(f"cannot understand the agent at {self.socket_path}") from error

    async def _bytes(self, method: str, target: str, body: bytes) -> bytes:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self.timeout_s):
                reader, writer = await self._connect()
                pieces = self._exchange(reader, writer, method, target, body)
                return b"".join([piece async for piece in pieces])
        except TimeoutError as error:
            raise self._silent(f"no answer in {self.timeout_s:g} s") from error
        except (OSError, h11.ProtocolError) as error:
            raise self._silent(str(error)) from error
        finally:
            if writer is not None:
                with contextlib.suppress(OSError):
                    writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(self.socket_path)
        except OSError as error:
            raise self._silent(error.strerror or str(error)) from error

    async def _exchange(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        method: str,
        target: str,
        body: bytes,
    ) -> AsyncIterator[bytes]:
        connection = h11.Connection(h11.CLIENT)
        headers = [("Host", "agent"), ("Connection", "close"), ("Content-Length", str(len(body)))]
        request = h11.Request(method=method, target=target, headers=headers)
        writer.write(connection.send(request) or b"")
        if body:
            writer.write(connection.send(h11.Data(data=body)) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        status, refused = 0, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                if status >= 400:
                    refused += bytes(event.data)
                else:
                    yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                if status >= 400:
                    raise _error(status, refused)
                return
            else:
                raise self._silent("it closed the connection")

    def _silent(self, reason: str) -> TransientFault:
        return TransientFault(
            f"cannot reach the agent at {self.socket_path}: {reason}", retry_after_s=1.0
        )


def _error(status: int, body: bytes) -> FreeholdError:
    try:
        told = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.MsgspecError:
        told = {}
    message = str(told.get("message", f"cannot: the agent answered {status}"))
    kind = _BY_STATUS.get(status, PermanentFault)
    return kind(message, next_command=str(told.get("next_command", "")))


def _quote(text: str) -> str:
    from urllib.parse import quote  # noqa: PLC0415

    return quote(text, safe="")
