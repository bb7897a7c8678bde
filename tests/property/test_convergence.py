"""Whatever happened, the wish is reached, and it is the same place from any path.

Each test names the mutants it was seen to fail against (tried by hand in the rule's text).
"""

from hypothesis import given
from hypothesis import strategies as st
from tests.property.driver import Driver
from tests.property.histories import heal, histories, live_through, shapes

from freehold.engine.wish import Want


def fresh(order):
    driver = Driver(order)
    driver.settle()
    return driver.end_state()


# Kills the mutants: rollout.py without ``fits``; repair.py never reviving a silent agent; rebuild.py
# retiring without the certificate (refused for ever); rebuild.py without rule 4 (found by this
# test: two rebuilds, stop, start); duties.py looking at one member's record only.
@given(shape=shapes, history=histories, wants=st.sampled_from([Want.RUNNING] * 3 + [*Want]))
def test_any_history_ends_where_a_fresh_install_of_the_wish_does(shape, history, wants):
    driver = Driver(shape)
    driver.go(30)
    live_through(driver, history)
    heal(driver)
    driver.ask(driver.order.but(want=wants))
    driver.settle()
    if wants is Want.RUNNING:
        assert driver.end_state() == fresh(driver.order)
    elif wants is Want.STOPPED:
        assert not any(m.lives for m in driver.world.members("db").values())
    elif wants is Want.UNINSTALLED:
        assert not driver.world.members("db")
    else:
        assert driver.end_state() is None
        assert not driver.world.secrets
