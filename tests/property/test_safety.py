"""What no plan may do, in any world; judged at every round by oracle.py.

Each test names the mutants it was seen to fail against (tried by hand in the rule's text).
"""

from hypothesis import given
from tests.property.driver import Driver
from tests.property.histories import heal, histories, live_through, shapes

from freehold.engine.observed import Retirement
from freehold.engine.wish import Want


# Kills the mutants: rollout.py without the quorum in ``fits``; with ``free = True``; removal.py
# without rule 2; rebuild.py without rule 1; situation.py with only ``initialised`` members
# established (a silent agent makes the quorum look smaller).
@given(shape=shapes, history=histories)
def test_no_plan_ever_breaks_a_promise(shape, history):
    driver = Driver(shape)
    driver.go(30)
    live_through(driver, history)
    driver.go(30)


# Kills the mutant: planner.py plans a purge where an uninstall is wanted.
@given(shape=shapes, history=histories)
def test_no_volume_goes_without_a_purge_of_its_service(shape, history):
    driver = Driver(shape)
    driver.go(30)
    live_through(driver, history)
    heal(driver)
    driver.ask(driver.order.but(want=Want.UNINSTALLED))
    driver.settle()
    assert not [effect for effect in driver.world.effects if effect.startswith("destroy")]
    made = {e.split()[1] for e in driver.world.effects if e.startswith("provision")}
    kept = {f"{k.seen.member}:{k.seen.incarnation}" for k in driver.world.service("db").kept}
    assert kept == made
    left = {k.seen.member for k in driver.world.service("db").kept if k.member.left}
    assert all(
        k.retirement is not Retirement.NONE
        for k in driver.world.service("db").kept
        if k.member.left
    ), left
