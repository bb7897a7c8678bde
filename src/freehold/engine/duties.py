"""Run the actions that facts ask for: formed, members-changed, joined, settled.

Rules, strongest first:

1. An action that any member reports done or running under its key is not ordered again; a failed
   one is tried again after a while.
2. ``formed``: once per service, when all founders are ready, on the lowest ready member.
3. ``members-changed``: once per set of joined members, after ``formed``, never while somebody
   leaves; several changes in a row make one run.
4. ``joined``: on every older member after the newest joined, one at a time, when all is quiet.
5. ``settled``: once per version, when nothing else is left to do, on the lowest ready member. Nobody
   ever waits for it: while it runs and when it failed, the wish is as fulfilled as without it.
"""

from __future__ import annotations

import hashlib

from freehold.engine.attempts import Attempts, attempts_at
from freehold.engine.describe import subject
from freehold.engine.desired import DesiredComponent, Duty
from freehold.engine.observed import ObservedMember, Reach
from freehold.engine.plan import Act, Plan, Step, Wait
from freehold.engine.situation import Leaving, Situation, is_settled
from freehold.foundation.member import ActionPhase

MOST_TRIES_IN_BACKGROUND = 3  # what nobody waits for, nobody mends either
_SETTLED = "settled"


def plan_duties(situation: Situation, before: Plan) -> Plan:
    """Return the duties that may be ordered now, beside the steps in ``before``."""
    plan = Plan()
    for duty in situation.desired.duties:
        component = situation.desired.component(duty.component)
        if component is None:
            continue
        match duty.when:
            case "formed":
                more = _formed(situation, component, duty)
            case "members-changed":
                more = _members_changed(situation, component, duty, before)
            case "joined":
                quiet = before.is_fulfilled and plan.is_fulfilled
                more = _joined(situation, component, duty) if quiet else Plan()
            case _:
                more = Plan()
        plan = plan.beside(more)
    return plan


def plan_background(situation: Situation) -> Plan:
    """Return what may be done beside a fulfilled wish: steps, and never a wait."""
    plan = Plan()
    for duty in situation.desired.duties:
        component = situation.desired.component(duty.component)
        if component is not None and duty.when == _SETTLED:
            plan = plan.beside(_settled(situation, component, duty))
    return plan


def is_in_background(key: str) -> bool:
    """Say whether the action with this key was ordered as one that nobody waits for."""
    return key.startswith(f"{_SETTLED}:")


def _settled(situation: Situation, component: DesiredComponent, duty: Duty) -> Plan:
    version = situation.desired.version
    tried = attempts_at(
        f"{_SETTLED}:{duty.action}:{version}",
        situation.actions_of(component.name),
        situation.now,
        MOST_TRIES_IN_BACKGROUND,
    )
    seen = (situation.in_place(member) for member in component.members)
    able = [each for each in seen if each is not None and is_settled(each)]
    if not tried.next_key or not able:
        return Plan()
    step = Act(
        service=situation.desired.service,
        member=able[0].name,
        action=duty.action,
        key=tried.next_key,
        because=f"{version} runs, and nobody waits for this",
        title=duty.title,
        background=True,
    )
    return Plan(((step,),))


def _formed(situation: Situation, component: DesiredComponent, duty: Duty) -> Plan:
    if situation.is_formed(component):
        return Plan()
    founders = [situation.seen(each.name) for each in component.members if each.founder]
    ready = [seen for seen in founders if seen is not None and seen.is_ready]
    if len(ready) < len(founders) or not ready:
        what = f"all first members of {component.name} to be ready"
        return Plan(waits=(Wait(subject=_title(duty), what=what),))
    tried = _tried(situation, component, f"formed:{situation.desired.lineage}")
    return _order(situation, duty, tried, ready[0], "all first members are ready")


def _members_changed(
    situation: Situation, component: DesiredComponent, duty: Duty, before: Plan
) -> Plan:
    joined = situation.established(component.members)
    if not joined or not situation.is_formed(component):
        return Plan()
    names = "\n".join(sorted(f"{each.name}:{each.incarnation}" for each in joined))
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    tried = _tried(situation, component, f"members-changed:{digest}")
    if tried.is_done:
        return Plan()
    if leaving := _on_their_way_out(situation, component.name):
        return Plan(waits=(Wait(subject=_title(duty), what=f"{leaving[0].name} to leave"),))
    if unsure := _coming_back(situation, component):
        return Plan(waits=(Wait(subject=_title(duty), what=unsure),))
    busy = _running(situation, component.name, duty.action)
    touched = {subject(step) for step in before.steps}
    able = [each for each in joined if is_settled(each) and each.name not in touched]
    if not able or busy:
        what = busy or f"a ready member of {component.name}"
        return Plan(waits=(Wait(subject=_title(duty), what=what),))
    return _order(situation, duty, tried, able[0], f"{len(joined)} members have joined")


def _coming_back(situation: Situation, component: DesiredComponent) -> str:
    """A member that is being rebuilt has not left, and of one that cannot be asked nobody knows
    whether it has joined: the set of members is not what it seems."""
    for member in component.members:
        seen = situation.seen(member.name)
        if member.incarnation and (seen is None or not seen.initialised):
            return f"{member.name} to be back"
        if seen is not None and (seen.incarnation < member.incarnation):
            return f"{member.name} to be rebuilt"
        if seen is not None and seen.reach is not Reach.ANSWERS and not seen.initialised:
            return f"{member.name} to answer"
    return ""


def _on_their_way_out(situation: Situation, component: str) -> list[ObservedMember]:
    """Those whose departure will go on by itself; a failed hand-over holds nothing back."""
    return [
        member
        for _, member in sorted(situation.observed.members.items())
        if member.component == component
        and (
            situation.is_going(member)
            or (
                member.name not in situation.wanted
                and situation.leaving(member) is not Leaving.FAILED
            )
        )
    ]


def _joined(situation: Situation, component: DesiredComponent, duty: Duty) -> Plan:
    later = situation.established(m for m in component.members if not m.founder)
    if not later:
        return Plan()
    newest = max(later, key=lambda member: member.ordinal)
    key = f"joined:{newest.name}:{newest.incarnation}"
    for member in component.members:
        seen = situation.in_place(member)
        if seen is None or not (member.founder or member.ordinal < newest.ordinal):
            continue
        tried = attempts_at(key, [(seen, state) for state in seen.actions.values()], situation.now)
        if not tried.is_done and not _has_done_for_later(seen, newest):
            return _order(situation, duty, tried, seen, f"{newest.name} has joined")
    return Plan()


def _has_done_for_later(member: ObservedMember, newest: ObservedMember) -> bool:
    """It did so for a member of a higher ordinal, which has left since: nothing new to do."""
    for key, state in member.actions.items():
        kind, _, rest = key.partition(":")
        ordinal = rest.partition(":")[0].rpartition("-")[2]
        if (
            kind == "joined"
            and state.phase is ActionPhase.DONE
            and ordinal.isdigit()
            and int(ordinal) > newest.ordinal
        ):
            return True
    return False


def _tried(situation: Situation, component: DesiredComponent, key: str) -> Attempts:
    return attempts_at(key, situation.actions_of(component.name), situation.now)


def _running(situation: Situation, component: str, action: str) -> str:
    for member, state in situation.actions_of(component):
        if state.phase is ActionPhase.RUNNING and state.action == action:
            note = f" ({state.note})" if state.note else ""
            return f"it to end on {member.name}{note}"
    return ""


def _order(
    situation: Situation, duty: Duty, tried: Attempts, member: ObservedMember, because: str
) -> Plan:
    if not tried.next_key:
        return Plan(waits=(Wait(subject=_title(duty), what=tried.what),))
    step: Step = Act(
        service=situation.desired.service,
        member=member.name,
        action=duty.action,
        key=tried.next_key,
        because=because,
        title=duty.title,
    )
    return Plan(((step,),))


def _title(duty: Duty) -> str:
    return duty.title or duty.action
