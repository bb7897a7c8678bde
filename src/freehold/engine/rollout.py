"""Restart members in turn: for a new revision that needs it, or because a restart was asked for.

Rules, strongest first:

1. By our own act no more members of a group are down than the definition allows, and never fewer
   ready than its quorum. Where even one restart breaks the quorum (the only member, two of two)
   it happens alone, while all others are ready, and the plan says that it interrupts.
2. Whoever had its turn must be ready on what it accepted before the next has its turn: a bad
   revision stops at the first member. A crash is no turn.
3. Members that are not ready come first, they cost nothing; the leader comes last, after its
   switchover.
4. Ready members are left alone while another joins (an hour at most), hands over or is rebuilt.
5. Where the quorum is lost anyway and a member has not been ready for two minutes, it has its
   turn without waiting: the change may be the cure, and waiting for health would prevent it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from freehold.engine.attempts import attempts_at
from freehold.engine.configuration import configure, needs_restart_for
from freehold.engine.describe import subject
from freehold.engine.desired import DesiredComponent, DesiredMember
from freehold.engine.observed import ObservedMember
from freehold.engine.plan import Act, Plan, Provision, Restart, Step, Stop, Wait
from freehold.engine.situation import JOIN_PATIENCE_S, Situation, is_settled, readiness
from freehold.foundation.member import Phase

CURE_AFTER_S = 120.0


@dataclass
class _Group:
    """One group on its way; ``turns`` are the steps planned for it so far."""

    situation: Situation
    component: DesiredComponent
    members: dict[str, DesiredMember]
    down: set[str]  # established members that are not settled, or go down in this plan
    pending: list[ObservedMember]
    established: int
    turns: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    @property
    def most_down(self) -> int:
        """At least one, or nothing could ever be restarted."""
        return max(1, self.component.down_at_once)


def plan_rollout(situation: Situation, before: Plan) -> Plan:
    """Return the turns that members may take now, beside the steps in ``before``."""
    steps: list[Step] = []
    waits: list[Wait] = []
    for component, members in situation.groups:
        group = _group(situation, component, members, before)
        if not group.pending:
            continue
        _turns_of_the_down(group)
        _turns_of_the_ready(group, _obstacle(situation, component, before))
        steps.extend(group.turns)
        waits.extend(group.waits)
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def _group(
    situation: Situation,
    component: DesiredComponent,
    members: tuple[DesiredMember, ...],
    before: Plan,
) -> _Group:
    established = situation.established(members)
    stopping = {step.member for step in before.steps if isinstance(step, Stop)}
    pending = [
        seen
        for member in members
        if (seen := situation.in_place(member)) is not None
        and seen.initialised
        and seen.run is not False
        and (_is_asked(situation, seen) or needs_restart_for(member, seen))
    ]
    down = {m.name for m in established if not is_settled(m) or m.name in stopping}
    by_name = {member.name: member for member in members}
    return _Group(situation, component, by_name, down, pending, len(established))


def _is_asked(situation: Situation, seen: ObservedMember) -> bool:
    """Stamps sort by time: a restart that was taken back is not carried out again."""
    return max(seen.restart, seen.restart_ordered) < situation.desired.restart


def _obstacle(situation: Situation, component: DesiredComponent, before: Plan) -> str:
    """Return why no ready member of the component may be restarted now; "" when it may."""
    names = {member.name for member in component.members}
    for step in before.steps:
        if isinstance(step, Provision) and step.member in names:
            return f"{step.member} to be made"
    if departing := situation.departing(component.name):
        return f"{departing[0].name} to end its hand-over"
    for member in situation.joining(component):
        joins = member.phase in (Phase.STARTING, Phase.RUNNING)
        since = situation.now if member.started_at is None else member.started_at
        if joins and situation.now - since < JOIN_PATIENCE_S:
            return f"{member.name} to have joined"
    return ""


def _turns_of_the_down(group: _Group) -> None:
    """Members that are not ready: restarting them costs nothing, but each needs its turn."""
    pending = {member.name for member in group.pending}
    in_turn = sorted(group.down - pending)
    ready = group.established - len(group.down)
    for member in group.pending:
        if member.name not in group.down:
            continue
        free = len(in_turn) + len(group.turns) < group.most_down
        unready_since = member.unready_since
        is_cure = (
            ready < group.component.quorum
            and unready_since is not None
            and group.situation.now - unready_since > CURE_AFTER_S
        )
        if free or is_cure:
            _take_turn(group, member)
        else:
            first = in_turn[0] if in_turn else subject(group.turns[0])
            group.waits.append(Wait(subject=member.name, what=f"{first} to be ready: one by one"))


def _turns_of_the_ready(group: _Group, obstacle: str) -> None:
    component = group.component
    ready = group.established - len(group.down)
    lead = component.leader
    up = [member for member in group.pending if member.name not in group.down]
    up.sort(key=lambda member: (bool(lead) and member.role == lead, member.ordinal))
    going = 0
    for member in up:
        least = min(component.quorum, group.established - 1)
        fits = len(group.down) + going < group.most_down and ready - going - 1 >= least
        if obstacle or not fits:
            what = obstacle or _gate(group)
            group.waits.append(Wait(subject=member.name, what=what))
            continue
        is_leader = bool(lead) and member.role == lead
        if is_leader and len(group.pending) > 1:
            what = "the others to be restarted first: it leads"
            group.waits.append(Wait(subject=member.name, what=what))
            continue
        before = len(group.turns)
        if not is_leader or _is_handed_over(group, member):
            interrupts = ready - going - 1 < component.quorum
            _take_turn(group, member, "; this interrupts the service" if interrupts else "")
        going += len(group.turns) - before


def _gate(group: _Group) -> str:
    names = sorted(group.down) or [subject(step) for step in group.turns]
    for name in names:
        seen = group.situation.seen(name)
        if seen is not None and not is_settled(seen):
            return f"{name}: {readiness(seen)}"
    return f"{names[0]} to be ready again" if names else "a quorum without it"


def _is_handed_over(group: _Group, leader: ObservedMember) -> bool:
    """Order the switchover ahead of the leader's restart; True when there is nothing (left) to do."""
    situation, component = group.situation, group.component
    action = situation.desired.switchover.get(component.name)
    if not action or group.established < 2:
        return True
    wanted = group.members[leader.name].revision + situation.desired.restart
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:12]
    base = f"switchover:{leader.name}:{leader.incarnation}:{digest}"
    tried = attempts_at(base, [(leader, state) for state in leader.actions.values()], situation.now)
    if tried.is_done:
        return True
    if tried.next_key:
        group.turns.append(
            Act(
                service=situation.desired.service,
                member=leader.name,
                action=action,
                key=tried.next_key,
                because="leads its group and is to be restarted",
            )
        )
    else:
        group.waits.append(Wait(subject=leader.name, what=f"{action}: {tried.what}"))
    return False


def _take_turn(group: _Group, seen: ObservedMember, more: str = "") -> None:
    situation, member = group.situation, group.members[seen.name]
    if needs_restart_for(member, seen):
        if situation.equipped:
            group.turns.append(configure(situation, member, seen, more))
        else:
            group.waits.append(Wait(subject=seen.name, what="software and secrets"))
        return
    stamp = situation.desired.restart
    group.turns.append(
        Restart(
            service=situation.desired.service,
            member=seen.name,
            stamp=stamp,
            because=f"a restart was asked for{more}",
        )
    )
