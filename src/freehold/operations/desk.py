"""The desk every verb works at: the ports it needs, and nothing of how they are done.

A verb is a plain function ``verb(desk, asker, message)``. The daemon sits at this desk for the CLI
and the console; tests sit at one with the simulated runtime.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

from freehold.adapters.bindings import BindingRecord
from freehold.definition.package import Package
from freehold.engine.wish import Wish
from freehold.execution.ports import Clock, Ids, Journal, Packages, SoftwareStore
from freehold.execution.records import Operation
from freehold.execution.snapshot import Snapshot
from freehold.foundation.member import ActionOrder, ActionState, MemberSpec
from freehold.operations.messages import Collected, Finding
from freehold.runtimes.local.adopt import Adoption


class EnginePort(Protocol):
    """The loops: one per service, woken by every edit. See execution/engine_loop.py."""

    def submit(
        self, wish: Wish, operation: Operation, *, expected_generation: int | None
    ) -> Operation: ...
    def cancel(self, operation_id: str, *, actor: str) -> Operation: ...
    def snapshot(self, service: str) -> Snapshot | None: ...
    async def refresh(self, service: str, *, at_most_s: float, within_s: float) -> None: ...
    def live_operation(self, operation_id: str) -> Operation | None: ...
    def subscribe(self, service: str) -> AsyncIterator[None]: ...
    def follow(self, service: str) -> None:
        """Run the service's loop, from the wish that is stored."""
        ...


class AgentPort(Protocol):
    """One member's agent. Raises TransientFault when it does not answer."""

    async def act(self, order: ActionOrder) -> ActionState:
        """Give the order (the same key again is a no-op) and return the action's state now."""
        ...

    async def prometheus(self) -> str: ...


class PlacePort(Protocol):
    """The place where members live, beyond what the engine needs of it."""

    def client(self, service: str, member: str) -> AgentPort: ...
    def hand_secret(self, service: str, member: str, name: str) -> None:
        """Put the secret's value where the member's actions find it."""
        ...

    def withdraw_secret(self, service: str, member: str, name: str) -> None: ...
    async def reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        """Return the address of each member; the same one at every call."""
        ...

    async def preflight(self, wish: Wish, specs: Sequence[MemberSpec]) -> Sequence[str]:
        """Raise RefusedError when these further members cannot run here; return warnings."""
        ...

    def logs(
        self, service: str, *, member: str, follow: bool, **filters: Any
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield lines of all members (or one) by time; filters: since, level."""
        ...

    async def metrics(self, service: str, since: float) -> Mapping[str, Mapping[str, Any]]:
        """Return what each answering member measured; a silent one is missing."""
        ...

    def adopt(self) -> Adoption:
        """Return what the folders here tell of their services."""
        ...


class ExaminerPort(Protocol):
    async def examine(self) -> Sequence[Finding]:
        """Look at everything on this machine that services depend on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Software of one version, laid out here."""

    digest: str
    package: str
    version: str
    bytes: int


class StorePort(Protocol):
    """What is laid out here, beside fetching it."""

    async def trees(self) -> Sequence[Tree]: ...
    def digests(self, package: Package, version: str) -> Collection[str]:
        """Return the trees that this version needs here."""
        ...

    async def missing_bytes(self, package: Package, version: str) -> int:
        """Return what installing this version here would fetch."""
        ...

    async def collect(self, keep: Collection[str], *, dry_run: bool) -> Collected: ...


class BindingsPort(Protocol):
    """Folders of applications. See adapters/bindings.py."""

    def folder(self, service: str, application: str) -> Path: ...
    def records(self, service: str) -> Sequence[BindingRecord]: ...
    def record(self, service: str, application: str) -> BindingRecord | None: ...
    def put_record(self, service: str, record: BindingRecord) -> None: ...
    def write(self, service: str, application: str, entries: Mapping[str, str]) -> None: ...
    def remove(self, service: str, application: str) -> None: ...


class Turns:
    """One at a time for each key: two commands about the same binding follow each other."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def of(self, key: str) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


class SecretsPort(Protocol):
    """Logins of applications: the only values that operations ever touch, to write a binding."""

    def issue_password(self, service: str, lineage: str, name: str) -> None:
        """Make the password unless there is one of that name."""
        ...

    def value(self, lineage: str, name: str) -> str: ...
    def remove(self, lineage: str, name: str) -> None: ...
    def authority_bundle(self, lineage: str) -> bytes: ...


class CatalogPort(Packages, Protocol):
    def named(self, name: str) -> Package: ...
    def from_folder(self, folder: Path) -> Package: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    actor: str  # "uid 1000 (ann)"
    project: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    journal: Journal
    packages: CatalogPort
    engine: EnginePort
    place: PlacePort
    examiner: ExaminerPort
    software: SoftwareStore
    store: StorePort
    secrets: SecretsPort
    bindings: BindingsPort
    clock: Clock
    ids: Ids
    site: str = "local"
    turns: Turns = field(default_factory=Turns)
