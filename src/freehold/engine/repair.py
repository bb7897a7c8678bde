"""Bring agents back: without one, nothing about a member can be known or changed.

Rules, strongest first:

1. An agent that is provably gone is replaced at once; the new one adopts living software.
2. A silent one may only be slow: it is replaced after 20 s of silence.
"""

from __future__ import annotations

from freehold.engine.observed import ObservedMember, Reach
from freehold.engine.plan import Plan, Revive, Step, Wait
from freehold.engine.situation import Situation, is_stopped
from freehold.engine.wish import Want
from freehold.foundation.member import Certificate

SILENCE_S = 20.0


def plan_repair(situation: Situation) -> Plan:
    steps: list[Step] = []
    waits: list[Wait] = []
    service = situation.desired.service
    for name, member in sorted(situation.observed.members.items()):
        if member.reach is Reach.ANSWERS or _is_at_rest(situation, member):
            continue
        silent_s = situation.now - (
            situation.now if member.silent_since is None else member.silent_since
        )
        if member.reach is Reach.GONE:
            steps.append(Revive(service=service, member=name, because="its agent is gone"))
        elif silent_s > SILENCE_S:
            because = f"its agent is silent since {silent_s:.0f} s"
            steps.append(Revive(service=service, member=name, because=because))
        else:
            waits.append(Wait(subject=name, what="its agent to answer"))
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def _is_at_rest(situation: Situation, member: ObservedMember) -> bool:
    """A member that shall not run, and provably does not, needs no agent.

    For a purge it need not even be known what it was told last: nothing of it is to be kept.
    """
    if situation.desired.want is Want.RUNNING or member.certificate is not Certificate.FREE:
        return False
    return is_stopped(member) or (
        situation.desired.want is Want.PURGED and member.reach is Reach.GONE
    )
