"""Decide when a process that ended is started again, and whether a change is given up.

Pure. Rules, strongest first:

1. The first failure of a cause restarts at once: most crashes never repeat.
2. The same cause again waits: 0.5 s, then twice as long each time, up to a minute. Causes are
   counted apart, so two that alternate wait as well.
3. A process that ran for a minute starts with a clean sheet; so does every new order or file.
4. A cause that nobody can know (an adopted process) counts as a first crash.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

FIRST_S = 0.5
CAP_S = 60.0
LONG_ENOUGH_S = 60.0
MANY_CAUSES = 8  # so many different ones in a row are one: "it does not work"
UNKNOWN = "unknown"


class Streak(msgspec.Struct, frozen=True):
    """Failures since the process last ran long enough: cause -> how often."""

    failures: Mapping[str, int] = msgspec.field(default_factory=dict)


def after_exit(streak: Streak, cause: str, ran_s: float) -> tuple[float, Streak]:
    """Return the seconds to wait before the next start, and the streak from now on."""
    seen: Mapping[str, int] = {} if ran_s >= LONG_ENOUGH_S else streak.failures
    if cause == UNKNOWN:
        return 0.0, Streak({UNKNOWN: 1})
    times = seen.get(cause, 0) + 1
    if len(seen) >= MANY_CAUSES:
        times = max(times, MANY_CAUSES)
    delay = 0.0 if times == 1 else min(CAP_S, FIRST_S * 2 ** min(times - 2, 16))
    return delay, Streak({**seen, cause: times})


def gives_up(*, cause: str, attempts: int, was_ready: bool, good_exists: bool) -> bool:
    """Whether a newly accepted change is given up for the last good one.

    A program that ends by itself before it was ever ready has refused its files: at once. One that
    was killed may have been killed by anybody: only when it happens twice.
    """
    if was_ready or not good_exists or cause == UNKNOWN:
        return False
    return attempts >= (2 if "signal " in cause else 1)
