"""Carry out steps: the only place that turns exceptions into outcomes.

A step that failed is not tried again before its time: a transient fault soon and ever later, a
permanent one once a minute, because only somebody's change can mend it. The planner knows
nothing of this; it plans the step again in every round, and :meth:`Executor.due` holds it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from freehold.definition.package import Package
from freehold.engine.describe import describe
from freehold.engine.plan import FetchSoftware, IssueSecrets, Step
from freehold.engine.wish import Wish
from freehold.execution.ports import (
    Clock,
    Failpoints,
    Progress,
    Runtime,
    SecretStore,
    SoftwareStore,
)
from freehold.foundation.errors import FreeholdError, PermanentFault, RefusedError, TransientFault

RETRY_PERMANENT_S = 60.0
LONGEST_RETRY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    step: Step
    fault: FreeholdError | None = None

    @property
    def is_permanent(self) -> bool:
        return self.fault is not None and not isinstance(self.fault, TransientFault | RefusedError)


@dataclass(frozen=True, slots=True)
class _Held:
    until: float
    attempts: int
    reason: str


class Executor:
    """Performs the steps of one service's rounds."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        software: SoftwareStore,
        secrets: SecretStore,
        clock: Clock,
        failpoints: Failpoints,
    ) -> None:
        self._runtime = runtime
        self._software = software
        self._secrets = secrets
        self._clock = clock
        self._failpoints = failpoints
        self._held: dict[str, _Held] = {}

    def due(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        """Return the steps that may be tried now."""
        now = self._clock.now()
        held = self._held
        return tuple(
            step
            for step in steps
            if describe(step) not in held or held[describe(step)].until <= now
        )

    def held(self, steps: Sequence[Step]) -> dict[str, str]:
        """Return why each of the steps failed last, by description."""
        names = (describe(step) for step in steps)
        return {name: self._held[name].reason for name in names if name in self._held}

    def next_due_at(self, steps: Sequence[Step]) -> float | None:
        times = [self._held[name].until for name in map(describe, steps) if name in self._held]
        return min(times, default=None)

    def release(self) -> None:
        """Forget all back-offs: the wish changed, so the causes may be gone."""
        self._held.clear()

    async def perform(
        self, wish: Wish, package: Package, steps: Sequence[Step], progress: dict[str, Progress]
    ) -> list[Outcome]:
        """Carry the steps of one stage out together; never raises for a step's failure."""
        return list(
            await asyncio.gather(
                *(self._attempt(wish, package, step, progress[describe(step)]) for step in steps)
            )
        )

    async def _attempt(
        self, wish: Wish, package: Package, step: Step, progress: Progress
    ) -> Outcome:
        name = describe(step)
        try:
            self._failpoints.reach(f"before {name}")
            await self._effect(wish, package, step, progress)
            self._failpoints.reach(f"after {name}")
        except FreeholdError as fault:
            self._hold(name, fault)
            return Outcome(step=step, fault=fault)
        except OSError as error:
            passing = TransientFault(f"cannot {name}: {error.strerror or error}")
            passing.__cause__ = error
            self._hold(name, passing)
            return Outcome(step=step, fault=passing)
        self._held.pop(name, None)
        return Outcome(step=step)

    async def _effect(self, wish: Wish, package: Package, step: Step, progress: Progress) -> None:
        match step:
            case FetchSoftware(version=version):
                await self._software.fetch(package, version, progress)
            case IssueSecrets(names=names):
                members = sorted({name.partition("@")[2] for name in names} - {""})
                addresses = await self._runtime.reserve(wish, members)
                await self._secrets.issue(wish, package, names, addresses)
            case _:
                await self._runtime.perform(step)

    def _hold(self, name: str, fault: FreeholdError) -> None:
        attempts = self._held[name].attempts + 1 if name in self._held else 1
        match fault:
            case TransientFault(retry_after_s=after):
                wait = min(after * 2 ** (attempts - 1), LONGEST_RETRY_S)
            case RefusedError():
                wait = min(2.0 ** (attempts - 1), LONGEST_RETRY_S)
            case PermanentFault() | _:
                wait = RETRY_PERMANENT_S
        self._held[name] = _Held(self._clock.now() + wait, attempts, str(fault))
