"""Stop, uninstall, purge: the verbs that must always get through.

Rules, strongest first:

1. Volumes are destroyed only by a purge of this service, each by its uid, and only when no member
   exists any more; the record goes last, so that an interrupted purge is found and ended.
2. A member is retired only with its death certificate. What has left or was replaced is
   marked so; everything else is kept as it is and comes back.
3. Nothing here waits for health or for a running action: actions are cancelled, then on.
4. Components stop in the reverse order of their start; one that cannot be asked holds back
   nobody.
"""

from __future__ import annotations

from freehold.engine.observed import ObservedMember, Reach, Retirement
from freehold.engine.plan import (
    CancelAct,
    DestroyVolumes,
    Forget,
    Plan,
    Retire,
    Step,
    Stop,
    Wait,
)
from freehold.engine.situation import Leaving, Situation, is_stopped
from freehold.engine.wish import Want
from freehold.foundation.member import ActionPhase, Certificate, Phase


def plan_stop(situation: Situation) -> Plan:
    steps: list[Step] = []
    waits: list[Wait] = []
    members = sorted(situation.observed.members.values(), key=lambda m: m.name)
    for member in members:
        if member.reach is not Reach.ANSWERS:
            continue  # repair.py brings its agent back first
        later = _still_up_after(situation, member)
        if member.run is not False and later:
            waits.append(Wait(subject=member.name, what=f"{later} to stop first"))
        elif member.run is not False:
            steps.extend(_cancels(situation, member))
            steps.append(_stop(situation, member))
        elif not is_stopped(member):
            waits.append(Wait(subject=member.name, what="its software to end"))
        elif member.certificate is not Certificate.FREE:
            waits.append(Wait(subject=member.name, what=_proof(member)))
    # One stage: an action that does not heed its cancellation must not hold back the stop.
    return Plan((tuple(steps),) if steps else (), tuple(waits))


def plan_uninstall(situation: Situation) -> Plan:
    steps: list[Step] = []
    stopping = plan_stop(situation)
    for _, member in sorted(situation.observed.members.items()):
        is_dead = situation.desired.want is Want.PURGED and member.reach is Reach.GONE
        if (is_stopped(member) or is_dead) and member.certificate is Certificate.FREE:
            steps.append(
                Retire(
                    service=situation.desired.service,
                    member=member.name,
                    uid=member.uid,
                    retirement=_retirement(situation, member),
                    because="the service is to be purged"
                    if situation.desired.want is Want.PURGED
                    else "the service is to be uninstalled; its volumes are kept",
                )
            )
    return stopping.beside(Plan((tuple(steps),) if steps else ()))


def plan_purge(situation: Situation) -> Plan:
    observed, desired = situation.observed, situation.desired
    if observed.members:
        return plan_uninstall(situation)
    if observed.kept:
        because = "the service is to be purged"
        doomed = sorted(observed.kept, key=lambda each: (each.member, each.incarnation))
        steps: tuple[Step, ...] = tuple(
            DestroyVolumes(
                service=desired.service,
                lineage=desired.lineage,
                member=each.member,
                uid=each.uid,
                because=because,
            )
            for each in doomed
        )
        return Plan((steps,))
    if observed.recorded:
        because = "all its members and volumes are gone"
        return Plan(((Forget(service=desired.service, lineage=desired.lineage, because=because),),))
    return Plan()


def _still_up_after(situation: Situation, member: ObservedMember) -> str:
    """Return a member that starts after this one's component and can still be waited for."""
    dependants = {
        component.name
        for component in situation.desired.components
        if member.component in component.start_after
    }
    for name, other in sorted(situation.observed.members.items()):
        if other.component in dependants and other.reach is Reach.ANSWERS and not is_stopped(other):
            return name
    return ""


def _cancels(situation: Situation, member: ObservedMember) -> list[Step]:
    return [
        CancelAct(
            service=situation.desired.service,
            member=member.name,
            key=key,
            because=f"the service is to be {situation.desired.want}",
        )
        for key, state in sorted(member.actions.items())
        if state.phase is ActionPhase.RUNNING
    ]


def _stop(situation: Situation, member: ObservedMember) -> Stop:
    because = f"the service is to be {situation.desired.want}"
    return Stop(service=situation.desired.service, member=member.name, because=because)


def _retirement(situation: Situation, member: ObservedMember) -> Retirement:
    if situation.leaving(member) is Leaving.DONE:
        return Retirement.LEFT
    if member.phase is Phase.FENCED:
        return Retirement.REPLACED
    return Retirement.NONE


def _proof(member: ObservedMember) -> str:
    if member.certificate is Certificate.HELD:
        return "a former process of it to end: its alive.lock is held"
    return "proof that nothing of it runs: its alive.lock cannot be reached"
