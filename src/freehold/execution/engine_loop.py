"""All services of a place: one loop each, edits of wishes, and what was last seen."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from freehold.engine.verbs import Encounter, encounter
from freehold.engine.wish import Want, Wish
from freehold.execution import tracking
from freehold.execution.changes import Changes
from freehold.execution.edits import difference, revert
from freehold.execution.records import Operation, OperationPhase
from freehold.execution.service_loop import ServiceLoop, World
from freehold.execution.snapshot import Snapshot
from freehold.foundation.errors import NotFoundError, RefusedError

__all__ = ["Engine", "World"]


class Engine:
    """All services of a place: one loop each, edits, cancellation, and what was last seen."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loops: dict[str, ServiceLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changes = Changes()

    async def start(self) -> None:
        self._world.runtime.on_change(self.wake)
        for wish in self._world.journal.wishes():
            self._run(wish.service)

    async def close(self) -> None:
        """End the loops between two effects; the software is left as it is."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._loops.clear()

    def follow(self, service: str) -> None:
        """Run the loop of a service whose wish was stored by other means: adoption."""
        self._run(service)
        self._changes.notify(service)

    def wake(self, service: str) -> None:
        if service in self._loops:
            self._loops[service].wake()

    def snapshot(self, service: str) -> Snapshot | None:
        return self._loops[service].snapshot if service in self._loops else None

    async def refresh(self, service: str, *, at_most_s: float, within_s: float) -> None:
        """Look again when the last observation is older than ``at_most_s``; never wait longer than
        ``within_s``: what is shown then is older, and says so."""
        loop = self._loops.get(service)
        if loop is None:
            return
        seen = loop.snapshot
        if seen is not None and self._world.clock.now() - seen.observed_at <= at_most_s:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await loop.look_again()

    def live_operation(self, operation_id: str) -> Operation | None:
        """Return the operation with the notes of steps that are being carried out now."""
        stored = self._world.journal.operation(operation_id)
        if stored is None or stored.service not in self._loops:
            return stored
        return self._loops[stored.service].with_live_notes(stored)

    def subscribe(self, service: str) -> AsyncIterator[None]:
        """Yield at once and then whenever something about the service changed."""
        return self._changes.ticks(service)

    def submit(
        self, wish: Wish, operation: Operation, *, expected_generation: int | None
    ) -> Operation:
        """Store an edit durably and have the engine follow it.

        Raises RefusedError when another edit came first.
        """
        now = self._world.clock.now()
        superseded = [
            tracking.ended(
                each, OperationPhase.SUPERSEDED, f"by {operation.verb} {operation.id}", now
            )
            for each in self._world.journal.operations(service=wish.service, open_only=True)
            if encounter(operation.verb, each.verb) is not Encounter.IN_TURN
        ]
        self._world.failpoints.reach(f"before store {operation.verb}")
        self._world.journal.edit(
            wish, operation, superseded, expected_generation=expected_generation
        )
        self._world.failpoints.reach(f"after store {operation.verb}")
        self._run(wish.service)
        self._loops[wish.service].wish_changed()
        self._changes.notify(wish.service)
        return operation

    def cancel(self, operation_id: str, *, actor: str) -> Operation:
        """Send an operation's fields back; returns the operation that tracks the way back."""
        journal, now = self._world.journal, self._world.clock.now()
        operation = journal.operation(operation_id)
        if operation is None:
            raise NotFoundError(
                f"cannot cancel {operation_id}: there is no such operation",
                next_command="freehold operations list",
            )
        wish = journal.wish(operation.service)
        if operation.phase is not OperationPhase.RUNNING or wish is None:
            raise RefusedError(
                f"cannot cancel {operation_id}: it has ended ({operation.phase})",
                next_command=f"freehold operations show {operation_id}",
            )
        if wish.want is Want.PURGED:
            raise RefusedError(
                f"cannot cancel {operation_id}: a purge has no way back",
                next_command=f"freehold operations show {operation_id}",
            )
        back = revert(wish, operation.before)
        before, after = difference(wish, back)
        way_back = Operation(
            id=self._world.ids.new(),
            service=wish.service,
            lineage=wish.lineage,
            verb=f"cancel {operation.verb}",
            actor=actor,
            project=wish.project,
            generation=back.generation,
            before=before,
            after=after,
            created_at=now,
            deadline_at=now + max(600.0, operation.deadline_at - operation.created_at),
        )
        cancelled = tracking.ended(operation, OperationPhase.CANCELLED, f"by {actor}", now)
        journal.edit(back, way_back, [cancelled], expected_generation=wish.generation)
        self._run(wish.service)
        self._loops[wish.service].wish_changed()
        self._changes.notify(wish.service)
        return way_back

    def _run(self, service: str) -> None:
        task = self._tasks.get(service)
        if task is not None and not task.done():
            return
        loop = ServiceLoop(service, self._world, lambda: self._changes.notify(service))
        self._loops[service] = loop
        self._tasks[service] = asyncio.create_task(loop.run(), name=f"loop {service}")
