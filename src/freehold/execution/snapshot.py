"""What one round of the loop saw and decided, for whoever shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from freehold.engine.desired import Desired
from freehold.engine.observed import Observed, ObservedMember
from freehold.engine.plan import Plan
from freehold.engine.wish import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    wish: Wish
    desired: Desired
    observed: Observed
    plan: Plan
    observed_at: float  # unix seconds
    waits: tuple[str, ...] = ()  # the plan's, and steps that will be tried again
    faults: Mapping[str, str] = field(default_factory=dict)  # step -> why it failed last


@dataclass(frozen=True, slots=True)
class Transition:
    """A member changed between two observations."""

    member: str
    severity: str  # info | warning
    message: str


def transitions(before: Observed | None, after: Observed) -> Iterator[Transition]:
    """Yield what a person would want to read about the difference of two observations."""
    earlier = before.members if before else {}
    for name, member in after.members.items():
        old = earlier.get(name)
        if old is None or _state(old) != _state(member):
            bad = member.ready is False and old is not None and old.is_ready
            detail = f": {member.reason}" if member.reason else ""
            yield Transition(name, "warning" if bad else "info", f"is {_state(member)}{detail}")
        if old is not None and old.is_ready and old.role != member.role and member.role:
            yield Transition(name, "info", f"is {member.role} now")
    for name in earlier:
        if name not in after.members:
            yield Transition(name, "info", "is gone")


def _state(member: ObservedMember) -> str:
    if member.phase is None:
        return f"unknown ({member.reach})"
    return "ready" if member.is_ready else str(member.phase)
