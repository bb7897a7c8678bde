"""What all rules look at: the wanted and the seen side by side, and a few words for both.

Everything here answers a question about one round; nothing decides.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from freehold.engine.desired import Desired, DesiredComponent, DesiredMember
from freehold.engine.observed import Observed, ObservedMember, Reach, Retirement
from freehold.foundation.member import ActionPhase, ActionState, Phase

JOIN_PATIENCE_S = 3600.0  # so long a joining member holds back restarts of the others


class Leaving(StrEnum):
    """How far a member's hand-over is."""

    NO = "no"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # or cancelled


@dataclass(frozen=True)
class Situation:
    desired: Desired
    observed: Observed
    now: float  # unix seconds

    @cached_property
    def wanted(self) -> dict[str, DesiredMember]:
        return {member.name: member for member in self.desired.members}

    @cached_property
    def groups(self) -> tuple[tuple[DesiredComponent, tuple[DesiredMember, ...]], ...]:
        """Every group of wanted members with its component."""
        return tuple(
            (component, tuple(m for m in component.members if m.group == number))
            for component in self.desired.components
            for number in sorted({m.group for m in component.members})
        )

    @cached_property
    def extras(self) -> tuple[ObservedMember, ...]:
        """Members that are there and not wanted, highest ordinal first."""
        found = (m for m in self.observed.members.values() if m.name not in self.wanted)
        return tuple(sorted(found, key=lambda m: (m.component, -m.ordinal)))

    @cached_property
    def equipped(self) -> bool:
        """Software and secrets of the wanted version are there."""
        return self.desired.version in self.observed.software and (
            self.observed.secrets.issuperset(self.desired.secrets)
        )

    def seen(self, name: str) -> ObservedMember | None:
        return self.observed.members.get(name)

    def in_place(self, member: DesiredMember) -> ObservedMember | None:
        """Return the member as seen when it may be cared for: answering, and neither going,
        fenced nor of a former incarnation."""
        seen = self.seen(member.name)
        if seen is None or seen.reach is not Reach.ANSWERS or seen.phase is Phase.FENCED:
            return None
        if seen.incarnation != member.incarnation or self.is_going(seen):
            return None
        return seen

    def established(self, members: Iterable[DesiredMember]) -> list[ObservedMember]:
        """Return those that have been ready once in this incarnation and are not going.

        One that cannot be asked counts: it most likely has been, and what is not known must not
        make a quorum look smaller.
        """
        return [
            seen
            for member in members
            if (seen := self.seen(member.name)) is not None
            and (seen.initialised or seen.reach is not Reach.ANSWERS)
            and not self.is_going(seen)
        ]

    def leave_attempts(self, member: ObservedMember) -> dict[str, ActionState]:
        prefix = f"leave:{member.name}:{member.incarnation}:"
        return {key: state for key, state in member.actions.items() if key.startswith(prefix)}

    def leaving(self, member: ObservedMember) -> Leaving:
        phases = {state.phase for state in self.leave_attempts(member).values()}
        if ActionPhase.RUNNING in phases:
            return Leaving.RUNNING
        if ActionPhase.DONE in phases:
            return Leaving.DONE
        return Leaving.FAILED if phases else Leaving.NO

    def is_going(self, member: ObservedMember) -> bool:
        return self.leaving(member) in (Leaving.RUNNING, Leaving.DONE)

    def departing(self, component: str) -> list[ObservedMember]:
        """Return members of the component that are handing over now."""
        return [
            member
            for _, member in sorted(self.observed.members.items())
            if member.component == component and self.leaving(member) is Leaving.RUNNING
        ]

    def joining(self, component: DesiredComponent) -> list[ObservedMember]:
        """Return later members that were started and have never been ready yet."""
        return [
            seen
            for member in component.members
            if not member.founder
            and (seen := self.seen(member.name)) is not None
            and seen.run is not False
            and not seen.initialised
            and seen.incarnation == member.incarnation
        ]

    def join_queue(self, component: DesiredComponent) -> list[str]:
        """Return the later members that have not been ready yet: started ones, made ones, missing
        ones, each by ordinal. The first has the turn."""
        return self._queues[component.name]

    @cached_property
    def _queues(self) -> dict[str, list[str]]:
        return {each.name: self._queue(each) for each in self.desired.components}

    def _queue(self, component: DesiredComponent) -> list[str]:
        queue: list[tuple[int, int, str]] = []
        for member in component.members:
            seen = self.seen(member.name)
            if member.founder or self.comes_back(member):
                continue
            if seen is None:
                queue.append((2, member.ordinal, member.name))
            elif not seen.initialised and not self.is_going(seen):
                queue.append((1 if seen.run is False else 0, member.ordinal, member.name))
        return [name for _, _, name in sorted(queue)]

    def comes_back(self, member: DesiredMember) -> bool:
        """Its volumes were kept by an uninstall: it needs no joining."""
        return (member.name, member.incarnation) in self._kept_as_they_are

    @cached_property
    def _kept_as_they_are(self) -> frozenset[tuple[str, int]]:
        return frozenset(
            (kept.member, kept.incarnation)
            for kept in self.observed.kept
            if kept.retirement is Retirement.NONE
        )

    def actions_of(self, component: str) -> list[tuple[ObservedMember, ActionState]]:
        return [
            (member, state)
            for _, member in sorted(self.observed.members.items())
            if member.component == component
            for state in member.actions.values()
        ]

    def is_formed(self, component: DesiredComponent) -> bool:
        """The first boot is complete: its duty is done, or somebody has joined since."""
        keys = [
            f"formed:{self.desired.lineage}"
            for duty in self.desired.duties
            if duty.when == "formed" and duty.component == component.name
        ]
        if not keys:
            return True
        if any(
            state.phase is ActionPhase.DONE and state.key.partition("#")[0] in keys
            for _, state in self.actions_of(component.name)
        ):
            return True
        later = [member for member in component.members if not member.founder]
        return bool(self.established(later))


def is_settled(member: ObservedMember) -> bool:
    """Ready, and running what it accepted: a restored last-good set does not count."""
    if member.restart_ordered > member.restart:
        return False  # it is about to go down
    return member.is_ready and member.revision_running == member.revision_accepted


def is_stopped(member: ObservedMember) -> bool:
    return member.run is False and member.phase in (Phase.STOPPED, Phase.FENCED)


def readiness(member: ObservedMember) -> str:
    """Return what a member that is not settled is waited for, with its own reason."""
    if member.reach is not Reach.ANSWERS:
        return f"its agent to answer ({member.reach})"
    detail = f": {member.reason}" if member.reason else ""
    if member.is_ready and member.restart_ordered > member.restart:
        return f"the restart that was ordered{detail}"
    if member.is_ready:
        return f"its accepted configuration to run{detail}"
    return f"readiness ({member.phase or 'unknown'}{detail})"
