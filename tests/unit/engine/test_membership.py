"""Making, starting and letting go of members; plans compared as text."""

from tests.property.worlds import Order
from tests.unit.engine.sights import (
    DOWN,
    LONE,
    MADE,
    NOW,
    SILENT,
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

from freehold.foundation.member import ActionPhase, Certificate

THREE = Order()


def test_what_could_not_be_asked_is_unknown_and_nothing_is_planned():
    assert planned(THREE, sight(unknown="the daemon of the place is away")) == (
        "db: waits for an answer: the daemon of the place is away"
    )


def test_software_and_secrets_come_before_members():
    assert planned(LONE, sight(software=frozenset(), secrets=frozenset())) == (
        "1. fetch software 1.0: version 1.0 is not laid out here\n"
        "1. issue 1 secret: not issued yet: superuser\n"
        "db-node-0: waits for software and secrets"
    )


def test_founders_are_made_together():
    assert planned(THREE, sight()) == (
        "1. provision db-node-0: is missing\n"
        "1. provision db-node-1: is missing\n"
        "1. provision db-node-2: is missing"
    )


def test_founders_start_only_once_all_are_made():
    assert planned(THREE, sight(member(THREE, 0, initialised=False, **MADE))) == (
        "1. provision db-node-1: is missing\n"
        "1. provision db-node-2: is missing\n"
        "db-node-0: waits for db-node-1 to be made: the first members start together"
    )


def test_an_ordered_first_start_goes_founder_by_founder():
    order = Order(parts=parts(first_start_ordered=True))
    made = [member(order, n, **{**MADE, "initialised": False}) for n in range(3)]
    assert planned(order, sight(*made)) == (
        "1. start db-node-0: is new\n"
        "db-node-1: waits for db-node-0 to be ready first\n"
        "db-node-2: waits for db-node-0 to be ready first"
    )


def test_members_that_were_ready_before_start_at_once_whatever_the_health_of_others():
    seen = [member(THREE, 0, **DOWN), member(THREE, 1, **STOPPED), member(THREE, 2, **STOPPED)]
    assert planned(THREE, sight(*seen)) == (
        "1. start db-node-1: is stopped\n"
        "1. start db-node-2: is stopped\n"
        "db-node-0: waits for readiness (backoff)"
    )


def test_a_stopped_member_takes_the_wanted_revision_before_it_starts():
    seen = member(LONE, 0, **STOPPED)
    assert planned(LONE.but(restart_text="b"), sight(seen)) == (
        "1. configure db-node-0: does not run and has another revision than the wanted one"
    )


def test_later_members_join_one_by_one():
    order = THREE.but(members={"node": 5})
    assert planned(order, sight(*all_ready(order, 3))) == (
        "1. provision db-node-3: is missing, joins the others\n"
        "db-node-4: waits for db-node-3 to have joined"
    )


def test_growing_asks_no_health_of_members_that_have_been_ready():
    order = THREE.but(members={"node": 4})
    seen = sight(member(order, 0), member(order, 1, **DOWN), member(order, 2))
    assert planned(order, seen).startswith("1. provision db-node-3: is missing, joins the others")


def test_nobody_joins_while_another_hands_over():
    order = THREE.but(members={"node": 4})
    leaving = member(order, 4, actions=acted("leave:db-node-4:0:1", ActionPhase.RUNNING))
    assert "db-node-3: waits for db-node-4 to end its hand-over" in planned(
        order, sight(*all_ready(order, 3), leaving)
    )


def test_a_lost_founder_comes_back_as_a_new_incarnation_and_joins():
    assert planned(THREE, sight(member(THREE, 0), member(THREE, 2))) == (
        "1. provision db-node-1: is missing, comes back as incarnation 1"
    )


def test_members_whose_volumes_were_kept_come_back_as_they_were():
    order = THREE.but(members={"node": 4})
    names = [f"db-node-{n}" for n in range(4)]
    assert planned(order, sight(kept=tuple(map(kept, names)))) == "\n".join(
        f"1. provision {name}: is missing, its volumes were kept" for name in names
    )


def test_a_gone_agent_is_revived_at_once_and_a_silent_one_after_twenty_seconds():
    order = Order(parts=parts(), members={"node": 2}, founders={"node": 2})
    fresh = member(order, 0, silent_since=NOW - 3, **SILENT)
    long_silent = member(order, 1, silent_since=NOW - 21, **SILENT)
    assert planned(order, sight(fresh, long_silent)) == (
        "1. revive agent of db-node-1: its agent is silent since 21 s\n"
        "db-node-0: waits for its agent to answer"
    )


# departures


def test_the_highest_extra_member_hands_over_first():
    order = THREE.but(members={"node": 1})
    assert planned(order, sight(*all_ready(THREE))) == (
        "1. leave on db-node-2: 3 members of node, 1 wanted\n"
        "db-node-1: waits for db-node-2 to leave first"
    )


def test_nobody_leaves_while_a_wanted_member_is_not_ready():
    order = THREE.but(members={"node": 2})
    seen = sight(member(order, 0, **STARTING), member(order, 1), member(order, 2))
    assert planned(order, seen) == (
        "db-node-2: waits for db-node-0 to be ready: the leaving may hold the only good copy\n"
        "db-node-0: waits for readiness (starting)"
    )


def test_who_has_handed_over_is_stopped_then_retired_with_its_certificate():
    order = THREE.but(members={"node": 2})
    left = acted("leave:db-node-2:0:2")
    others = all_ready(order)
    assert planned(order, sight(*others, member(order, 2, actions=left))) == (
        "1. stop db-node-2: 3 members of node, 2 wanted"
    )
    held = {**STOPPED, "certificate": Certificate.HELD}
    assert planned(order, sight(*others, member(order, 2, actions=left, **held))) == (
        "db-node-2: waits for its software to end"
    )
    assert planned(order, sight(*others, member(order, 2, actions=left, **STOPPED))) == (
        "1. retire db-node-2: 3 members of node, 2 wanted"
    )


def test_a_failed_hand_over_waits_for_a_new_wish_and_is_then_tried_again():
    order = THREE.but(members={"node": 2})
    failed = acted("leave:db-node-2:0:2", ActionPhase.FAILED, note="no room")
    seen = sight(*all_ready(order), member(order, 2, actions=failed))
    assert planned(order, seen) == (
        "db-node-2: waits for a new wish: its hand-over failed: no room"
    )
    assert planned(order.but(), seen) == "1. leave on db-node-2: 3 members of node, 2 wanted"


def test_a_running_hand_over_is_never_ordered_again_by_a_newer_wish():
    order = THREE.but(members={"node": 2}).but().but()
    runs = acted("leave:db-node-2:0:2", ActionPhase.RUNNING, note="40 %")
    assert planned(order, sight(*all_ready(order), member(order, 2, actions=runs))) == (
        "db-node-2: waits for its hand-over to end (40 %)"
    )


def test_a_member_wanted_again_after_its_hand_over_goes_and_comes_back():
    left = acted("leave:db-node-2:0:2")
    seen = sight(member(THREE, 0), member(THREE, 1), member(THREE, 2, actions=left))
    assert planned(THREE, seen) == ("1. stop db-node-2: has left, comes back as a new incarnation")


def test_a_stopped_member_with_data_is_started_to_hand_it_over():
    order = THREE.but(members={"node": 2})
    assert planned(order, sight(*all_ready(order), member(order, 2, **STOPPED))) == (
        "1. start db-node-2: 3 members of node, 2 wanted; it must run to hand over"
    )


def test_a_member_that_never_ran_just_goes():
    order = THREE.but(members={"node": 2})
    made = member(order, 2, **{**MADE, "initialised": False})
    assert planned(order, sight(*all_ready(order), made)) == (
        "1. retire db-node-2: 3 members of node, 2 wanted"
    )
