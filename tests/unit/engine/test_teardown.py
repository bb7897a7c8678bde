"""Stop, uninstall, purge: always through, never more than asked for."""

from tests.property.worlds import Order, Part, desired_of
from tests.unit.engine.sights import (
    DOWN,
    LONE,
    NOW,
    STOPPED,
    acted,
    kept,
    member,
    planned,
    sight,
)

from freehold.engine.observed import Reach, Retirement
from freehold.engine.plan import Retire
from freehold.engine.planner import plan
from freehold.engine.wish import Want
from freehold.foundation.member import ActionPhase, Certificate

STOP = LONE.but(want=Want.STOPPED)
UNINSTALL = LONE.but(want=Want.UNINSTALLED)
PURGE = LONE.but(want=Want.PURGED)
TIERS = Order(
    parts=(Part(), Part(name="front", start_after=("node",))),
    members={"node": 1, "front": 1},
    founders={"node": 1, "front": 1},
    want=Want.STOPPED,
)


def test_a_stop_waits_for_neither_health_nor_actions():
    seen = member(STOP, 0, actions=acted("formed:L1", ActionPhase.RUNNING), **DOWN)
    assert planned(STOP, sight(seen)) == (
        "1. cancel formed:L1 on db-node-0: the service is to be stopped\n"
        "1. stop db-node-0: the service is to be stopped"
    )


def test_a_stop_is_fulfilled_only_with_the_death_certificate():
    assert planned(STOP, sight(member(STOP, 0, **STOPPED))) == ""
    held = {**STOPPED, "certificate": Certificate.HELD}
    assert planned(STOP, sight(member(STOP, 0, **held))) == (
        "db-node-0: waits for a former process of it to end: its alive.lock is held"
    )


def test_components_stop_in_the_reverse_order_of_their_start():
    seen = sight(member(TIERS, 0), member(TIERS, 0, "front"))
    assert planned(TIERS, seen) == (
        "1. stop db-front-0: the service is to be stopped\n"
        "db-node-0: waits for db-front-0 to stop first"
    )


def test_who_cannot_be_asked_holds_nobody_back():
    gone = member(TIERS, 0, "front", reach=Reach.GONE, run=None, phase=None)
    assert planned(TIERS, sight(member(TIERS, 0), gone)) == (
        "1. revive agent of db-front-0: its agent is gone\n"
        "1. stop db-node-0: the service is to be stopped"
    )


def test_an_uninstall_keeps_volumes_and_marks_what_has_left():
    seen = member(UNINSTALL, 0, **STOPPED)
    assert planned(UNINSTALL, sight(seen)) == (
        "1. retire db-node-0: the service is to be uninstalled; its volumes are kept"
    )
    left = member(UNINSTALL, 0, actions=acted("leave:db-node-0:0:1"), **STOPPED)
    observed = sight(left)
    (step,) = plan(desired_of(UNINSTALL, observed), observed, NOW).steps
    assert isinstance(step, Retire)
    assert (step.uid, step.retirement) == ("uid-0", Retirement.LEFT)
    assert planned(UNINSTALL, sight(kept=(kept("db-node-0"),))) == ""


def test_a_purge_destroys_volumes_only_when_no_member_exists_and_forgets_last():
    volumes = kept("db-node-0")
    stopped = member(PURGE, 0, **STOPPED)
    assert planned(PURGE, sight(stopped, kept=(volumes,))) == (
        "1. retire db-node-0: the service is to be purged"
    )
    assert planned(PURGE, sight(kept=(volumes,))) == (
        "1. destroy volumes of db-node-0 (uid-of-db-node-0-0): the service is to be purged"
    )
    assert planned(PURGE, sight()) == "1. forget db: all its members and volumes are gone"
    assert planned(PURGE, sight(recorded=False)) == ""


def test_nothing_is_retired_without_proof_that_nothing_of_it_lives():
    lost = {**STOPPED, "certificate": Certificate.UNKNOWN}
    assert planned(PURGE, sight(member(PURGE, 0, **lost))) == (
        "db-node-0: waits for proof that nothing of it runs: its alive.lock cannot be reached"
    )


def test_a_purge_needs_no_agent_where_provably_nothing_lives():
    gone = {"reach": Reach.GONE, "phase": None, "certificate": Certificate.FREE}
    assert planned(PURGE, sight(member(PURGE, 0, **gone))) == (
        "1. retire db-node-0: the service is to be purged"
    )
    assert planned(UNINSTALL, sight(member(UNINSTALL, 0, **gone))) == (
        "1. revive agent of db-node-0: its agent is gone"
    )
