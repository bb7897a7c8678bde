"""HTTP/1.1 over h11, small enough for a 30 MB agent: a server and a one-request client.

Only what the agent's API, its probes and its metric sources need. Bodies are bounded in both
directions: neither an engine nor a caller can make the agent grow.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import h11
import msgspec

from freehold.foundation.errors import PermanentFault, TransientFault

LARGEST_BODY = 16 * 2**20
_IDLE_S = 60.0
_CHUNK = 65536
_URL = r"(https?)://(\[[^\]]+\]|[^/:?]+)(?::(\d+))?(/[^#]*|\?[^#]*)?"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    method: str
    path: str
    query: Mapping[str, str] = msgspec.field(default_factory=dict)
    body: bytes = b""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    stream: AsyncIterator[bytes] | None = None
    afterwards: Callable[[], None] | None = None  # once the answer has left


Handler = Callable[[Request], Awaitable[Response]]


class TooLargeError(Exception):
    """A body larger than the bound."""


async def serve_connection(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler
) -> None:
    """Answer requests of one connection until either side closes it."""
    connection = h11.Connection(h11.SERVER)
    try:
        while True:
            try:
                request = await _read_request(connection, reader)
            except TooLargeError:
                response = Response(
                    status=413,
                    body=b'{"error":"RefusedError","message":"cannot take a body so large","next_command":""}',
                )
                await _send(connection, reader, writer, response, method="GET")
                return
            if request is None:
                return
            response = await handler(request)
            await _send(connection, reader, writer, response, method=request.method)
            if response.afterwards is not None:
                response.afterwards()
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return
            connection.start_next_cycle()
    except (OSError, h11.ProtocolError, TimeoutError, asyncio.IncompleteReadError):
        return
    finally:
        with contextlib.suppress(OSError):
            writer.close()


async def _read_request(connection: h11.Connection, reader: asyncio.StreamReader) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await asyncio.wait_for(reader.read(_CHUNK), _IDLE_S))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY:
                raise TooLargeError
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            path, _, query = head.target.decode("ascii").partition("?")
            return Request(
                method=head.method.decode("ascii"),
                path=_unquote(path),
                query=_parse_query(query),
                body=bytes(body),
            )
        else:  # closed
            return None


async def _send(
    connection: h11.Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    response: Response,
    *,
    method: str,
) -> None:
    headers = [("content-type", response.content_type)]
    if response.stream is None:
        headers.append(("content-length", str(len(response.body))))
    head = h11.Response(status_code=response.status, headers=headers)
    out = connection.send(head) or b""
    if response.stream is None:
        if method != "HEAD":
            out += connection.send(h11.Data(data=response.body)) or b""
    else:
        async for piece in _until_gone(response.stream, reader):
            writer.write(out + (connection.send(h11.Data(data=piece)) or b""))
            out = b""
            await writer.drain()
    writer.write(out + (connection.send(h11.EndOfMessage()) or b""))
    await writer.drain()


async def _until_gone(
    stream: AsyncIterator[bytes], reader: asyncio.StreamReader
) -> AsyncIterator[bytes]:
    """Pass a stream on until it ends, or its reader closes: a quiet stream never meets an error."""
    gone = asyncio.ensure_future(reader.read(1))
    following: asyncio.Future[bytes] | None = None
    try:
        while True:
            following = asyncio.ensure_future(anext(stream))
            await asyncio.wait({gone, following}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                return
            try:
                yield following.result()
            except StopAsyncIteration:
                return
    finally:
        gone.cancel()
        if following is not None:
            following.cancel()


def _parse_query(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split("&") if part)
    return {_unquote(name): _unquote(value.replace("+", " ")) for name, _, value in pairs}


def _unquote(text: str) -> str:
    if "%" not in text:
        return text
    from urllib.parse import unquote  # noqa: PLC0415  5 ms that a start need not pay

    return unquote(text)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    status: int
    body: bytes


async def ask_url(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    user: str = "",
    password: str = "",
    ca: str = "",
    timeout_s: float,
) -> Answer:
    """Send one request to an http or https address.

    Raises TransientFault when there is no answer in time, PermanentFault for a wrong address.
    """
    parts = re.fullmatch(_URL, url)
    if parts is None:
        raise PermanentFault(f"cannot ask {url!r}: not an http address")
    scheme, host, port, target = parts.groups()
    host = host.strip("[]")
    sent = {"Host": host if port is None else f"{host}:{port}", **(headers or {})}
    if user or password:
        sent["Authorization"] = "Basic " + _basic(user, password)
    if body and "content-type" not in {name.lower() for name in sent}:
        sent["Content-Type"] = "application/json"
    path = target or "/"
    path = path if path[0] == "/" else "/" + path
    try:
        async with asyncio.timeout(timeout_s):
            if scheme == "https":
                return await _ask_tls(
                    host, int(port or 443), ca, timeout_s, (method, path, body, sent)
                )
            reader, writer = await asyncio.open_connection(host, int(port or 80))
            return await _exchange(
                reader, writer, method=method, target=path, headers=sent, body=body
            )
    except TimeoutError as error:
        raise TransientFault(f"cannot ask {url}: no answer in {timeout_s:g} s") from error
    except (OSError, h11.ProtocolError) as error:
        raise TransientFault(f"cannot ask {url}: {_words(error)}") from error


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    *,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    connection = h11.Connection(h11.CLIENT)
    try:
        request_headers = [*headers.items(), ("Connection", "close")]
        if body:
            request_headers.append(("Content-Length", str(len(body))))
        request = h11.Request(method=method, target=target, headers=request_headers)
        writer.write(connection.send(request) or b"")
        if body:
            writer.write(connection.send(h11.Data(data=body)) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        status, received = 0, bytearray()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                received += event.data
                if len(received) > LARGEST_BODY:
                    raise TransientFault("cannot read an answer larger than 16 MiB")
            elif isinstance(event, h11.EndOfMessage):
                return Answer(status=status, body=bytes(received))
            elif not isinstance(event, h11.InformationalResponse):
                raise TransientFault("cannot read the answer: connection closed early")
    finally:
        writer.close()


async def _ask_tls(
    host: str, port: int, ca: str, timeout_s: float, request: tuple[str, str, bytes, dict[str, str]]
) -> Answer:
    if not ca:
        raise PermanentFault(f"cannot ask https://{host}:{port}: give the CA to verify it against")
    from freehold.agent.tls import ask_https  # noqa: PLC0415  4 MB that most members never need

    try:
        status, body = await asyncio.to_thread(ask_https, host, port, ca, timeout_s, request)
    except ValueError as error:  # neither a certificate nor an answer that can be read
        raise TransientFault(f"cannot ask https://{host}:{port}: {error}") from error
    return Answer(status=status, body=body)


def _basic(user: str, password: str) -> str:
    return binascii.b2a_base64(f"{user}:{password}".encode(), newline=False).decode()


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
