"""Which incarnation of each member is wanted: whose volumes may be used, and whose never again.

Pure; the loop calls it before rendering, because a member's spec names its incarnation.

Rules, strongest first:

1. Volumes that left or were replaced, and fenced members, are never used again: the member
   comes back one higher.
2. A wish to rebuild raises the incarnation; what exists below it is replaced.
3. What exists, or was kept by an uninstall, stays what it is.
4. A founder whose volumes vanished while others of its component live on is a loss, not a
   first boot: it comes back one higher and joins, never blank beside the others' data.
"""

from __future__ import annotations

from collections.abc import Mapping

from freehold.engine.observed import Observed, Retirement
from freehold.engine.wish import Wish
from freehold.foundation.member import Phase
from freehold.foundation.names import member_name


def incarnations(wish: Wish, observed: Observed) -> tuple[Mapping[str, int], frozenset[str]]:
    """Return the wanted incarnation of every member that is not simply new (those have 0).

    The second value names members that take the place of a former incarnation that did not
    hand over and leave: the software may have to be told whom they replace.
    """
    ends = _known(observed)
    numbers = {name: _next(known) for name, known in ends.items()}
    lost = _lost_founders(wish, observed)
    numbers.update(dict.fromkeys(lost, 1))
    for name, least in wish.rebuild.items():
        numbers[name] = max(least, numbers.get(name, 0))
    replaced = {
        name
        for name, number in numbers.items()
        if (former := _former(ends.get(name, {}), number)) is not None
        and former is not Retirement.LEFT
    }
    return numbers, frozenset(replaced | set(lost))


def _known(observed: Observed) -> dict[str, dict[int, Retirement | None]]:
    """Return how each incarnation of each member ended; None: it lives."""
    ends: dict[str, dict[int, Retirement | None]] = {}
    for volumes in observed.kept:
        ends.setdefault(volumes.member, {})[volumes.incarnation] = volumes.retirement
    for name, member in observed.members.items():
        fenced = Retirement.REPLACED if member.phase is Phase.FENCED else None
        ends.setdefault(name, {})[member.incarnation] = fenced
    return ends


def _next(known: Mapping[int, Retirement | None]) -> int:
    highest = max(known)
    return highest if known[highest] in (None, Retirement.NONE) else highest + 1


def _former(known: Mapping[int, Retirement | None], number: int) -> Retirement | None:
    """Return how the incarnation before ``number`` ended or will end; None: there was none."""
    below = [each for each in known if each < number]
    if not below:
        return None
    return known[max(below)] or Retirement.REPLACED


def _lost_founders(wish: Wish, observed: Observed) -> tuple[str, ...]:
    known = {volumes.member for volumes in observed.kept} | set(observed.members)
    settled = {member.component for member in observed.members.values() if member.initialised}
    return tuple(
        name
        for component, count in wish.founders.items()
        if component in settled
        for ordinal in range(count)
        if (name := member_name(wish.service, component, ordinal)) not in known
    )
