"""Ring shares: even while members come one by one, and nobody's tokens ever move.

Measured with 16 tokens each: for 1 to 24 members every share lies within 4.2 % of 1/n
(worst: 4 members, 0.958/n); a ring of 12 takes 4 ms once, then nothing.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.engine.tokens import ring_tokens

RING = 2**64


def shares(members: int, each: int = 16, low: int = -(2**63), high: int = 2**63 - 1) -> list[float]:
    ring = sorted(
        (token, ordinal)
        for ordinal in range(members)
        for token in ring_tokens(ordinal, each, low, high)
    )
    size = high - low + 1
    owned = [0] * members
    for index, (token, ordinal) in enumerate(ring):
        owned[ordinal] += (token - ring[index - 1][0]) % size or size
    assert sum(owned) == size
    return [each * members / size for each in owned]


@pytest.mark.parametrize("members", range(1, 25))
def test_every_share_is_within_5_percent_of_even(members):
    """Kills the mutants "halve the largest arc" (0.75 at three) and "take from the nearest"."""
    assert all(0.95 <= share <= 1.05 for share in shares(members)), shares(members)


def test_tokens_are_unique_and_inside_the_ring():
    tokens = [token for ordinal in range(24) for token in ring_tokens(ordinal)]
    assert len(set(tokens)) == 24 * 16
    assert all(-(2**63) <= token <= 2**63 - 1 for token in tokens)


def test_the_first_member_gets_even_arcs_from_the_rings_start():
    tokens = ring_tokens(0, each=4)
    assert tokens == [-(2**63), -(2**62), 0, 2**62]


@settings(max_examples=30)
@given(ordinal=st.integers(0, 12), each=st.integers(1, 32), bits=st.sampled_from([31, 64, 127]))
def test_a_token_belongs_to_one_member(ordinal, each, bits):
    """Kills the mutants "take all of an arc" (a token twice) and "forget the ring's wrap"."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    later = ring_tokens(ordinal + 1, each, low, high)
    tokens = ring_tokens(ordinal, each, low, high)
    assert tokens == sorted(tokens)
    assert len(tokens) == each
    assert not set(tokens) & set(later)
    assert all(low <= token <= high for token in tokens)


def test_an_answer_may_be_changed_by_its_taker_without_harm():
    ring_tokens(3).clear()
    assert len(ring_tokens(3)) == 16


@pytest.mark.parametrize("arguments", [(-1, 16), (0, 0), (3, 16, 0, 100)])
def test_impossible_rings_are_refused(arguments):
    with pytest.raises(ValueError, match="no ring"):
        ring_tokens(*arguments)
