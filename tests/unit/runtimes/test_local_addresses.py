import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.runtimes.local.addresses import (
    Block,
    BlockClaim,
    allocate,
    candidate_prefixes,
)

BLOCK = Block(prefix="127.70.3", uid=0, home="/h")


def test_the_order_of_blocks_visits_each_once_and_depends_on_the_home():
    every = list(candidate_prefixes(0, "/h"))
    assert len(set(every)) == 64 * 256
    assert all(64 <= int(prefix.split(".")[1]) < 128 for prefix in every)
    assert every[0] != next(candidate_prefixes(0, "/other"))
    assert every[0] != next(candidate_prefixes(1, "/h"))


def test_new_members_get_the_lowest_free_address():
    taken = {"a-0": "127.70.3.1", "a-2": "127.70.3.3"}
    given_out = allocate(BLOCK, taken, ["a-0", "a-1", "a-2", "a-3"], reserved=["127.70.3.4"])
    assert given_out == {**taken, "a-1": "127.70.3.2", "a-3": "127.70.3.5"}


@given(calls=st.lists(st.lists(st.integers(0, 30), max_size=6), max_size=8))
def test_an_address_is_for_life_and_nobody_elses(calls):  # kills "allocate from scratch"
    taken: dict[str, str] = {}
    for call in calls:
        before = dict(taken)
        taken = dict(allocate(BLOCK, taken, [f"m-{number}" for number in call]))
        assert before.items() <= taken.items()
        assert len(set(taken.values())) == len(taken)


def test_a_full_block_is_refused():
    with pytest.raises(RefusedError, match="cannot give m-254 an address"):
        allocate(BLOCK, {}, [f"m-{number}" for number in range(255)])


def test_a_block_is_chosen_once_and_recorded(tmp_path):
    claim = BlockClaim(tmp_path / "block.json", 0)
    chosen = claim.take(busy=frozenset)
    claim.release()
    assert BlockClaim(tmp_path / "block.json", 0).read() == chosen


def test_a_block_where_somebody_listens_is_left_alone(tmp_path):
    first, second = itertools.islice(candidate_prefixes(0, str(tmp_path.resolve())), 2)
    claim = BlockClaim(tmp_path / "block.json", 0)
    assert claim.take(busy=lambda: frozenset({first})).prefix == second
    claim.release()


def test_a_block_that_a_living_daemon_holds_is_left_alone(tmp_path):
    """Two homes whose hashes meet: the second sees the first one's name for the block."""
    holding, coming = tmp_path / "a" / "block.json", tmp_path / "a" / "again.json"
    holding.parent.mkdir()
    first, second = BlockClaim(holding, 0), BlockClaim(coming, 0)  # one folder: one hash
    try:
        assert first.take(busy=frozenset).prefix != second.take(busy=frozenset).prefix
    finally:
        first.release()
        second.release()


def test_a_damaged_record_is_never_read_as_no_block(tmp_path):
    (tmp_path / "block.json").write_text("{")
    with pytest.raises(PermanentFault, match="cannot read"):
        BlockClaim(tmp_path / "block.json", 0).take()
