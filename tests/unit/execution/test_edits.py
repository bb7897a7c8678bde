from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from freehold.engine.wish import Want, Wish
from freehold.execution.edits import difference, revert

WISH = Wish(
    service="orders", lineage="l", package="echo", version="1.0", definition="d", preset="ha",
    knobs={"members": 3}, site="here",
)  # fmt: skip


@given(members=st.integers(1, 9), want=st.sampled_from(Want), restart=st.text(max_size=3))
def test_a_cancelled_edit_leaves_the_wish_as_it_was_but_newer(members, want, restart):
    # kills the mutant "revert keeps what the operation set"
    edited = replace(WISH, knobs={"members": members}, want=want, restart=restart, generation=2)
    before, _after = difference(WISH, edited)
    back = revert(edited, before) if before else edited
    assert replace(back, generation=1) == WISH or not before
    assert back.generation > WISH.generation


def test_a_cancelled_install_keeps_volumes():
    assert revert(WISH, {}).want is Want.UNINSTALLED


def test_a_difference_holds_only_what_changed():
    before, after = difference(WISH, replace(WISH, restart="now", generation=2))
    assert (before, after) == ({"restart": ""}, {"restart": "now"})
