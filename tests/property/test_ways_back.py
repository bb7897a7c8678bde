"""A newer wish supersedes, a cancelled one goes back, and a bad revision stops and can be cured."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.property.driver import Driver
from tests.property.histories import ASKS, SHAPES, asks, shapes
from tests.property.test_convergence import fresh
from tests.property.worlds import Order, spec_of

from freehold.engine.wish import Want
from freehold.runtimes.simulated import Habits


# Kills the mutant: incarnations.py rule 1 dropped (volumes that left are used again).
@given(shape=shapes, first=asks, then=asks, after=st.integers(0, 25))
def test_a_newer_wish_supersedes_the_one_on_its_way(shape, first, then, after):
    driver = Driver(shape)
    driver.settle()
    ASKS[first.name](driver, first.number)
    driver.go(after)
    ASKS[then.name](driver, then.number)
    ASKS["start"](driver, 0)
    driver.settle()
    assert driver.end_state() == fresh(driver.order)


# Kills the mutant: stamps compared with ``!=`` (a restart taken back restarts everybody again).
@given(shape=shapes, asked=asks, after=st.integers(0, 40))
def test_a_cancelled_wish_goes_back_to_where_it_came_from(shape, asked, after):
    driver = Driver(shape)
    driver.settle()
    order, state = driver.order, driver.end_state()
    ASKS[asked.name](driver, asked.number)
    driver.go(after)
    driver.ask(
        driver.order.but(
            members=order.members,
            rebuild=order.rebuild,
            restart=order.restart,
            restart_text=order.restart_text,
            live_text=order.live_text,
            want=order.want,
        )
    )
    driver.settle()
    assert driver.end_state() == state


# Enumerated, because the windows are one round wide. Kills the mutant: a wanted member whose
# hand-over is done is left running (removal.py, rule 1); members join during a hand-over.
@pytest.mark.parametrize(("first", "count", "then"), [(3, 1, 3), (3, 2, 3), (4, 3, 5)])
def test_a_scale_in_overtaken_at_any_round_brings_everybody_back(first, count, then):
    driver = Driver(SHAPES["three"].but(members={"node": first}))
    driver.settle()
    state = fresh(driver.order.but(members={"node": then}))
    for after in range(25):
        one = deepcopy(driver)
        one.ask(one.order.but(members={"node": count}))
        one.go(after)
        one.ask(one.order.but(members={"node": then}))
        one.settle()
        assert one.end_state() == state, f"overtaken after {after} rounds"


# Whatever the uninstall wrote on the volumes, the member's own record of its hand-over decides.
def test_a_scale_in_uninstalled_at_any_round_never_uses_volumes_that_have_left():
    driver = Driver(SHAPES["three"])
    driver.settle()
    state = driver.end_state()
    for after in range(25):
        one = deepcopy(driver)
        one.ask(one.order.but(members={"node": 2}))
        one.go(after)
        one.ask(one.order.but(want=Want.UNINSTALLED))
        one.settle()
        one.ask(one.order.but(want=Want.RUNNING, members={"node": 3}))
        one.settle()
        assert one.end_state() == state, f"uninstalled after {after} rounds"


def broken(order: Order) -> frozenset[str]:
    return frozenset({spec_of(order, "node", 0).restart_hash})


# Kills the mutant: whoever is not ready gets the new revision at once (rollout.py, rule 2).
@given(
    shape=st.sampled_from(["three", "led", "wide", "plain"]), crashes=st.lists(st.integers(0, 4))
)
def test_a_bad_revision_reaches_no_more_members_than_may_be_down(shape, crashes):
    order = SHAPES[shape]
    bad = order.but(restart_text="bad")
    driver = Driver(order, Habits(broken=broken(bad)))
    driver.settle()
    driver.ask(bad)
    driver.go(10)
    members = driver.world.members("db")
    for number in crashes:
        members[f"db-node-{number % len(members)}"].crash(driver.clock.now())
        driver.go(2)
    spoilt = [m for m in members.values() if m.spec.facts["text"][0] == "bad"]
    assert len(spoilt) <= order.parts[0].down_at_once
    driver.ask(driver.order.but(restart_text="a"))  # the rollback asks nobody's health
    driver.settle()
    assert driver.end_state() == fresh(driver.order)


# Kills the mutant: the cure waits for health (rollout.py without rule 5).
@given(shape=st.sampled_from(["three", "led", "wide", "plain"]))
def test_members_that_need_each_other_are_cured_although_none_is_healthy(shape):
    order = SHAPES[shape]
    driver = Driver(order, Habits(needs_quorum=True, broken=frozenset()))
    driver.settle()
    habits = Habits(needs_quorum=True, broken=broken(order))
    driver.world.habits = habits
    for member in driver.world.members("db").values():
        member.habits = habits  # what worked until today does so no more: a certificate expired
        member.crash(driver.clock.now())
    driver.go(10)
    driver.ask(driver.order.but(restart_text="cure"))
    driver.settle()
    assert all(member.is_up for member in driver.world.members("db").values())
