"""Make members that are missing: founders of the first boot together, later ones one by one.

Rules, strongest first:

1. Nothing is made before the version's software and all secrets are there.
2. Founders and members whose volumes were kept are made at once: that loses nothing.
3. A later member joins only a component that has been formed, never during a hand-over, and
   (unless joins may run in parallel) after the former joiner has been ready once. No other
   health is asked for: growing may be the repair.
"""

from __future__ import annotations

from freehold.engine.desired import DesiredComponent, DesiredMember
from freehold.engine.plan import Plan, Provision, Step, Wait
from freehold.engine.situation import Situation


def plan_membership(situation: Situation) -> Plan:
    steps: list[Step] = []
    waits: list[Wait] = []
    for component in situation.desired.components:
        for member in component.members:
            if situation.seen(member.name) is not None:
                continue
            what = obstacle_to_joining(situation, component, member)
            if not what and not situation.equipped:
                what = "software and secrets"
            if what:
                waits.append(Wait(subject=member.name, what=what))
            else:
                steps.append(_provision(situation, member))
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def _provision(situation: Situation, member: DesiredMember) -> Provision:
    because = "is missing"
    if situation.comes_back(member):
        because = "is missing, its volumes were kept"
    elif member.incarnation:
        because = f"is missing, comes back as incarnation {member.incarnation}"
    elif not member.founder:
        because = "is missing, joins the others"
    return Provision(
        service=situation.desired.service,
        member=member.name,
        spec=member.spec,
        because=because,
        stamp=situation.desired.restart,
    )


def obstacle_to_joining(
    situation: Situation, component: DesiredComponent, member: DesiredMember
) -> str:
    """Return what the member waits for before it may join; "" when it may, or need not join."""
    if member.founder or situation.comes_back(member):
        return ""
    founders = [each for each in component.members if each.founder]
    if len(situation.established(founders)) < len(founders):
        return f"the first members of {component.name} to have been ready once"
    if not situation.is_formed(component):
        return f"{component.name} to be formed"
    if departing := situation.departing(component.name):
        return f"{departing[0].name} to end its hand-over"
    queue = situation.join_queue(component)
    if component.joins_in_parallel or queue[:1] == [member.name]:
        return ""
    return f"{queue[0]} to have joined"
