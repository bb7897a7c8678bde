"""Shares of a token ring that stay even while members come, one by one.

A token owns the arc from the token before it (exclusive) to itself. The first member gets evenly
spaced tokens. Each next one takes its tokens from whoever owns most at that moment, each
from that owner's largest arc, so shares stay near 1/n without moving any earlier token: what a
member was given at its first boot is its for life.
"""

from __future__ import annotations

import functools

LOW, HIGH = -(2**63), 2**63 - 1


def ring_tokens(ordinal: int, each: int = 16, low: int = LOW, high: int = HIGH) -> list[int]:
    """Return the tokens of the member with this ordinal, ascending; the same at every call.

    Args:
        ordinal: 0-based; the members before it are thought to have theirs.
        each: tokens a member has.
        low, high: first and last token of the ring, both possible.

    Raises:
        ValueError: no such member, or a ring too small for so many tokens.
    """
    if ordinal < 0 or each < 1 or (high - low) < each * (ordinal + 1) * 64:
        raise ValueError(f"no ring of {low}..{high} has {each} tokens for member {ordinal}")
    return list(_rings(ordinal + 1, each, low, high)[ordinal])


@functools.lru_cache(maxsize=256)
def _rings(members: int, each: int, low: int, high: int) -> tuple[tuple[int, ...], ...]:
    """Return the tokens of each of the first ``members`` members."""
    size = high - low + 1
    if members == 1:
        return (tuple(low + size * number // each for number in range(each)),)
    earlier = _rings(members - 1, each, low, high)
    ring = sorted((token, owner) for owner, tokens in enumerate(earlier) for token in tokens)
    target = size // (each * members)
    return (*earlier, _extend(ring, each, size, target, low))


def _extend(
    ring: list[tuple[int, int]], each: int, size: int, target: int, low: int
) -> tuple[int, ...]:
    shares: dict[int, int] = {}
    arcs: dict[int, tuple[int, int]] = {}  # token -> (owner, length of its arc)
    for index, (token, owner) in enumerate(ring):
        length = (token - ring[index - 1][0]) % size or size
        arcs[token] = (owner, length)
        shares[owner] = shares.get(owner, 0) + length
    taken: list[int] = []
    for _ in range(each):
        richest = max(shares, key=lambda owner: (shares[owner], -owner))
        token = max(
            (candidate for candidate in arcs if arcs[candidate][0] == richest),
            key=lambda candidate: (arcs[candidate][1], -candidate),
        )
        length = arcs[token][1]
        # The new token takes the arc's first part; never all of it, the owner's token stays.
        share = min(target, length - length // 4)
        placed = (token - length + share - low) % size + low
        arcs[token] = (richest, length - share)
        shares[richest] -= share
        taken.append(placed)
    return tuple(sorted(taken))
