"""The agent's HTTP API: paths to calls, errors to the one error shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from freehold.agent.http import Request, Response
from freehold.foundation.errors import (
    DefinitionError,
    FreeholdError,
    NotFoundError,
    PermanentFault,
    RefusedError,
)
from freehold.foundation.member import ActionOrder, MemberSpec, Orders, Phase, Place

if TYPE_CHECKING:
    from freehold.agent.agent import Agent


class Ordered(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PUT /v1/orders."""

    spec: MemberSpec | None = None
    place: Place | None = None
    orders: Orders | None = None


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /v1/replace."""

    folder: str


class Api:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    async def handle(self, request: Request) -> Response:
        """Answer any request; a mistake of ours is an answer too, never a broken connection."""
        try:
            return await self._route(request)
        except FreeholdError as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001  the agent must outlive a bug in its API
            return refusal(PermanentFault(f"cannot answer: {type(error).__name__}: {error}"))

    async def handle_health(self, request: Request) -> Response:
        """The second listener: liveness and readiness, nothing else."""
        if request.method not in ("GET", "HEAD"):
            return refusal(NotFoundError(f"cannot {request.method} here"))
        match request.path:
            case "/livez":
                return Response(body=b"ok\n", content_type="text/plain")
            case "/readyz":
                ready = self._agent.supervisor.ready is True
                reason = self._agent.supervisor.reason or "not ready"
                body = b"ok\n" if ready else f"{reason}\n".encode()
                return Response(status=200 if ready else 503, body=body, content_type="text/plain")
        return refusal(NotFoundError(f"cannot find {request.path}"))

    async def _route(self, request: Request) -> Response:  # noqa: PLR0911  one line a path
        agent = self._agent
        path, method = request.path, request.method
        match (method, path):
            case ("GET", "/v1/status"):
                return _json(agent.status())
            case ("PUT", "/v1/orders"):
                ordered = _decoded(request.body, Ordered)
                agent.order(ordered.spec, ordered.place, ordered.orders)
                return _json(agent.status())
            case ("GET", "/v1/events"):
                return _json(agent.events.recent())
            case ("GET", "/v1/metrics"):
                return _json(agent.metrics.series(_number(request, "since")))
            case ("GET", "/metrics"):
                text = agent.metrics.text()
                return Response(body=text.encode(), content_type="text/plain; version=0.0.4")
            case ("GET", "/v1/logs"):
                return Response(stream=self._logs(request), content_type="application/x-ndjson")
            case ("POST", "/v1/replace"):
                act = await agent.replace(_decoded(request.body, Replacement).folder)
                return _json({"replacing": True}, status=202, afterwards=act)
            case ("POST", "/v1/shutdown"):
                return _json({"ending": True}, status=202, afterwards=agent.shutdown())
        if path.startswith("/v1/actions/"):
            return self._action(request, path.removeprefix("/v1/actions/"))
        raise NotFoundError(f"cannot find {method} {path}")

    def _action(self, request: Request, key: str) -> Response:
        actions = self._agent.actions
        match request.method:
            case "GET":
                return _json(actions.state(key))
            case "PUT":
                order = _decoded(request.body, ActionOrder)
                if order.key != key:
                    raise DefinitionError(f"cannot run {order.key!r} under the address of {key!r}")
                if self._agent.supervisor.phase is Phase.FENCED:
                    raise RefusedError(f"cannot run {order.action}: the member is fenced")
                return _json(actions.submit(order))
            case "DELETE":
                return _json(actions.cancel(key))
        raise NotFoundError(f"cannot {request.method} an action")

    async def _logs(self, request: Request) -> AsyncIterator[bytes]:
        lines = self._agent.logs.read(
            since=_number(request, "since"),
            level=request.query.get("level", ""),
            source=request.query.get("source", ""),
            follow=request.query.get("follow", "") in ("1", "true"),
        )
        async for batch in lines:
            yield b"".join(msgspec.json.encode(line) + b"\n" for line in batch)


def refusal(error: FreeholdError) -> Response:
    body = {
        "error": type(error).__name__,
        "message": str(error),
        "next_command": error.next_command,
    }
    return Response(status=error.http_status, body=msgspec.json.encode(body))


def _json(
    value: Any, *, status: int = 200, afterwards: Callable[[], None] | None = None
) -> Response:
    return Response(status=status, body=msgspec.json.encode(value), afterwards=afterwards)


def _decoded(body: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise DefinitionError(f"cannot read the request: {error}") from error


def _number(request: Request, name: str) -> float:
    try:
        return float(request.query.get(name) or 0)
    except ValueError:
        raise DefinitionError(f"cannot read {name}={request.query[name]!r} as a number") from None
