"""Actions that the engine orders by itself: once, and again after a failure, never two at a time.

The first attempt has the key of the fact that asked for it; after a failure the next is
``key#2``, ``key#3``, … each 30 s after the one before it ended; some end after so many tries. What
was tried is read from the members' own records, so nothing has to be remembered between rounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from freehold.engine.observed import ObservedMember
from freehold.foundation.member import ActionPhase, ActionState

RETRY_AFTER_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    is_done: bool = False
    next_key: str = ""  # order it under this key now; "" = not now
    what: str = ""  # what is waited for when there is nothing to order


def attempts_at(
    base: str,
    actions: Iterable[tuple[ObservedMember, ActionState]],
    now: float,
    most: int | None = None,
) -> Attempts:
    """Return how far the action named ``base`` is, and under which key to order it next.

    Args:
        most: attempts, after which it is given up; None: never.
    """
    tried = [
        (_number(state.key), member, state)
        for member, state in actions
        if state.key.partition("#")[0] == base
    ]
    if any(state.phase is ActionPhase.DONE for _, _, state in tried):
        return Attempts(is_done=True)
    for _, member, state in tried:
        if state.phase is ActionPhase.RUNNING:
            note = f" ({state.note})" if state.note else ""
            return Attempts(what=f"it to end on {member.name}{note}")
    if not tried:
        return Attempts(next_key=base)
    number, _, last = max(tried, key=lambda each: each[0])
    if most is not None and number >= most:
        return Attempts(what=f"nothing: given up after {number} tries: {last.note or last.phase}")
    ended_at = last.ended_at if last.ended_at is not None else last.started_at
    if now - ended_at >= RETRY_AFTER_S:
        return Attempts(next_key=f"{base}#{number + 1}")
    return Attempts(what=f"another try: {last.note or last.phase}")


def _number(key: str) -> int:
    return int(key.partition("#")[2] or 1)
