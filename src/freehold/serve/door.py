"""A door: one method and path of the API, with the shapes that go in and come out.

Routes, body decoding, OpenAPI and the docs are all made from these values, so that none of them
can say something else than the others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from freehold.operations.desk import Asker, Desk
from freehold.operations.messages import Adopt, Adopted, Finding, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query parameter."""

    kind: type = str  # str | float | bool
    help: str = ""


class DaemonPort(Protocol):
    """What a request may ask of the daemon itself."""

    @property
    def desk(self) -> Desk:
        """Where verbs work. Raises PermanentFault while the state cannot be read."""
        ...

    def version(self) -> Version: ...
    async def doctor(self) -> list[Finding]: ...
    async def adopt(self, asker: Asker, asked: Adopt) -> Adopted: ...
    def stop(self) -> None:
        """End after this answer; agents and software go on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, decoded and checked."""

    daemon: DaemonPort
    asker: Asker
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any = None  # an instance of the door's ``takes``

    @property
    def desk(self) -> Desk:
        return self.daemon.desk

    @property
    def service(self) -> str:
        return self.path["service"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A value with another status than 200."""

    value: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Text:
    """An answer that is not JSON."""

    text: str
    media_type: str


Handler = Callable[[Call], Awaitable[Any]]
Lines = AsyncIterator[Any]  # each becomes one line of JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    method: str
    path: str  # "/v1/services/{service}"
    handler: Handler
    summary: str
    gives: Any  # type of the answer; of one line when ``streams``
    takes: type | None = None
    query: Mapping[str, Query] = field(default_factory=dict)
    streams: bool = False
    status: int = 200
    also: Mapping[int, Any] = field(default_factory=dict)  # other statuses -> type


FOLLOW = Query(kind=bool, help="stay and send what comes")
SINCE = Query(kind=float, help="unix seconds; older is left out")
