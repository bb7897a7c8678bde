"""Replace a member by a new incarnation with empty volumes, which the others fill again.

Rules, strongest first:

1. A member is only replaced while the others of its group are enough to fill it again; the only
   member of a group never is.
2. One rebuild at a time per group, until the new incarnation has been ready once.
3. Stop, then retire with the death certificate in hand; making and joining is membership's.
4. A stopped member that cannot be replaced yet is started: the others may need it.
5. The member itself need not be healthy: that is mostly why it is rebuilt.
"""

from __future__ import annotations

from freehold.engine.desired import DesiredComponent, DesiredMember
from freehold.engine.observed import ObservedMember, Reach, Retirement
from freehold.engine.plan import Plan, Retire, Start, Step, Stop, Wait
from freehold.engine.situation import Situation, is_settled, is_stopped
from freehold.foundation.member import Certificate, Phase


def plan_rebuild(situation: Situation) -> Plan:
    steps: list[Step] = []
    waits: list[Wait] = []
    for component, group in situation.groups:
        outdated = [
            (member, seen)
            for member in group
            if (seen := situation.seen(member.name)) is not None
            and seen.incarnation < member.incarnation
            and not situation.is_going(seen)  # has left or will have: removal's
        ]
        # Whoever is stopped for it already goes on first.
        outdated.sort(key=lambda pair: (pair[1].run is not False, pair[0].ordinal))
        for number, (member, seen) in enumerate(outdated):
            what = _obstacle(situation, component, group, member, seen)
            if number:
                what = f"{outdated[0][0].name} to be rebuilt first"
            step = _help(situation, seen) if what else _next_step(situation, member, seen)
            if step is not None:
                steps.append(step)
            if step is None or what:
                waits.append(Wait(subject=member.name, what=what or "its software to end"))
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def _obstacle(
    situation: Situation,
    component: DesiredComponent,
    group: tuple[DesiredMember, ...],
    member: DesiredMember,
    seen: ObservedMember,
) -> str:
    if seen.reach is not Reach.ANSWERS:
        return "its agent to answer"
    others = [each for each in group if each.name != member.name]
    if not others:
        return "a second member: nobody could fill the only one again"
    for other in others:
        there = situation.seen(other.name)
        if other.incarnation and (there is None or not there.initialised):
            return f"{other.name} to be ready once"
    if departing := situation.departing(component.name):
        return f"{departing[0].name} to end its hand-over"
    ready = sum(is_settled(each) for each in situation.established(others))
    needed = max(1, min(component.quorum, len(others)))
    if ready < needed:
        return f"{needed} others of its group to be ready ({ready} are)"
    return ""


def _help(situation: Situation, seen: ObservedMember) -> Step | None:
    """Start a stopped member that cannot be replaced yet: the others may need it until then."""
    if not is_stopped(seen) or not seen.initialised or seen.phase is Phase.FENCED:
        return None
    because = "is stopped, and cannot be replaced yet"
    return Start(
        service=situation.desired.service, member=seen.name, because=because, stamp=seen.restart
    )


def _next_step(situation: Situation, member: DesiredMember, seen: ObservedMember) -> Step | None:
    service = situation.desired.service
    because = f"incarnation {seen.incarnation} is replaced by {member.incarnation}"
    if seen.run is not False:
        return Stop(service=service, member=member.name, because=because)
    if is_stopped(seen) and seen.certificate is Certificate.FREE:
        return Retire(
            service=service,
            member=member.name,
            uid=seen.uid,
            retirement=Retirement.REPLACED,
            because=because,
        )
    return None
