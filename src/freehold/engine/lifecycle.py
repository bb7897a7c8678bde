"""Start members that are there and do not run.

Rules, strongest first:

1. A member that hands over, has left, is fenced or waits to be rebuilt is never started.
2. A stopped member takes the wanted revision before it starts: nothing runs that could break.
3. Members that have been ready before start at once, whatever the health of others.
4. At the very first start a component waits until all its founders are made and until the
   components it starts after are ready; ordered ones start founder by founder.
5. A later member that never ran starts when it is its turn to join.
"""

from __future__ import annotations

from freehold.engine.desired import DesiredComponent, DesiredMember
from freehold.engine.membership import obstacle_to_joining
from freehold.engine.observed import ObservedMember
from freehold.engine.plan import Configure, Plan, Start, Step, Wait
from freehold.engine.situation import Situation


def plan_starts(situation: Situation) -> Plan:
    steps: list[Step] = []
    waits: list[Wait] = []
    for component in situation.desired.components:
        for member in component.members:
            seen = situation.in_place(member)
            if seen is None or seen.run is not False:
                continue
            if what := _obstacle(situation, component, member, seen):
                waits.append(Wait(subject=member.name, what=what))
            else:
                steps.append(_start(situation, member, seen))
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def _obstacle(
    situation: Situation, component: DesiredComponent, member: DesiredMember, seen: ObservedMember
) -> str:
    """Return what the start waits for; "" when it may go."""
    if seen.revision_accepted != member.revision and not situation.equipped:
        return "software and secrets"
    if seen.initialised:
        return ""
    if member.founder:
        return _obstacle_to_first_start(situation, component, member)
    return obstacle_to_joining(situation, component, member)


def _obstacle_to_first_start(
    situation: Situation, component: DesiredComponent, member: DesiredMember
) -> str:
    if situation.established(component.members):
        return ""
    founders = [each for each in component.members if each.founder]
    missing = [each.name for each in founders if situation.seen(each.name) is None]
    if missing:
        return f"{missing[0]} to be made: the first members start together"
    for earlier in component.start_after:
        if not _is_ready(situation, earlier):
            return f"{earlier} to be ready first"
    if component.first_start_ordered:
        for each in founders[: founders.index(member)]:
            seen = situation.seen(each.name)
            if seen is None or not seen.is_ready:
                return f"{each.name} to be ready first"
    return ""


def _is_ready(situation: Situation, name: str) -> bool:
    component = situation.desired.component(name)
    if component is None:
        return True
    founders = [situation.seen(each.name) for each in component.members if each.founder]
    ready = all(seen is not None and seen.is_ready for seen in founders)
    return ready and situation.is_formed(component)


def _start(situation: Situation, member: DesiredMember, seen: ObservedMember) -> Step:
    service, stamp = situation.desired.service, max(situation.desired.restart, seen.restart)
    if seen.revision_accepted != member.revision:
        return Configure(
            service=service,
            member=member.name,
            spec=member.spec,
            restarts=False,
            because="does not run and has another revision than the wanted one",
        )
    because = "is stopped" if seen.initialised else "is new"
    return Start(service=service, member=member.name, because=because, stamp=stamp)
