"""Actions that facts ask for."""

from dataclasses import replace

from tests.property.worlds import Order, desired_of
from tests.unit.engine.sights import (
    NOW,
    STARTING,
    STOPPED,
    acted,
    all_ready,
    member,
    parts,
    planned,
    sight,
)

from freehold.engine.plan import Act
from freehold.engine.planner import plan
from freehold.engine.wish import Want
from freehold.foundation.member import ActionPhase

FORMED = Order(parts=parts(duties=("formed",)))
CHANGED = Order(parts=parts(duties=("members-changed",)))
JOINED = Order(parts=parts(duties=("joined",)), members={"node": 4})
SETTLED = Order(parts=parts(duties=("settled", "formed")))


def act_of(order, observed, now=NOW) -> Act | None:
    steps = plan(desired_of(order, observed), observed, now).steps
    return next((step for step in steps if isinstance(step, Act)), None)


def test_formed_runs_once_all_founders_are_ready():
    seen = sight(member(FORMED, 0), member(FORMED, 1), member(FORMED, 2, **STARTING))
    assert "do-formed: waits for all first members of node to be ready" in planned(FORMED, seen)
    assert planned(FORMED, sight(*all_ready(FORMED))) == (
        "1. do-formed on db-node-0: all first members are ready"
    )
    done = member(FORMED, 0, actions=acted("formed:L1"))
    assert planned(FORMED, sight(done, *all_ready(FORMED)[1:])) == ""


def test_a_failed_duty_is_tried_again_under_a_new_key_after_thirty_seconds():
    failed = acted("formed:L1", ActionPhase.FAILED, note="no route")
    seen = sight(member(FORMED, 0, actions=failed), *all_ready(FORMED)[1:])
    assert planned(FORMED, seen) == "do-formed: waits for another try: no route"
    again = act_of(FORMED, seen, NOW + 30)
    assert again is not None
    assert again.key == "formed:L1#2"


def test_members_changed_runs_once_per_set_of_members():
    act = act_of(CHANGED, sight(*all_ready(CHANGED)))
    assert act is not None
    done = member(CHANGED, 2, actions=acted(act.key))
    settled = sight(*all_ready(CHANGED)[:2], done)
    assert planned(CHANGED, settled) == ""
    grown = CHANGED.but(members={"node": 4})
    more = sight(*settled.members.values(), member(grown, 3))
    assert planned(grown, more) == "1. do-members-changed on db-node-0: 4 members have joined"


def test_members_changed_does_not_take_a_rebuild_for_a_departure():
    order = CHANGED.but(rebuild={"db-node-1": 1})
    seen = sight(member(order, 0), member(order, 1, **STOPPED), member(order, 2))
    assert "do-members-changed: waits for db-node-1 to be rebuilt" in planned(order, seen)


def test_members_changed_waits_until_departures_have_ended():
    order = CHANGED.but(members={"node": 2})
    leaving = member(order, 2, actions=acted("leave:db-node-2:0:2", ActionPhase.RUNNING))
    assert "do-members-changed: waits for db-node-2 to leave" in planned(
        order, sight(*all_ready(order), leaving)
    )


def test_older_members_tidy_up_one_by_one_after_the_newest_joined():
    ready = all_ready(JOINED)
    assert planned(JOINED, sight(*ready)) == "1. do-joined on db-node-0: db-node-3 has joined"
    tidied = acted("joined:db-node-3:0")
    ready[0] = replace(ready[0], actions=tidied)
    assert planned(JOINED, sight(*ready)) == "1. do-joined on db-node-1: db-node-3 has joined"
    done = [replace(each, actions=tidied) for each in ready[:3]]
    assert planned(JOINED, sight(*done, ready[3])) == ""


def settled(*, formed: bool = True, **first: object):
    """All members of SETTLED, the first with what differs."""
    actions = {**acted("formed:L1"), **first.pop("actions", {})} if formed else {}
    return sight(member(SETTLED, 0, actions=actions, **first), *all_ready(SETTLED)[1:])


def test_what_nobody_waits_for_comes_last_and_leaves_the_wish_fulfilled():
    seen = settled(formed=False)
    assert planned(SETTLED, seen) == "1. do-formed on db-node-0: all first members are ready"
    told = plan(desired_of(SETTLED, settled()), settled(), NOW)
    assert str(told) == "1. do-settled on db-node-0: 1.0 runs, and nobody waits for this"
    assert told.is_fulfilled
    assert act_of(SETTLED, settled()).key == "settled:do-settled:1.0"


def test_what_nobody_waits_for_is_no_wait_while_it_runs_and_runs_once_per_version():
    key = "settled:do-settled:1.0"
    for phase in (ActionPhase.RUNNING, ActionPhase.DONE):
        assert planned(SETTLED, settled(actions=acted(key, phase))) == ""
    newer = SETTLED.but(version="2.0")
    seen = sight(member(newer, 0, actions=acted("formed:L1") | acted(key)), *all_ready(newer)[1:])
    assert act_of(newer, seen).key == "settled:do-settled:2.0"


def test_what_nobody_waits_for_is_given_up_after_three_tries():
    key = "settled:do-settled:1.0"
    tried = acted(key, ActionPhase.FAILED)
    assert planned(SETTLED, settled(actions=tried)) == ""
    assert act_of(SETTLED, settled(actions=tried), NOW + 30).key == f"{key}#2"
    tried |= acted(f"{key}#2", ActionPhase.CANCELLED) | acted(f"{key}#3", ActionPhase.FAILED)
    assert planned(SETTLED, settled(actions=tried), NOW + 9999) == ""


def test_what_nobody_waits_for_needs_all_to_be_well():
    assert "do-settled" not in planned(SETTLED, settled(**STARTING))


def test_what_nobody_waits_for_holds_back_no_departure_and_is_cancelled_by_a_stop():
    running = acted("settled:do-settled:1.0", ActionPhase.RUNNING)
    fewer = SETTLED.but(members={"node": 2})
    first = member(fewer, 0, actions=acted("formed:L1") | running)
    seen = sight(first, member(fewer, 1), member(fewer, 2))
    assert "1. leave on db-node-2: 3 members of node, 2 wanted" in planned(fewer, seen)
    stop = SETTLED.but(want=Want.STOPPED)
    assert "do-settled" not in planned(stop, settled())
    assert "cancel settled:do-settled:1.0" in planned(stop, settled(actions=running))
