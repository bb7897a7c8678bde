import pytest
from tests.property.driver import Driver
from tests.property.histories import SHAPES
from tests.property.worlds import Order, Part, desired_of
from tests.unit.engine.sights import LONE, NOW, all_ready, member, sight

from freehold.engine.forecast import foresee
from freehold.engine.observed import Observed
from freehold.engine.plan import Act
from freehold.engine.wish import Want


def steps(order: Order, observed: Observed) -> list[str]:
    found = foresee(lambda seen: desired_of(order, seen), observed, NOW)
    return [f"{each.stage}. {each.step}{' !' * each.interrupts}" for each in found]


def test_an_install_is_foreseen_to_its_end():
    order = Order(parts=(Part(duties=("formed",)),), members={"node": 2}, founders={"node": 2})
    assert steps(order, Observed()) == [
        "1. fetch software 1.0",
        "1. issue 1 secret",
        "2. provision db-node-0",
        "2. provision db-node-1",
        "3. start db-node-0",
        "3. start db-node-1",
        "4. do-formed on db-node-0",
    ]


def test_restarting_the_only_member_is_marked_as_an_interruption():
    assert steps(LONE.but(restart="s1"), sight(member(LONE, 0))) == ["1. restart db-node-0 !"]


def test_a_rolling_restart_is_none():
    assert steps(Order().but(restart="s1"), sight(*all_ready(Order()))) == [
        "1. restart db-node-0",
        "2. restart db-node-1",
        "3. restart db-node-2",
    ]


def test_what_only_a_person_can_give_ends_the_forecast():
    order = LONE.but(rebuild={"db-node-0": 1})
    assert steps(order, sight(member(order, 0))) == []


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_the_forecast_of_a_calm_day_is_what_happens(shape):
    driver = Driver(SHAPES[shape])
    for change in ({}, {"restart_text": "b"}, {"restart": "s1"}, {"want": Want.PURGED}):
        driver.ask(driver.order.but(**change))
        _, observed = driver.look()
        foreseen = foresee(lambda seen: desired_of(driver.order, seen), observed, NOW)
        driver.steps.clear()
        driver.settle()
        done = [each for each in driver.steps if not (isinstance(each, Act) and each.background)]
        assert sorted(map(str, done)) == sorted(str(each.step) for each in foreseen)
