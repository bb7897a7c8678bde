"""The loop of one service: observe, plan, execute one stage, observe again.

Nothing is remembered between rounds but back-offs and what was shown: every round derives from the
stored wish and a fresh observation, so the loop may die anywhere. An operation only tracks an edit
on its way; it never drives anything.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from freehold.definition.package import Package
from freehold.engine.describe import describe
from freehold.engine.desired import Desired
from freehold.engine.incarnations import incarnations
from freehold.engine.plan import Plan, Step
from freehold.engine.planner import plan
from freehold.engine.render import render
from freehold.engine.wish import Want, Wish
from freehold.execution import tracking
from freehold.execution.executor import Executor, Outcome
from freehold.execution.ports import (
    Clock,
    Failpoints,
    Ids,
    Journal,
    Packages,
    Progress,
    Runtime,
    SecretStore,
    SoftwareStore,
)
from freehold.execution.records import Event, Operation, OperationPhase
from freehold.execution.snapshot import Snapshot, transitions
from freehold.foundation.errors import FreeholdError

BUSY_POLL_S = 0.2  # while something is on its way
HEALING_POLL_S = 1.0
GRACE_FOR_STEPS_S = 1.0  # a step on its way when the wish changes may end by itself
IDLE_POLL_S = 10.0  # the runtime wakes the loop earlier when a member changes


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports of one place."""

    runtime: Runtime
    journal: Journal
    packages: Packages
    software: SoftwareStore
    secrets: SecretStore
    clock: Clock
    ids: Ids
    failpoints: Failpoints
    log: Callable[[str], None] = lambda _line: None


class ServiceLoop:
    def __init__(self, service: str, world: World, notify: Callable[[], None]) -> None:
        self._service = service
        self._world = world
        self._notify = notify
        self._wake = asyncio.Event()
        self._edited = asyncio.Event()
        self._looked = asyncio.Event()
        self._recorded = 0  # generation that the runtime has on record
        self._rendered: tuple[tuple[Wish, dict[str, int], frozenset[str]], Desired] | None = None
        self._notes: dict[str, tuple[str, float | None]] = {}
        self.snapshot: Snapshot | None = None
        self._executor = Executor(
            runtime=world.runtime,
            software=world.software,
            secrets=world.secrets,
            clock=world.clock,
            failpoints=world.failpoints,
        )

    def wake(self) -> None:
        self._wake.set()

    async def look_again(self) -> None:
        """Wait for the next observation, which comes at once unless steps are being carried out."""
        looked = self._looked
        self._wake.set()
        await looked.wait()

    def wish_changed(self) -> None:
        self._executor.release()
        self._edited.set()
        self._wake.set()

    def with_live_notes(self, operation: Operation) -> Operation:
        return tracking.with_notes(operation, self._notes)

    async def run(self) -> None:
        while True:
            self._wake.clear()
            self._edited.clear()
            try:
                pause_s = await self._round()
            except FreeholdError as fault:
                self._fail_operations(str(fault))
                pause_s = HEALING_POLL_S * 5
            except Exception:  # noqa: BLE001  a defect of ours must not end the care for a service
                self._world.log(traceback.format_exc())
                self._fail_operations(
                    f"cannot go on with {self._service}: a defect in Freehold, see the daemon's log"
                )
                pause_s = IDLE_POLL_S
            if pause_s is None:
                return
            if pause_s > 0:
                await self._pause(pause_s)

    async def _pause(self, seconds: float) -> None:
        waking = asyncio.ensure_future(self._wake.wait())
        sleeping = asyncio.ensure_future(self._world.clock.sleep(seconds))
        try:
            await asyncio.wait({waking, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
            sleeping.cancel()

    async def _round(self) -> float | None:
        """Return how long to pause before the next round; None when the service is forgotten."""
        wish = self._world.journal.wish(self._service)
        if wish is None:
            return None
        package = self._world.packages.by_digest(wish.definition)
        await self._keep_record(wish, package)
        snapshot = await self._look(wish, package)
        self._show(snapshot)
        if snapshot.plan.is_fulfilled:
            pause_s = self._fulfilled(wish)
            if due := self._due(snapshot.plan):  # in the background: no operation tracks it
                await self._execute(wish, package, due, None)
                return 0.0
            return pause_s
        self._expire_operations(snapshot)
        due = self._due(snapshot.plan)
        if not due:
            return self._patience(snapshot.plan)
        await self._execute(wish, package, due, next(iter(self._open_operations()), None))
        return 0.0

    def _due(self, decided: Plan) -> tuple[Step, ...]:
        return self._executor.due(decided.stages[0]) if decided.stages else ()

    async def _keep_record(self, wish: Wish, package: Package) -> None:
        if self._recorded == wish.generation:
            return
        if wish.want is Want.PURGED and not (await self._world.runtime.observe(wish)).recorded:
            return  # the purge has got that far already: nothing may come back
        self._world.failpoints.reach("before record")
        await self._world.runtime.record(wish, package)
        self._world.failpoints.reach("after record")
        self._recorded = wish.generation

    async def _look(self, wish: Wish, package: Package) -> Snapshot:
        observed = replace(
            await self._world.runtime.observe(wish),
            software=await self._world.software.present(package),
            secrets=await self._world.secrets.issued(wish.lineage),
        )
        now = self._world.clock.now()
        numbers, replaced = incarnations(wish, observed)
        desired = self._render(wish, package, numbers, replaced)
        decided = plan(desired, observed, now)
        faults = self._executor.held(decided.steps)
        return Snapshot(
            wish=wish,
            desired=desired,
            observed=observed,
            plan=decided,
            observed_at=now,
            waits=(*(str(wait) for wait in decided.waits), *faults.values()),
            faults=faults,
        )

    def _render(
        self, wish: Wish, package: Package, numbers: Mapping[str, int], replaced: frozenset[str]
    ) -> Desired:
        """Rendering is pure: the same arguments as in the last round give the same value."""
        arguments = (wish, dict(numbers), replaced)
        if self._rendered is None or self._rendered[0] != arguments:
            self._rendered = (arguments, render(wish, package, numbers, replaced))
        return self._rendered[1]

    def _show(self, snapshot: Snapshot) -> None:
        former = self.snapshot
        self.snapshot = snapshot
        self._looked.set()
        self._looked = asyncio.Event()
        seen = list(transitions(former.observed if former else None, snapshot.observed))
        for each in seen if former else ():
            self._event("member", each.severity, each.message, member=each.member)
        if seen or former is None or former.waits != snapshot.waits:
            self._notify()

    def _fulfilled(self, wish: Wish) -> float | None:
        if wish.want is not Want.PURGED:
            self._end_operations(wish.generation)
            return IDLE_POLL_S
        self._world.failpoints.reach("before forget")
        now = self._world.clock.now()
        done = [
            tracking.ended(each, OperationPhase.DONE, "", now) for each in self._open_operations()
        ]
        self._world.journal.forget(wish.service, done)
        self._world.failpoints.reach("after forget")
        self._notify()
        return None

    def _patience(self, decided: Plan) -> float:
        poll_s = BUSY_POLL_S if self._open_operations() else HEALING_POLL_S
        due_at = self._executor.next_due_at(decided.steps)
        if due_at is None or decided.waits:
            return poll_s
        return min(max(due_at - self._world.clock.now(), poll_s), IDLE_POLL_S)

    async def _execute(
        self, wish: Wish, package: Package, steps: tuple[Step, ...], operation: Operation | None
    ) -> None:
        now = self._world.clock.now()
        if operation is not None:
            operation = tracking.steps_started(operation, steps, now, self._waits())
            self._world.journal.put_operation(operation)
        self._notify()
        loop = asyncio.get_running_loop()
        progress = {describe(step): self._progress_of(describe(step), loop) for step in steps}
        outcomes = await self._unless_edited(self._executor.perform(wish, package, steps, progress))
        self._notes.clear()
        now = self._world.clock.now()
        if operation is not None:
            current = self._world.journal.operation(operation.id) or operation
            operation = tracking.steps_ended(
                replace(current, steps=operation.steps, waits=operation.waits), outcomes, now
            )
            self._world.journal.put_operation(operation)
        for outcome in outcomes:
            self._tell(outcome, operation)
        permanent = next((each for each in outcomes if each.is_permanent), None)
        if permanent is not None and operation is not None:
            self._fail_operations(str(permanent.fault))
        self._notify()

    async def _unless_edited(self, performing: Coroutine[Any, Any, list[Outcome]]) -> list[Outcome]:
        """Await the steps, but leave them when the wish changes: a stuck step blocks no newer wish.

        Steps are idempotent and are read back by the next observation, so leaving one is safe.
        """
        working = asyncio.ensure_future(performing)
        edited = asyncio.ensure_future(self._edited.wait())
        try:
            await asyncio.wait({working, edited}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                grace = asyncio.ensure_future(self._world.clock.sleep(GRACE_FOR_STEPS_S))
                await asyncio.wait({working, grace}, return_when=asyncio.FIRST_COMPLETED)
                grace.cancel()
            return working.result() if working.done() else []
        finally:
            edited.cancel()
            if not working.done():
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)

    def _waits(self) -> tuple[str, ...]:
        return self.snapshot.waits if self.snapshot else ()

    def _progress_of(self, name: str, loop: asyncio.AbstractEventLoop) -> Progress:
        def report(note: str, ratio: float | None) -> None:  # may be called from a thread
            self._notes[name] = (note, ratio)
            loop.call_soon_threadsafe(self._notify)

        return report

    def _tell(self, outcome: Outcome, operation: Operation | None) -> None:
        text = f"{describe(outcome.step)}: {outcome.step.because}"
        if outcome.fault is not None:
            text = f"{describe(outcome.step)} failed: {outcome.fault}"
        self._event(
            "step",
            "error" if outcome.fault else "info",
            text,
            member=getattr(outcome.step, "member", ""),
            operation=operation.id if operation else "",
        )

    # operations: tracking only

    def _open_operations(self) -> Sequence[Operation]:
        """Return those that this service's edits have open, newest first."""
        return self._world.journal.operations(service=self._service, open_only=True)

    def _end_operations(self, generation: int) -> None:
        for each in self._open_operations():
            if each.generation <= generation:
                self._close(each, OperationPhase.DONE, "")

    def _fail_operations(self, reason: str) -> None:
        for each in self._open_operations():
            self._close(each, OperationPhase.FAILED, reason)

    def _expire_operations(self, snapshot: Snapshot) -> None:
        for each in self._open_operations():
            if each.deadline_at and each.deadline_at < snapshot.observed_at:
                waits = "; ".join(snapshot.waits) or "steps still to take"
                self._close(each, OperationPhase.FAILED, f"its deadline passed; {waits}")
            elif each.waits != snapshot.waits:
                self._world.journal.put_operation(replace(each, waits=snapshot.waits))

    def _close(self, operation: Operation, phase: OperationPhase, reason: str) -> None:
        now = self._world.clock.now()
        self._world.journal.put_operation(tracking.ended(operation, phase, reason, now))
        severity = "error" if phase is OperationPhase.FAILED else "info"
        detail = f": {reason}" if reason else ""
        self._event(
            "operation", severity, f"{operation.verb} {phase}{detail}", operation=operation.id
        )
        self._notify()

    def _event(
        self, kind: str, severity: str, message: str, *, member: str = "", operation: str = ""
    ) -> None:
        self._world.journal.append_event(
            Event(
                at=self._world.clock.now(),
                service=self._service,
                member=member,
                kind=kind,
                severity=severity,
                message=message,
                operation=operation,
            )
        )
