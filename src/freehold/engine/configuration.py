"""Hand members the wanted revision where that needs no restart.

Rules, strongest first:

1. Nothing is handed over before the version's software and all secrets are there.
2. A member that hands over, is fenced or waits to be rebuilt keeps what it has.
3. Changes that need no restart go to all members at once; so does everything to a member that
   has never been ready: there is no service of it to lose yet, and it may be the cure.
"""

from __future__ import annotations

from freehold.engine.desired import DesiredMember
from freehold.engine.observed import ObservedMember
from freehold.engine.plan import Configure, Plan, Step, Wait
from freehold.engine.situation import Situation


def plan_configuration(situation: Situation) -> Plan:
    steps: list[Step] = []
    waits: list[Wait] = []
    for member in situation.desired.members:
        seen = situation.in_place(member)
        if seen is None or seen.run is False or seen.revision_accepted == member.revision:
            continue
        if not situation.equipped:
            waits.append(Wait(subject=member.name, what="software and secrets"))
            continue
        restarts = needs_restart_for(member, seen)
        if restarts and seen.initialised:
            continue  # in its turn: rollout.py
        steps.append(configure(situation, member, seen))
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def needs_restart_for(member: DesiredMember, seen: ObservedMember) -> bool:
    """Say whether taking the wanted revision restarts the member's software."""
    return (
        seen.revision_accepted != member.revision
        and seen.restart_hash != member.spec.restart_hash
        and seen.run is not False
    )


def configure(
    situation: Situation, member: DesiredMember, seen: ObservedMember, more: str = ""
) -> Configure:
    restarts = needs_restart_for(member, seen)
    stamp = max(situation.desired.restart, seen.restart) if restarts else ""
    because = f"has revision {_short(seen.revision_accepted)}, {_short(member.revision)} is wanted"
    return Configure(
        service=situation.desired.service,
        member=member.name,
        spec=member.spec,
        restarts=restarts,
        because=because + more,
        stamp=stamp,
    )


def _short(revision: str) -> str:
    return revision.removeprefix("sha256:")[:8] or "none"
