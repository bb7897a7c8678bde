"""Know whether the software is alive, ready, and what role it plays.

One loop per probe. Only ``alive`` has consequences here: after ``fails`` in a row the software is
killed and started again, because a frozen or deaf process never does that by itself. It has no
voice before it first passed, until ``startup_s`` are over: recovery may take long.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
from msgspec.structs import replace

from freehold.agent.probes import Prober, Verdict
from freehold.foundation.member import MemberSpec, Place, Probe

FROZEN = "stopped by a signal"
SETTLED_S = 0.5  # without any probe: what has run so long counts as ready


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A probe's history since the software's last start. Times are monotonic seconds."""

    started_at: float
    verdict: bool | None = None  # None: nothing is known
    passed_once: bool = False
    failures: int = 0
    reason: str = ""
    value: str = ""
    asked_at: float | None = None
    frozen_since: float | None = None  # stopped by a signal whenever it was asked since


def counted(
    count: Count, verdict: Verdict, probe: Probe, now: float, *, frozen: bool = False
) -> Count:
    """Return the history with one more verdict. Pure."""
    if verdict.passed:
        return replace(
            count,
            verdict=True,
            passed_once=True,
            failures=0,
            reason="",
            value=verdict.value,
            asked_at=now,
            frozen_since=None,
        )
    failures = count.failures + 1
    # A verdict stands until ``fails`` in a row overturn it; before the first one it is simply no.
    fails = failures >= probe.fails or not count.verdict
    return replace(
        count,
        verdict=False if fails else count.verdict,
        failures=failures,
        reason=verdict.reason,
        asked_at=now,
        frozen_since=(now if count.frozen_since is None else count.frozen_since)
        if frozen
        else None,
    )


def is_dead(count: Count, probe: Probe, now: float) -> bool:
    """Whether an alive probe's history condemns the software. Pure.

    A process that is stopped by a signal recovers nothing: for it the startup time does not count.
    """
    if count.failures < probe.fails:
        return False
    if count.frozen_since is not None and now - count.frozen_since >= probe.fails * probe.every_s:
        return True
    return count.passed_once or now - count.started_at >= probe.startup_s


class Health:
    """Probes one run of the software, from its start to its end."""

    def __init__(
        self,
        prober: Prober,
        changed: Callable[[], None],
        condemn: Callable[[str], Awaitable[None]],
        is_frozen: Callable[[], bool],
    ) -> None:
        self._is_frozen = is_frozen
        self._prober = prober
        self._changed = changed
        self._condemn = condemn
        self._tasks: list[asyncio.Task[None]] = []
        self._counts: dict[str, Count] = {}
        self._has_ready_probe = False
        self._began_at = 0.0
        self._probed: tuple[MemberSpec, Place] | None = None

    def begin(
        self, spec: MemberSpec, place: Place, *, ran_s: float = 0.0, was_ready: bool = False
    ) -> None:
        """Start probing; ``ran_s`` and ``was_ready``: what is known of an adopted process."""
        self.end()
        self._began_at = time.monotonic() - ran_s
        if spec.ready is None and spec.alive is None:
            asyncio.get_running_loop().call_later(SETTLED_S, self._changed)
        self._probed = (spec, place)
        probes = {"alive": spec.alive, "ready": spec.ready, "role": spec.role}
        self._has_ready_probe = spec.ready is not None
        for name, probe in probes.items():
            if probe is not None:
                self._counts[name] = Count(started_at=self._began_at, passed_once=was_ready)
                loop = self._loop(name, probe)
                self._tasks.append(asyncio.create_task(loop))

    def refresh(self, spec: MemberSpec, place: Place, *, ran_s: float) -> None:
        """Go on with a changed definition; unchanged probes keep their verdicts."""
        if self._probed is not None and self._probes_of(spec) == self._probes_of(self._probed[0]):
            self._probed = (spec, place)
        else:
            self.begin(spec, place, ran_s=ran_s)

    @staticmethod
    def _probes_of(spec: MemberSpec) -> tuple[Probe | None, ...]:
        return (spec.alive, spec.ready, spec.role)

    def end(self) -> None:
        self._probed = None
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        self._counts = {}

    @property
    def alive(self) -> bool | None:
        return self._counts["alive"].verdict if "alive" in self._counts else None

    @property
    def ready(self) -> bool | None:
        """Without a ready probe alive decides, without any probe that it runs."""
        if self._probed is None:
            return None
        if self._has_ready_probe:
            ready = self._counts["ready"].verdict
            return ready and self.alive is not False
        if "alive" in self._counts:
            return self.alive
        return True if time.monotonic() - self._began_at >= SETTLED_S else None

    @property
    def probed_age_s(self) -> float | None:
        count = self._counts.get("ready" if self._has_ready_probe else "alive")
        if count is None or count.asked_at is None:
            return None
        return round(time.monotonic() - count.asked_at, 3)

    @property
    def role(self) -> str:
        count = self._counts.get("role")
        return count.value if count is not None and count.verdict else ""

    @property
    def reason(self) -> str:
        """Why it is not ready; "" when it is."""
        for name in ("alive", "ready"):
            count = self._counts.get(name)
            if count is not None and count.verdict is not True and count.reason:
                return count.reason
        return ""

    async def _loop(self, name: str, probe: Probe) -> None:
        pause = 0.05  # until it first passed ask often, less and less: a fast start shows at once
        while self._probed is not None:
            verdict = await self._prober.ask(probe, *self._probed)
            before = self._counts[name]
            frozen = not verdict.passed and self._is_frozen()
            after = counted(before, verdict, probe, time.monotonic(), frozen=frozen)
            self._counts[name] = after
            if (before.verdict, before.value) != (after.verdict, after.value):
                self._changed()
            if name == "alive" and is_dead(after, probe, time.monotonic()):
                why = FROZEN if after.frozen_since is not None else after.reason
                await self._condemn(f"probe failed: {why}")
                return
            pause = probe.every_s if after.passed_once else min(probe.every_s, pause * 1.5)
            await asyncio.sleep(pause)
