"""New revisions, restarts and rebuilds; plans compared as text."""

from tests.property.worlds import Order
from tests.unit.engine.sights import (
    DOWN,
    LONE,
    NOW,
    STARTING,
    STOPPED,
    acted,
    all_ready,
    kept,
    member,
    parts,
    planned,
    sight,
)

from freehold.engine.observed import Retirement
from freehold.foundation.member import ActionPhase

THREE = Order()
CHANGED = THREE.but(restart_text="b")
LED = Order(parts=parts(leader="leader", switches=True))


def test_what_needs_no_restart_goes_to_all_at_once():
    order = THREE.but(live_text="b")
    text = planned(order, sight(*all_ready(THREE)))
    assert [line.partition(":")[0] for line in text.splitlines()] == [
        "1. configure db-node-0",
        "1. configure db-node-1",
        "1. configure db-node-2",
    ]


def test_a_restart_goes_member_by_member():
    text = planned(CHANGED, sight(*all_ready(THREE)))
    assert text.splitlines()[0].startswith("1. configure db-node-0 and restart it: has revision ")
    assert text.splitlines()[1:] == [
        "db-node-1: waits for db-node-0 to be ready again",
        "db-node-2: waits for db-node-0 to be ready again",
    ]


def test_the_next_waits_until_the_former_is_ready_on_what_it_accepted():
    still_old = member(CHANGED, 0, revision_running="the old one")
    seen = sight(still_old, member(THREE, 1), member(THREE, 2))
    assert "1." not in planned(CHANGED, seen)


def test_a_member_that_crashes_midway_keeps_its_own_revision():
    seen = sight(member(CHANGED, 0, **STARTING), member(THREE, 1, **DOWN), member(THREE, 2))
    assert planned(CHANGED, seen) == (
        "db-node-1: waits for db-node-0 to be ready: one by one\n"
        "db-node-2: waits for db-node-0: readiness (starting)\n"
        "db-node-0: waits for readiness (starting)"
    )


def test_a_member_that_is_not_ready_has_its_turn_first():
    seen = sight(member(THREE, 0), member(THREE, 1, **DOWN), member(THREE, 2))
    assert planned(CHANGED, seen).startswith("1. configure db-node-1 and restart it")


def test_where_the_quorum_is_lost_for_long_nobody_waits_for_health():
    down = {**DOWN, "unready_since": NOW - 121}
    tried = member(CHANGED, 0, **down)
    seen = sight(tried, member(THREE, 1, **down), member(THREE, 2, **down))
    assert planned(CHANGED, seen).count("and restart it") == 2


def test_the_only_member_restarts_and_the_plan_says_that_it_interrupts():
    text = planned(LONE.but(restart="s1"), sight(member(LONE, 0)))
    assert text == "1. restart db-node-0: a restart was asked for; this interrupts the service"


def test_a_definition_that_allows_nobody_down_still_gets_one_restart_at_a_time():
    order = Order(parts=parts(down_at_once=0), restart="s1")
    assert planned(order, sight(*all_ready(order))).startswith("1. restart db-node-0")
    assert planned(order, sight(member(order, 0, **DOWN))).startswith("1. provision")


def test_a_restart_taken_back_is_not_carried_out_again():
    order = LONE.but(restart="s1")
    assert planned(order, sight(member(order, 0, restart="s2"))) == ""


def test_the_leader_hands_the_lead_over_and_restarts_last():
    order = LED.but(restart="s1")
    lead = member(order, 0, role="leader")
    done = [member(order, n, role="follower", restart="s1") for n in (1, 2)]
    assert planned(order, sight(lead, *done)) == (
        "1. switchover on db-node-0: leads its group and is to be restarted"
    )
    waiting = [member(order, n, role="follower") for n in (1, 2)]
    assert planned(order, sight(lead, *waiting)).startswith("1. restart db-node-1")


def test_a_failed_switchover_is_tried_again_after_a_while():
    order = LED.but(restart="s1")
    others = [member(order, n, restart="s1") for n in (1, 2)]
    first = planned(order, sight(member(order, 0, role="leader"), *others))
    assert first.startswith("1. switchover")
    key = _switchover_key(order)
    failed = acted(key, ActionPhase.FAILED, note="no candidate")
    seen = sight(member(order, 0, role="leader", actions=failed), *others)
    assert planned(order, seen) == ("db-node-0: waits for switchover: another try: no candidate")
    assert planned(order, seen, NOW + 30).startswith("1. switchover on db-node-0")


def _switchover_key(order):
    from tests.property.worlds import desired_of

    from freehold.engine.planner import plan

    others = [member(order, n, restart="s1") for n in (1, 2)]
    seen = sight(member(order, 0, role="leader"), *others)
    return plan(desired_of(order, seen), seen, NOW).steps[0].key


def test_ready_members_are_left_alone_while_another_joins_but_not_for_ever():
    order = THREE.but(members={"node": 4}, restart="s1")
    joining = {**STARTING, "initialised": False}
    ready = all_ready(order, 3)
    soon = member(order, 3, restart="s1", started_at=NOW - 60, **joining)
    assert "1." not in planned(order, sight(*ready, soon))
    late = member(order, 3, restart="s1", started_at=NOW - 3601, **joining)
    assert planned(order, sight(*ready, late)).startswith("1. restart db-node-0")


# rebuild


def test_a_rebuild_stops_retires_and_comes_back():
    order = THREE.but(rebuild={"db-node-1": 1})
    others = [member(order, 0), member(order, 2)]
    because = "incarnation 0 is replaced by 1"
    assert planned(order, sight(*others, member(order, 1))) == f"1. stop db-node-1: {because}"
    assert planned(order, sight(*others, member(order, 1, **STOPPED))) == (
        f"1. retire db-node-1: {because}"
    )
    gone = kept("db-node-1", 0, Retirement.REPLACED)
    assert planned(order, sight(*others, kept=(gone,))) == (
        "1. provision db-node-1: is missing, comes back as incarnation 1"
    )


def test_a_sick_member_is_rebuilt_but_never_from_too_few():
    order = THREE.but(rebuild={"db-node-1": 1})
    sick = member(order, 1, **DOWN)
    assert planned(order, sight(member(order, 0), sick, member(order, 2))).startswith(
        "1. stop db-node-1"
    )
    assert planned(order, sight(member(order, 0), sick, member(order, 2, **DOWN))) == (
        "db-node-1: waits for 2 others of its group to be ready (1 are)\n"
        "db-node-2: waits for readiness (backoff)"
    )


def test_the_only_member_is_never_rebuilt():
    order = LONE.but(rebuild={"db-node-0": 1})
    assert planned(order, sight(member(order, 0))) == (
        "db-node-0: waits for a second member: nobody could fill the only one again"
    )


def test_a_stopped_member_that_cannot_be_replaced_yet_helps_the_others():
    order = THREE.but(rebuild={"db-node-0": 1, "db-node-1": 1})
    stopped = [member(order, n, **STOPPED) for n in (0, 1)]
    assert planned(order, sight(*stopped, member(order, 2))) == (
        "1. start db-node-0: is stopped, and cannot be replaced yet\n"
        "1. start db-node-1: is stopped, and cannot be replaced yet\n"
        "db-node-0: waits for 2 others of its group to be ready (1 are)\n"
        "db-node-1: waits for db-node-0 to be rebuilt first"
    )
