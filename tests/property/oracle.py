"""Judge a plan by the truth of the simulated place: what must never be planned, in any world.

Written apart from the rules on purpose: it knows the promises, not how they are kept.
"""

from __future__ import annotations

from freehold.engine.desired import Desired, DesiredComponent, DesiredMember
from freehold.engine.observed import Reach
from freehold.engine.plan import (
    Act,
    Configure,
    DestroyVolumes,
    Forget,
    Plan,
    Provision,
    Restart,
    Retire,
    Start,
    Stop,
)
from freehold.engine.wish import Want
from freehold.foundation.member import ActionPhase, Certificate
from freehold.runtimes.simulated import SimulatedMember, SimulatedWorld

CURE_AFTER_S = 120.0


def judge(desired: Desired, world: SimulatedWorld, planned: Plan, now: float) -> None:
    assert all(step.because for step in planned.steps)
    stage = planned.stages[0] if planned.stages else ()
    assert not (world.unknown and stage), "nothing is planned on what could not be asked"
    members = world.members(desired.service)
    _judge_destruction(desired, world, planned)
    _judge_background(desired, members, planned)
    if desired.want is not Want.RUNNING:
        assert not any(isinstance(s, Provision | Start | Restart | Configure) for s in stage)
        return
    for component in desired.components:
        for number in {member.group for member in component.members}:
            group = [m for m in component.members if m.group == number]
            _judge_group(component, group, members, planned, now)
        _judge_joins(component, members, planned)
    _judge_departures(desired, members, planned)


def _judge_destruction(desired: Desired, world: SimulatedWorld, planned: Plan) -> None:
    members = world.members(desired.service)
    for step in planned.steps:
        if isinstance(step, DestroyVolumes | Forget):
            assert desired.want is Want.PURGED
            assert step.lineage == desired.lineage
            assert not members, "volumes go only when no member exists"
        if isinstance(step, Retire):
            assert members[step.member].certificate is Certificate.FREE
            assert members[step.member].uid == step.uid


def _judge_background(desired: Desired, members: dict[str, SimulatedMember], planned: Plan) -> None:
    """What nobody waits for comes when nothing else is to do, on one that is up, and not for ever."""
    assert not any("settled" in wait.subject for wait in planned.waits), planned
    settled = [s for s in planned.steps if isinstance(s, Act) and s.key.startswith("settled:")]
    if not settled:
        return
    assert planned.is_fulfilled, planned
    assert len(settled) == len(planned.steps)
    for step in settled:
        assert members[step.member].is_up
        tries = {
            key: state.phase
            for member in members.values()
            if member.agent is Reach.ANSWERS
            for key, state in member.actions.items()
            if key.partition("#")[0] == step.key.partition("#")[0]
        }
        assert ActionPhase.RUNNING not in tries.values()
        assert ActionPhase.DONE not in tries.values()
        assert len(tries) < 3


def _judge_group(
    component: DesiredComponent,
    group: list[DesiredMember],
    members: dict[str, SimulatedMember],
    planned: Plan,
    now: float,
) -> None:
    wanted = {member.name: member for member in group}
    there = [m for name, m in members.items() if name in wanted and m.initialised and not going(m)]
    up = {m.spec.name for m in there if m.is_up}
    disturbed = set()
    for step in planned.steps:
        stops = isinstance(step, Restart | Stop) or (isinstance(step, Configure) and step.restarts)
        if stops and step.member in wanted and step.member in up:
            disturbed.add(step.member)
    if disturbed:
        down = len(there) - len(up) + len(disturbed)
        left = len(up) - len(disturbed)
        assert down <= component.down_at_once, f"{down} down: {planned}"
        assert left >= min(component.quorum, len(there) - 1), f"{left} left: {planned}"
    _judge_turns(component, wanted, there, planned, now)


def _judge_turns(
    component: DesiredComponent,
    wanted: dict[str, DesiredMember],
    there: list[SimulatedMember],
    planned: Plan,
    now: float,
) -> None:
    """A crash is no turn: nobody gets a revision while those that have it are not ready on it."""
    by_name = {member.spec.name: member for member in there}
    turns = [
        by_name[step.member]
        for step in planned.steps
        if isinstance(step, Configure) and step.restarts and step.member in by_name
    ]
    had = [
        m
        for m in there
        if m.spec.revision == wanted[m.spec.name].revision
        and m.spec.incarnation == wanted[m.spec.name].incarnation
    ]
    unproven = [m for m in had if not (m.is_up and m.running == m.spec)]
    without_quorum = sum(m.is_up for m in there) < component.quorum
    fresh = [
        m
        for m in turns
        if not (
            without_quorum and m.unready_since is not None and now - m.unready_since > CURE_AFTER_S
        )
    ]
    if fresh:
        assert len(unproven) + len(turns) <= component.down_at_once, planned


def _judge_joins(
    component: DesiredComponent, members: dict[str, SimulatedMember], planned: Plan
) -> None:
    """Later members join one by one (unless declared otherwise) and never during a hand-over."""
    later = {m.name for m in component.members if not m.founder}
    starting = [
        step.member
        for step in planned.steps
        if isinstance(step, Start) and step.member in later and not members[step.member].initialised
    ]
    if not starting:
        return
    mates = [m for m in members.values() if m.spec.component == component.name]
    assert not any(leave_runs(m) and m.agent is Reach.ANSWERS for m in mates), planned
    joining = [m.spec.name for m in mates if m.spec.name in later and m.run and not m.initialised]
    if not component.joins_in_parallel:
        assert len({*starting, *joining}) <= 1, planned


def _judge_departures(desired: Desired, members: dict[str, SimulatedMember], planned: Plan) -> None:
    wanted = {member.name: member for member in desired.members}
    leaving = [s for s in planned.steps if isinstance(s, Act) and s.key.startswith("leave:")]
    components = [members[step.member].spec.component for step in leaving]
    assert len(components) == len(set(components)), "one departure at a time"
    for step in planned.steps:
        leaves = isinstance(step, Act) and step.key.startswith("leave:")
        if not leaves:
            continue
        leaver = members[step.member]
        assert step.member not in wanted
        assert not any(
            state.phase in (ActionPhase.RUNNING, ActionPhase.DONE)
            for key, state in leaver.actions.items()
            if key.startswith("leave:")
        ), "never handed over twice"
        mates = [m for m in wanted.values() if m.component == leaver.spec.component]
        assert all(m.name in members and members[m.name].is_up for m in mates), planned
        assert not any(
            m is not leaver and m.spec.component == leaver.spec.component and leave_runs(m)
            for m in members.values()
        ), "one departure at a time"


def leave_runs(member: SimulatedMember) -> bool:
    return any(
        key.startswith("leave:") and state.phase is ActionPhase.RUNNING
        for key, state in member.actions.items()
    )


def going(member: SimulatedMember) -> bool:
    return member.left or leave_runs(member)
