"""Say in one word what a member is doing, from what the runtime saw of it.

Pure. A word is claimed only when somebody saw it: a member whose agent is silent is ``unknown``
even when its last word was "ready", because nobody has asked the software since.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from freehold.engine.desired import Desired, DesiredMember
from freehold.engine.observed import Observed, ObservedMember, Reach
from freehold.engine.wish import Want
from freehold.foundation.member import Certificate, Phase


class MemberState(StrEnum):
    READY = "ready"
    STARTING = "starting"
    JOINING = "joining"  # starting for the first time, after the founders
    LEAVING = "leaving"  # there, but no longer wanted
    STOPPED = "stopped"
    STOPPING = "stopping"
    DOWN = "down"  # wanted, and provably not serving
    BACKOFF = "backoff"
    FENCED = "fenced"
    MISSING = "missing"  # wanted, and not made yet
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLine:
    """One member, wanted or there, with the word for it and the reason."""

    name: str
    component: str
    state: MemberState
    reason: str
    wanted: DesiredMember | None
    seen: ObservedMember | None

    @property
    def up_to_date(self) -> bool:
        """The member runs what is wanted of it; a member that does not run has nothing to show."""
        if self.wanted is None or self.seen is None:
            return self.wanted is None
        running = self.seen.revision_running or self.seen.revision_accepted
        return running == self.wanted.revision


def list_members(want: Want, desired: Desired | None, observed: Observed) -> list[MemberLine]:
    """Return wanted members by ordinal, then those that are there and should go."""
    return [*_wanted(want, desired, observed), *_extra(desired, observed)]


def _wanted(want: Want, desired: Desired | None, observed: Observed) -> Iterator[MemberLine]:
    gone = want in {Want.UNINSTALLED, Want.PURGED}
    for member in desired.members if desired else ():
        seen = observed.members.get(member.name)
        if seen is None:
            if not gone:
                yield MemberLine(
                    name=member.name,
                    component=member.component,
                    state=MemberState.MISSING,
                    reason="has not been made yet",
                    wanted=member,
                    seen=None,
                )
            continue
        state, reason = state_of(seen, want=want, founder=member.founder)
        yield MemberLine(
            name=member.name,
            component=member.component,
            state=MemberState.LEAVING if gone and state is MemberState.READY else state,
            reason=reason,
            wanted=member,
            seen=seen,
        )


def _extra(desired: Desired | None, observed: Observed) -> Iterator[MemberLine]:
    wanted = {member.name for member in desired.members} if desired else set()
    extra = [seen for name, seen in observed.members.items() if name not in wanted]
    for seen in sorted(extra, key=lambda each: (each.component, each.ordinal)):
        state, reason = state_of(seen, want=Want.RUNNING, founder=True)
        leaves = state in {MemberState.READY, MemberState.STARTING, MemberState.DOWN}
        yield MemberLine(
            name=seen.name,
            component=seen.component,
            state=MemberState.LEAVING if leaves else state,
            reason=reason or "is no longer wanted",
            wanted=None,
            seen=seen,
        )


def state_of(seen: ObservedMember, *, want: Want, founder: bool) -> tuple[MemberState, str]:
    """Return the word and the reason for one member that exists."""
    match seen.reach:
        case Reach.SILENT:
            return MemberState.UNKNOWN, seen.reason or "its agent does not answer"
        case Reach.GONE:
            return _without_agent(seen, want)
        case Reach.ANSWERS:
            return _as_agent_says(seen, want=want, founder=founder)


def _without_agent(seen: ObservedMember, want: Want) -> tuple[MemberState, str]:
    if seen.certificate is not Certificate.FREE:
        return MemberState.UNKNOWN, "its agent is gone; the software may still run"
    if want is Want.RUNNING and seen.run is not False:
        return MemberState.DOWN, seen.reason or "its agent is gone, the software is not running"
    return MemberState.STOPPED, seen.reason


_IF_SILENT_ON_WHY = {
    Phase.FENCED: "its incarnation was revoked",
    Phase.BACKOFF: "died and will be started again",
    Phase.WAITING: "cannot start yet",
}


def _as_agent_says(seen: ObservedMember, *, want: Want, founder: bool) -> tuple[MemberState, str]:
    if seen.phase is None:
        return MemberState.UNKNOWN, seen.reason or "its agent has not said"
    if seen.phase is Phase.RUNNING:
        return _by_probe(seen)
    down = want is Want.RUNNING and seen.run is True
    joins = not founder and not seen.initialised
    word = {
        Phase.FENCED: MemberState.FENCED,
        Phase.STOPPED: MemberState.DOWN if down else MemberState.STOPPED,
        Phase.STOPPING: MemberState.STOPPING,
        Phase.BACKOFF: MemberState.BACKOFF,
        Phase.WAITING: MemberState.DOWN,
        Phase.STARTING: MemberState.JOINING if joins else MemberState.STARTING,
    }[seen.phase]
    return word, seen.reason or _IF_SILENT_ON_WHY.get(seen.phase, "")


def _by_probe(seen: ObservedMember) -> tuple[MemberState, str]:
    if seen.ready is None:
        return MemberState.UNKNOWN, seen.reason or "its readiness is not known"
    if seen.ready:
        return MemberState.READY, seen.reason
    return MemberState.DOWN, seen.reason or "its ready probe fails"
