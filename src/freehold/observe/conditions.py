"""Say in one word how a service is, and in conditions why.

Pure. Nothing here claims health that no probe has shown: when enough members are unknown that
the answer could be either way, the answer is ``unknown``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from freehold.engine.desired import Desired, DesiredComponent
from freehold.engine.observed import Observed
from freehold.engine.plan import Plan
from freehold.engine.wish import Want, Wish
from freehold.foundation.quantities import format_duration
from freehold.observe.members import MemberLine, MemberState, list_members

STALE_AFTER_S = 60.0  # an older observation says nothing about now


class ServiceState(StrEnum):
    READY = "ready"
    DEGRADED = "degraded"  # serves, with less than was asked for
    UNAVAILABLE = "unavailable"  # provably below quorum
    STARTING = "starting"
    CHANGING = "changing"
    STOPPED = "stopped"
    UNINSTALLED = "uninstalled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Everything known of one service at one moment; the input of every view."""

    wish: Wish
    desired: Desired | None = None
    observed: Observed | None = None
    observed_at: float = 0.0
    plan: Plan | None = None
    waits: tuple[str, ...] = ()  # the plan's, and steps that failed and will be tried again
    now: float = 0.0

    @property
    def lines(self) -> list[MemberLine]:
        if self.observed is None:
            return []
        return list_members(self.wish.want, self.desired, self.observed)

    @property
    def blind(self) -> str:
        """Why nothing can be said of the service now; empty when something can."""
        if self.observed is None:
            return "has not been observed yet"
        if self.observed.unknown:
            return self.observed.unknown
        age = self.now - self.observed_at
        if age > STALE_AFTER_S:
            return f"was last observed {format_duration(age)} ago"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    type: str
    status: str  # "True" | "False" | "Unknown"
    reason: str  # one CamelCase word for machines
    message: str
    observed_generation: int
    since: float | None = None


def state_of_service(sight: Sight) -> tuple[ServiceState, str]:
    """Return the word and the reason."""
    want, lines = sight.wish.want, sight.lines
    if sight.blind:
        return ServiceState.UNKNOWN, sight.blind
    if want is Want.RUNNING:
        return _running(sight, lines)
    if want is Want.STOPPED:
        return _stopped(lines)
    if want is Want.UNINSTALLED and not lines:
        return ServiceState.UNINSTALLED, "volumes and secrets are kept"
    doing = "purged" if want is Want.PURGED else "uninstalled"
    return ServiceState.CHANGING, f"is being {doing}"


def _stopped(lines: Sequence[MemberLine]) -> tuple[ServiceState, str]:
    moving = [each for each in lines if each.state is not MemberState.STOPPED]
    if not moving:
        return ServiceState.STOPPED, ""
    return ServiceState.CHANGING, f"{_first(moving)} has not stopped yet"


def _running(sight: Sight, lines: Sequence[MemberLine]) -> tuple[ServiceState, str]:
    lacking = [each for each in lines if each.wanted and each.state is not MemberState.READY]
    if not lacking:
        return _all_ready(sight)
    because = f"{_first(lacking)} is {lacking[0].state}"
    if lacking[0].reason:
        because = f"{because}: {lacking[0].reason}"
    components = sight.desired.components if sight.desired else ()
    if all(_has_quorum(component, lines) for component in components):
        return ServiceState.DEGRADED, because
    if not any(each.seen and each.seen.initialised for each in lines):
        return ServiceState.STARTING, because
    if all(_may_have_quorum(component, lines) for component in components):
        return ServiceState.UNKNOWN, because
    on_their_way = {MemberState.STARTING, MemberState.JOINING, MemberState.STOPPED}
    if all(each.state in on_their_way | {MemberState.MISSING} for each in lacking):
        return ServiceState.STARTING, because
    return ServiceState.UNAVAILABLE, because


def _all_ready(sight: Sight) -> tuple[ServiceState, str]:
    if sight.plan is None or sight.plan.is_fulfilled:
        return ServiceState.READY, ""
    if sight.waits:
        return ServiceState.CHANGING, sight.waits[0]
    return ServiceState.CHANGING, sight.plan.steps[0].because if sight.plan.steps else ""


def _first(lines: Sequence[MemberLine]) -> str:
    return lines[0].name


def _groups(component: DesiredComponent, lines: Sequence[MemberLine]) -> list[list[MemberLine]]:
    groups: dict[int, list[MemberLine]] = {}
    for line in lines:
        if line.wanted is not None and line.component == component.name:
            groups.setdefault(line.wanted.group, []).append(line)
    return list(groups.values())


def _has_quorum(component: DesiredComponent, lines: Sequence[MemberLine]) -> bool:
    least = max(1, component.quorum)
    return all(_count(group, MemberState.READY) >= least for group in _groups(component, lines))


def _may_have_quorum(component: DesiredComponent, lines: Sequence[MemberLine]) -> bool:
    least = max(1, component.quorum)
    return all(
        _count(group, MemberState.READY) + _count(group, MemberState.UNKNOWN) >= least
        for group in _groups(component, lines)
    )


def _count(lines: Sequence[MemberLine], state: MemberState) -> int:
    return sum(line.state is state for line in lines)


def conditions(sight: Sight) -> list[Condition]:
    """Return Ready, Progressing and Degraded, each with the generation it speaks of."""
    state, reason = state_of_service(sight)
    seen = sight.wish.generation if sight.observed is not None else 0
    if sight.desired is not None:
        seen = sight.desired.generation
    unknown = state is ServiceState.UNKNOWN

    def condition(kind: str, holds: bool, word: str, since: float | None = None) -> Condition:
        status = "Unknown" if unknown else str(holds)
        return Condition(
            type=kind,
            status=status,
            reason="Unknown" if unknown else word,
            message=reason,
            observed_generation=seen,
            since=since,
        )

    serves = state in {ServiceState.READY, ServiceState.DEGRADED, ServiceState.CHANGING}
    serves = serves and sight.wish.want is Want.RUNNING
    moves = sight.plan is not None and not sight.plan.is_fulfilled
    short = state in {ServiceState.DEGRADED, ServiceState.UNAVAILABLE}
    word = state.value.capitalize()
    return [
        condition("Ready", serves, word, _ready_since(sight) if serves else None),
        condition("Progressing", moves, "Planned" if moves else "Fulfilled"),
        condition("Degraded", short, word if short else "AsWished"),
    ]


def _ready_since(sight: Sight) -> float | None:
    """Since when the last of the ready members has been ready."""
    times = [
        line.seen.ready_since
        for line in sight.lines
        if line.state is MemberState.READY and line.seen and line.seen.ready_since is not None
    ]
    return max(times, default=None)


def survives(sight: Sight, declared: str) -> str:
    """Return what the service outlives right now, in one sentence; empty when it does not run.

    ``declared`` is the package's own sentence for members that share a failure domain.
    """
    if sight.desired is None or sight.wish.want is not Want.RUNNING:
        return ""
    spare = _spare(sight.desired, sight.lines)
    if spare is None or sight.blind:
        return "not known now"
    if spare > 0:
        return declared or f"the loss of {spare} member{'s' if spare > 1 else ''}"
    if all(len(component.members) <= 1 for component in sight.desired.components):
        return "a restart of its only member, not its loss"
    return "no further loss: members are missing"


def _spare(desired: Desired, lines: Sequence[MemberLine]) -> int | None:
    """Ready members beyond the quorum, of the weakest group; None when nobody can tell."""
    weakest: list[int] = []
    for component in desired.components:
        for group in _groups(component, lines):
            if _count(group, MemberState.UNKNOWN):
                return None
            weakest.append(_count(group, MemberState.READY) - max(1, component.quorum))
    return min(weakest, default=0)


def survives_when_ready(desired: Desired, declared: str) -> str:
    """Return what the service will outlive once every wanted member is ready: for plans."""
    spare = min((len(each.members) - max(1, each.quorum) for each in desired.components), default=0)
    if spare > 0:
        return declared or f"the loss of {spare} member{'s' if spare > 1 else ''}"
    return "a restart of its only member, not its loss"
