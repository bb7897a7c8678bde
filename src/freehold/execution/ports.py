"""The ports: everything the loop needs of the world, and nothing of how it is done.

The local, simulated and Kubernetes runtimes, the SQLite journal, the software store and the
issuer of secrets sit behind these. ``tests/contract`` runs one suite over all runtimes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from freehold.definition.package import Package
from freehold.engine.observed import Observed
from freehold.engine.plan import (
    Act,
    CancelAct,
    Configure,
    DestroyVolumes,
    Forget,
    Provision,
    Restart,
    Retire,
    Revive,
    Start,
    Stop,
)
from freehold.engine.wish import Wish
from freehold.execution.records import Event, Operation

RuntimeStep = (
    Provision
    | Start
    | Stop
    | Restart
    | Configure
    | Act
    | CancelAct
    | Revive
    | Retire
    | DestroyVolumes
    | Forget
)

Progress = Callable[[str, float | None], None]  # (note, ratio 0.0 to 1.0 or unknown)


class Runtime(Protocol):
    """A place where members exist. Every call may be repeated; each effect is idempotent."""

    async def observe(self, wish: Wish) -> Observed:
        """Return what is there now; software and secrets are filled in by the loop.

        Never raises for a member that does not answer: that is an observation.
        """
        ...

    async def record(self, wish: Wish, package: Package) -> None:
        """Store wish and definition beside the members, so that a lost journal can be rebuilt."""
        ...

    async def reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        """Return the address or name that each member will advertise; the same one at every call.

        Needed before a member exists: its certificate and its peers' files carry it.
        """
        ...

    def on_change(self, wake: Callable[[str], None]) -> None:
        """Remember ``wake``; call it with a service's name when something there changed."""
        ...

    async def perform(self, step: RuntimeStep) -> None:
        """Carry out one step, and read it back.

        Raises:
            TransientFault: try again later. PermanentFault: will fail again. RefusedError: the
            step's precondition (uid, death certificate) does not hold now.
        """
        ...


class SoftwareStore(Protocol):
    async def present(self, package: Package) -> frozenset[str]:
        """Return the versions of the package that are laid out here."""
        ...

    async def fetch(self, package: Package, version: str, progress: Progress) -> None: ...


class SecretStore(Protocol):
    """Issues and keeps the secrets of services; values never leave it but to members' folders."""

    async def issued(self, lineage: str) -> frozenset[str]: ...

    async def issue(
        self, wish: Wish, package: Package, names: Sequence[str], addresses: Mapping[str, str]
    ) -> None:
        """Make each secret ("name" or "name@member") that does not exist; never replace one."""
        ...

    async def destroy(self, lineage: str) -> None: ...


class Journal(Protocol):
    """Wishes, operations and events; durable when a call returns."""

    def wishes(self) -> Sequence[Wish]: ...
    def wish(self, service: str) -> Wish | None: ...
    def put_wish(self, wish: Wish, *, expected_generation: int | None) -> None:
        """Store the wish when the stored generation is the expected one (None: there is none yet).

        Raises RefusedError when another edit came first.
        """
        ...

    def edit(
        self,
        wish: Wish,
        operation: Operation,
        superseded: Sequence[Operation],
        *,
        expected_generation: int | None,
    ) -> None:
        """Store wish, new operation and the superseded ones' ends in one transaction."""
        ...

    def forget(self, service: str, ended: Sequence[Operation] = ()) -> None:
        """Remove the wish and store the ends of its operations in one transaction."""
        ...

    def operations(
        self, *, service: str | None = None, open_only: bool = False, limit: int = 100
    ) -> Sequence[Operation]: ...
    def operation(self, operation_id: str) -> Operation | None: ...
    def put_operation(self, operation: Operation) -> None: ...
    def append_event(self, event: Event) -> None: ...
    def events(
        self, service: str | None, *, after: int = 0, limit: int = 1000
    ) -> Sequence[Event]: ...


class Packages(Protocol):
    """Pinned definitions by digest; and the catalog they are pinned from."""

    def by_digest(self, digest: str) -> Package: ...
    def pin(self, package: Package) -> None: ...
    def catalog(self) -> Mapping[str, Package]: ...


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    def new(self) -> str:
        """Return a new unique id, sortable by time, usable in a file name."""
        ...


class Failpoints(Protocol):
    """Named places between two effects; a test's implementation kills the process there."""

    def reach(self, point: str) -> None: ...
