"""The loop dies at every effect, before it and after it; nothing is done twice, nothing is missing.

The differential oracle of Sieve (OSDI'22): end state and counts of effects equal a clean run's.
"""

from copy import deepcopy

import pytest
from tests.property.driver import Driver
from tests.property.histories import SHAPES
from tests.property.worlds import Order

from freehold.engine.wish import Want

# One life of a service: every verb once. Each entry changes the order of before.
LIFE = (
    {"members": {"node": 4}},
    {"restart_text": "b"},
    {"restart": "s0001"},
    {"members": {"node": 3}},
    {"rebuild": {"db-node-1": 1}},
    {"want": Want.STOPPED},
    {"want": Want.RUNNING, "live_text": "b"},
    {"want": Want.UNINSTALLED},
    {"want": Want.RUNNING},
    {"want": Want.PURGED},
)


def chapters(order: Order) -> list[tuple[Driver, Driver]]:
    """Return the place before and after each verb of a life without crashes."""
    driver = Driver(order)
    found = [(deepcopy(driver), driver)]
    driver.settle()
    for change in LIFE:
        driver = deepcopy(driver)
        driver.ask(driver.order.but(**change))
        driver.points = 0
        found.append((deepcopy(driver), driver))
        driver.settle()
    return found


# Kills the mutant: a duty is looked for only in the record of the member it would be given to.
@pytest.mark.parametrize("shape", ["three", "led"])
def test_a_loop_killed_at_any_effect_ends_as_a_clean_run_with_nothing_done_twice(shape):
    points = 0
    for before, clean in chapters(SHAPES[shape]):
        points += clean.points
        for number in range(1, clean.points + 1):
            driver = deepcopy(before)
            driver.killed_at = number
            driver.settle()
            assert driver.end_state() == clean.end_state(), f"killed at {number}"
            assert driver.world.effects == clean.world.effects, f"killed at {number}"
    assert points > 100
