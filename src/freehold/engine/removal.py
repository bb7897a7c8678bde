"""Let members go that are not wanted any more.

Rules, strongest first:

1. What was ordered is never ordered twice: a hand-over that runs is waited for, one that is done
   ends in stop and retirement, also when the member is wanted again meanwhile; it has left, and
   comes back as a new incarnation.
2. Nobody leaves until every wanted member of the component is ready: the leaving one may hold
   the only good copy.
3. One departure at a time per component, highest ordinal first: names stay dense, and the next
   observation shows where the data went.
4. A stopped member that holds data is started to hand it over; one that never ran just goes.
5. A failed hand-over stays; a newer wish tries again. Retiring keeps the volumes, marked as left.
"""

from __future__ import annotations

from freehold.engine.describe import subject
from freehold.engine.duties import is_in_background
from freehold.engine.observed import ObservedMember, Reach, Retirement
from freehold.engine.plan import Act, Configure, Plan, Restart, Retire, Start, Step, Stop, Wait
from freehold.engine.situation import Leaving, Situation, is_settled, is_stopped
from freehold.foundation.member import ActionPhase, Certificate, Phase


def plan_removal(situation: Situation, before: Plan) -> Plan:
    """Return the next move of departures, beside the steps in ``before``."""
    steps: list[Step] = []
    waits: list[Wait] = []
    seen = situation.observed.members.values()
    for component in sorted({member.component for member in seen}):
        going = [
            m
            for _, m in sorted(situation.observed.members.items())
            if _is_under_way(situation, m, component)
        ]
        extras = [m for m in situation.extras if m.component == component and m not in going]
        departing = going or extras[:1]
        for member in departing:
            what = _obstacle(situation, member, before)
            step = None if what else _next_step(situation, member)
            if step is not None:
                steps.append(step)
            else:
                waits.append(Wait(subject=member.name, what=what or "its software to end"))
        others = [m for m in extras if m not in departing]
        waits.extend(
            Wait(subject=m.name, what=f"{departing[0].name} to leave first") for m in others
        )
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def _is_under_way(situation: Situation, member: ObservedMember, component: str) -> bool:
    """It hands over or has; of members without a hand-over: it was stopped to go."""
    if member.component != component:
        return False
    if situation.is_going(member):
        return True
    has_action = component in situation.desired.leave
    return member.name not in situation.wanted and not has_action and member.run is False


def _obstacle(situation: Situation, member: ObservedMember, before: Plan) -> str:
    """Return what the departure waits for; "" when its next step may be taken."""
    if member.reach is not Reach.ANSWERS:
        return "its agent to answer"
    leaving = situation.leaving(member)
    attempts = situation.leave_attempts(member)
    if leaving is Leaving.DONE or _has_nothing(member):
        return ""
    if leaving is Leaving.RUNNING:
        notes = [s.note for s in attempts.values() if s.phase is ActionPhase.RUNNING and s.note]
        return f"its hand-over to end{''.join(f' ({note})' for note in notes)}"
    failed = attempts.get(_key(situation, member))
    if failed is not None:
        return f"a new wish: its hand-over failed: {failed.note or failed.phase}"
    return _unready(situation, member.component) or _busy(situation, member.component, before)


def _has_nothing(member: ObservedMember) -> bool:
    """It cannot hand anything over: it never ran, or never may again."""
    if member.phase is Phase.FENCED:
        return True
    return member.run is False and not member.initialised and is_stopped(member)


def _unready(situation: Situation, name: str) -> str:
    component = situation.desired.component(name)
    for member in component.members if component else ():
        seen = situation.seen(member.name)
        if seen is None or not is_settled(seen) or seen.incarnation != member.incarnation:
            return f"{member.name} to be ready: the leaving may hold the only good copy"
    return ""


def _busy(situation: Situation, component: str, before: Plan) -> str:
    wanted = {name for name, each in situation.wanted.items() if each.component == component}
    for step in before.steps:
        disturbs = isinstance(step, Restart | Stop | Act) or (
            isinstance(step, Configure) and step.restarts
        )
        if disturbs and subject(step) in wanted:
            return f"{step} first"
    for member, state in situation.actions_of(component):
        if state.phase is ActionPhase.RUNNING and not is_in_background(state.key):
            return f"{state.action} on {member.name} to end"
    return ""


def _next_step(situation: Situation, member: ObservedMember) -> Step | None:
    service = situation.desired.service
    action = situation.desired.leave.get(member.component)
    has_left = situation.leaving(member) is Leaving.DONE or _has_nothing(member) or not action
    because = _because(situation, member)
    if not has_left and member.run is False:
        because += "; it must run to hand over"
        return Start(service=service, member=member.name, because=because, stamp=member.restart)
    if not has_left and action:
        return Act(
            service=service,
            member=member.name,
            action=action,
            key=_key(situation, member),
            because=because,
        )
    if member.run is not False:
        return Stop(service=service, member=member.name, because=because)
    if is_stopped(member) and member.certificate is Certificate.FREE:
        return Retire(
            service=service,
            member=member.name,
            uid=member.uid,
            retirement=Retirement.LEFT,
            because=because,
        )
    return None


def _key(situation: Situation, member: ObservedMember) -> str:
    """A newer wish makes a new key; whether it may be ordered is read from all former attempts."""
    return f"leave:{member.name}:{member.incarnation}:{situation.desired.generation}"


def _because(situation: Situation, member: ObservedMember) -> str:
    if member.name in situation.wanted:
        return "has left, comes back as a new incarnation"
    there = sum(m.component == member.component for m in situation.observed.members.values())
    component = situation.desired.component(member.component)
    wanted = len(component.members) if component else 0
    return f"{there} members of {member.component}, {wanted} wanted"
