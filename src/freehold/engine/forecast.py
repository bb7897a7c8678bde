"""What all rounds would do when everything goes well: the whole plan that ``--dry-run`` shows.

Pure: each foreseen step is applied to a copy of the observation, optimistically and at once, and
the planner is asked again, until it has nothing more to do. The real way may differ, because the
real rounds look again; the end is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from freehold.engine.desired import Desired
from freehold.engine.observed import KeptVolumes, Observed, ObservedMember, Reach
from freehold.engine.plan import (
    Act,
    CancelAct,
    Configure,
    DestroyVolumes,
    FetchSoftware,
    Forget,
    IssueSecrets,
    Provision,
    Restart,
    Retire,
    Revive,
    Start,
    Step,
    Stop,
)
from freehold.engine.planner import plan
from freehold.engine.situation import Situation
from freehold.engine.wish import Want
from freehold.foundation.member import ActionPhase, ActionState, Certificate, MemberSpec, Phase

MOST_ROUNDS = 2000
ROUND_S = 60.0  # so far apart are the foreseen rounds: back-offs have passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    step: Step
    stage: int  # counted from 1 over all rounds
    interrupts: bool  # a client may notice more than a reconnect


def foresee(
    desired_of: Callable[[Observed], Desired], observed: Observed, now: float
) -> tuple[Foreseen, ...]:
    """Return every step from ``observed`` to the fulfilled wish, in order.

    Args:
        desired_of: renders the wish for an observation (incarnations depend on it).
        now: unix seconds.
    """
    found: list[Foreseen] = []
    stage = 0
    for number in range(MOST_ROUNDS):
        at = now + number * ROUND_S
        desired = desired_of(observed)
        planned = plan(desired, observed, at)
        if planned.is_fulfilled or observed.unknown:
            break
        if planned.stages:
            stage += 1
            steps = planned.stages[0]
            found.extend(
                Foreseen(step=s, stage=stage, interrupts=interrupts(s, desired, observed))
                for s in steps
            )
            for step in steps:
                observed = apply(step, observed, desired, at)
        settled = _calm(observed, at)
        if settled == observed and not planned.stages:
            break  # it waits for something that only a person can give
        observed = settled
    return tuple(found)


def interrupts(step: Step, desired: Desired, observed: Observed) -> bool:
    """Say whether a group serves with fewer than its quorum during the step."""
    if not isinstance(step, Stop | Restart | Configure):
        return False
    if isinstance(step, Configure) and not step.restarts:
        return False
    if desired.want is not Want.RUNNING:
        return isinstance(step, Stop)
    situation = Situation(desired, observed, 0.0)
    for component, group in situation.groups:
        names = {member.name for member in group}
        if step.member in names:
            ready = {n for n in names if (m := situation.seen(n)) is not None and m.is_ready}
            return step.member in ready and len(ready) - 1 < component.quorum
    return False


def apply(step: Step, observed: Observed, desired: Desired, now: float) -> Observed:
    """Return the observation as it would be after the step succeeded."""
    match step:
        case FetchSoftware(version=version):
            after = replace(observed, software=observed.software | {version})
        case IssueSecrets(names=names):
            after = replace(observed, secrets=observed.secrets.union(names))
        case Provision():
            after = _provisioned(step, observed, desired)
        case Retire():
            after = _retired(step, observed)
        case DestroyVolumes(uid=uid):
            after = replace(observed, kept=tuple(k for k in observed.kept if k.uid != uid))
        case Forget():
            after = replace(observed, recorded=False)
        case Start() | Stop() | Restart() | Configure() | Act() | CancelAct() | Revive():
            member = observed.members[step.member]
            changed = {**observed.members, step.member: _changed(step, member, now)}
            after = replace(observed, members=changed)
    return after


def _changed(
    step: Start | Stop | Restart | Configure | Act | CancelAct | Revive,
    member: ObservedMember,
    now: float,
) -> ObservedMember:
    match step:
        case Start(stamp=stamp):
            after = _running(replace(member, run=True, restart=max(member.restart, stamp)))
        case Stop():
            after = _stopped(replace(member, run=False))
        case Restart(stamp=stamp):
            after = replace(member, restart=stamp)
        case Configure(spec=spec, stamp=stamp):
            taken = _accepted(replace(member, restart=max(member.restart, stamp)), spec)
            after = _running(taken) if taken.run else taken
        case Act(key=key, action=action):
            after = _acted(member, ActionState(key=key, action=action, phase=ActionPhase.DONE))
        case CancelAct(key=key):
            state = ActionState(key=key, action="", phase=ActionPhase.CANCELLED, ended_at=now)
            after = _acted(member, state)
        case Revive():
            after = replace(member, reach=Reach.ANSWERS, run=member.run is not False)
    return after


def _calm(observed: Observed, now: float) -> Observed:
    """What is on its way arrives: actions end, what runs is ready, what stops has stopped."""
    members = {}
    for name, member in observed.members.items():
        for state in member.actions.values():
            if state.phase is ActionPhase.RUNNING:
                done = replace(state, phase=ActionPhase.DONE, ended_at=now)
                member = _acted(member, done)  # noqa: PLW2901  the member as it becomes
        if member.reach is not Reach.ANSWERS:
            members[name] = replace(member, reach=Reach.ANSWERS)
        elif member.phase is Phase.FENCED:
            members[name] = member
        else:
            members[name] = _stopped(member) if member.run is False else _running(member)
    return replace(observed, members=members)


def _acted(member: ObservedMember, state: ActionState) -> ObservedMember:
    return replace(member, actions={**member.actions, state.key: state})


def _accepted(member: ObservedMember, spec: MemberSpec) -> ObservedMember:
    return replace(member, revision_accepted=spec.revision, restart_hash=spec.restart_hash)


def _running(member: ObservedMember) -> ObservedMember:
    return replace(
        member,
        run=True,
        phase=Phase.RUNNING,
        certificate=Certificate.HELD,
        ready=True,
        unready_since=None,
        initialised=True,
        revision_running=member.revision_accepted,
    )


def _stopped(member: ObservedMember) -> ObservedMember:
    return replace(
        member,
        phase=Phase.STOPPED,
        certificate=Certificate.FREE,
        ready=False,
        revision_running="",
    )


def _provisioned(step: Provision, observed: Observed, desired: Desired) -> Observed:
    wanted = next(member for member in desired.members if member.name == step.member)
    back = [k for k in observed.kept if _is_same(k, step)]
    member = ObservedMember(
        name=step.member,
        component=wanted.component,
        group=wanted.group,
        ordinal=wanted.ordinal,
        uid=back[0].uid if back else f"new:{step.member}:{step.spec.incarnation}",
        incarnation=step.spec.incarnation,
        reach=Reach.ANSWERS,
        certificate=Certificate.FREE,
        phase=Phase.STOPPED,
        run=False,
        restart=step.stamp,
        initialised=bool(back),
    )
    members = {**observed.members, step.member: _accepted(member, step.spec)}
    kept = tuple(k for k in observed.kept if not _is_same(k, step))
    return replace(observed, members=members, kept=kept)


def _is_same(kept: KeptVolumes, step: Provision) -> bool:
    return kept.member == step.member and kept.incarnation == step.spec.incarnation


def _retired(step: Retire, observed: Observed) -> Observed:
    member = observed.members.get(step.member)
    if member is None:
        return observed
    kept = KeptVolumes(
        member=step.member,
        uid=step.uid,
        incarnation=member.incarnation,
        retirement=step.retirement,
    )
    members = {name: each for name, each in observed.members.items() if name != step.member}
    return replace(observed, members=members, kept=(*observed.kept, kept))
