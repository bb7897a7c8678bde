"""The daemon's HTTP API: doors in, a Starlette application out.

Refuses, before any verb is reached: other users, bodies over 1 MB, names that are not names,
unknown fields and parameters.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from freehold.foundation.errors import DefinitionError, FreeholdError, NotFoundError, RefusedError
from freehold.foundation.names import fault_of_name
from freehold.operations.desk import Asker
from freehold.serve.accounts import actor_of
from freehold.serve.door import Answer, Call, DaemonPort, Door, Query, Text
from freehold.serve.refusals import as_freehold_error, refusal

LARGEST_BODY_BYTES = 1024 * 1024
LONGEST_PATH_WORD = 100
FIRST_LINE_S = 0.5  # a stream that has nothing to say yet begins all the same
KEEP_ALIVE_S = 15.0  # an empty line, so that both sides notice when the other is gone

_encode = msgspec.json.Encoder(order="deterministic").encode


class Front:
    """Answers requests for a daemon; ``closing`` ends every stream when the daemon stops."""

    def __init__(self, daemon: DaemonPort, owner: int | None, log: Callable[[str], None]) -> None:
        self._daemon = daemon
        self._owner = owner  # uid that may ask, beside root; None: anybody who reaches the socket
        self._log = log
        self.closing = asyncio.Event()

    def application(self, doors: Sequence[Door]) -> Starlette:
        routes = [
            Route(door.path, self._endpoint(door), methods=[door.method], name=door.summary)
            for door in doors
        ]
        return Starlette(
            routes=routes,
            exception_handlers={HTTPException: self._no_such_door, Exception: self._failed},
        )

    def _endpoint(self, door: Door) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                call = await self._call(door, request)
                value = await door.handler(call)
                if door.streams:
                    return await self._stream(value)
                return _response(value, door.status)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception as failure:  # noqa: BLE001  the one place where failures become answers
                return self._refuse(failure)

        return endpoint

    async def _call(self, door: Door, request: Request) -> Call:
        uid = _uid(request)
        if self._owner is not None and uid not in {0, self._owner, None}:
            raise RefusedError("cannot answer: this daemon belongs to another user")
        path = {name: _word(name, str(value)) for name, value in request.path_params.items()}
        query = _read_query(door, request)
        body = await _read_body(request)
        message: Any = None
        if door.takes is not None:
            message = msgspec.json.decode(body or b"{}", type=door.takes)
        project = getattr(message, "project", "default")
        asker = Asker(actor=actor_of(uid), project=project)
        return Call(daemon=self._daemon, asker=asker, path=path, query=query, body=message)

    async def _stream(self, lines: AsyncIterator[Any]) -> Response:
        """A refusal that comes before the first line has its status; a later one is a line."""
        first: asyncio.Future[Any] = asyncio.ensure_future(anext(lines))
        await asyncio.wait({first}, timeout=FIRST_LINE_S)
        if first.done() and not isinstance(first.exception(), StopAsyncIteration | None):
            first.result()

        async def encoded() -> AsyncIterator[bytes]:
            try:
                async for line in _until(first, lines, self.closing):
                    yield b"\n" if line is None else _encode(line) + b"\n"
            except Exception as failure:  # noqa: BLE001  the status has been sent: end with a line
                yield _encode(refusal(self._known(failure))) + b"\n"

        return StreamingResponse(encoded(), media_type="application/x-ndjson")

    def _known(self, failure: BaseException) -> FreeholdError:
        error = as_freehold_error(failure)
        if not isinstance(failure, FreeholdError | OSError | msgspec.MsgspecError):
            self._log("".join(traceback.format_exception(failure)))
        return error

    def _refuse(self, failure: BaseException) -> Response:
        error = self._known(failure)
        return _response(refusal(error), error.http_status)

    async def _no_such_door(self, request: Request, exception: Exception) -> Response:
        wrong_method = isinstance(exception, HTTPException) and exception.status_code == 405
        what = f"{request.method} {request.url.path}" if wrong_method else request.url.path
        return self._refuse(
            NotFoundError(f"cannot answer {what[:200]}: there is no such call in this API")
        )

    async def _failed(self, _request: Request, exception: Exception) -> Response:
        return self._refuse(exception)


def _response(value: Any, status: int) -> Response:
    if isinstance(value, Text):
        return Response(value.text, media_type=value.media_type)
    if isinstance(value, Answer):
        value, status = value.value, value.status
    return Response(_encode(value), status_code=status, media_type="application/json")


async def _until(
    following: asyncio.Future[Any], lines: AsyncIterator[Any], closing: asyncio.Event
) -> AsyncIterator[Any]:
    """Pass lines on until they end, the client leaves or the daemon closes; None when all is quiet."""
    stopped = asyncio.ensure_future(closing.wait())
    try:
        while True:
            await asyncio.wait(
                {following, stopped},
                return_when=asyncio.FIRST_COMPLETED,
                timeout=KEEP_ALIVE_S,
            )
            if following.done():
                try:
                    line = following.result()
                except StopAsyncIteration:
                    return
                yield line
                following = asyncio.ensure_future(anext(lines))
            elif not stopped.done():
                yield None
            if stopped.done():
                return
    finally:
        stopped.cancel()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def _uid(request: Request) -> int | None:
    """The protocol puts the peer's uid where the client's address would be."""
    host = request.client.host if request.client else ""
    return int(host.removeprefix("uid:")) if host.startswith("uid:") else None


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY_BYTES:
            raise DefinitionError("cannot read the request: it is larger than 1 MB")
    return bytes(body)


def _word(name: str, value: str) -> str:
    """Names in paths are names, or nothing is looked up at all."""
    if name in {"service", "application", "package"}:
        fault = fault_of_name(value)
        if fault is not None:
            raise DefinitionError(f"cannot use {value[:60]!r} as {name}: it {fault}")
    if len(value) > LONGEST_PATH_WORD or ".." in value or not value.isprintable():
        raise DefinitionError(f"cannot use {value[:60]!r} as {name}: it is not a name")
    return value


def _read_query(door: Door, request: Request) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for name, text in request.query_params.items():
        parameter = door.query.get(name)
        if parameter is None:
            known = ", ".join(door.query) or "none"
            raise DefinitionError(f"cannot use parameter {name[:60]!r}: known here are: {known}")
        read[name] = _parse(name, parameter, text)
    return read


def _parse(name: str, parameter: Query, text: str) -> Any:
    if parameter.kind is bool:
        if text.lower() not in {"", "0", "1", "true", "false"}:
            raise DefinitionError(f"cannot use {name}={text[:40]!r}: it is true or false")
        return text.lower() in {"", "1", "true"}
    if parameter.kind is float:
        try:
            return float(text)
        except ValueError as error:
            raise DefinitionError(f"cannot use {name}={text[:40]!r}: not a number") from error
    return text
