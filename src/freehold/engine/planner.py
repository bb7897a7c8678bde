"""Decide what happens next: one desired and one observed value in, one plan out.

Pure: no clock, no I/O, no memory. A bug report that holds the three arguments replays the
decision, and every healing is this function called again with an unchanged wish.

Rules, strongest first:

1. What could not be asked is unknown, and nothing is planned on it.
2. Stop, uninstall and purge go their own way: nothing else is planned beside them but repair.
3. Otherwise the rules run in this order, and each sees what those before it have planned:
   repair, provisioning, membership, lifecycle, configuration, rebuild, rollout, removal, duties.
4. The wish is fulfilled when no rule has a step and every wanted member is ready on its revision.
   Only then is there anything in the background, and it changes nothing about that.
"""

from __future__ import annotations

from freehold.engine.configuration import plan_configuration
from freehold.engine.describe import subject
from freehold.engine.desired import Desired
from freehold.engine.duties import plan_background, plan_duties
from freehold.engine.lifecycle import plan_starts
from freehold.engine.membership import plan_membership
from freehold.engine.observed import Observed
from freehold.engine.plan import Plan, Wait
from freehold.engine.provisioning import plan_provisioning
from freehold.engine.rebuild import plan_rebuild
from freehold.engine.removal import plan_removal
from freehold.engine.repair import plan_repair
from freehold.engine.rollout import plan_rollout
from freehold.engine.situation import Situation, is_settled, readiness
from freehold.engine.teardown import plan_purge, plan_stop, plan_uninstall
from freehold.engine.wish import Want


def plan(desired: Desired, observed: Observed, now: float) -> Plan:
    """Return the next safe steps towards ``desired``; empty without waits: it is fulfilled.

    Args:
        desired: the wish, rendered.
        observed: what is there, seen afresh.
        now: unix seconds, by the clock that the observation's times are from.
    """
    if observed.unknown:
        return Plan(waits=(Wait(subject=desired.service, what=f"an answer: {observed.unknown}"),))
    situation = Situation(desired, observed, now)
    match desired.want:
        case Want.STOPPED:
            return plan_repair(situation).beside(plan_stop(situation))
        case Want.UNINSTALLED:
            return plan_repair(situation).beside(plan_uninstall(situation))
        case Want.PURGED:
            return plan_repair(situation).beside(plan_purge(situation))
        case Want.RUNNING:
            return _plan_running(situation)


def _plan_running(situation: Situation) -> Plan:
    planned = plan_repair(situation)
    for rule in (
        plan_provisioning,
        plan_membership,
        plan_starts,
        plan_configuration,
        plan_rebuild,
    ):
        planned = planned.beside(rule(situation))
    planned = planned.beside(plan_rollout(situation, planned))
    planned = planned.beside(plan_removal(situation, planned))
    planned = planned.beside(_unready(situation, planned))
    planned = planned.beside(plan_duties(situation, planned))
    return planned.beside(plan_background(situation)) if planned.is_fulfilled else planned


def _unready(situation: Situation, planned: Plan) -> Plan:
    """Wanted members that no rule has anything to do about are waited for."""
    told = {wait.subject for wait in planned.waits} | {subject(step) for step in planned.steps}
    return Plan(
        waits=tuple(
            Wait(subject=name, what=readiness(seen))
            for name in situation.wanted
            if name not in told
            and (seen := situation.seen(name)) is not None
            and not is_settled(seen)
        )
    )
