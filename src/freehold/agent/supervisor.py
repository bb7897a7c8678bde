"""Keep one member as ordered: the loop that looks, decides, does one thing, and looks again.

Everything that starts or ends the software happens in this one task, one after another; others
only change what is wanted and wake it. What it decides is in decisions.py and policy.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from freehold.agent import policy
from freehold.agent.companions import Companions
from freehold.agent.decisions import Hold, Refresh, Rest, Start, Step, Stop, View, Wait, decide
from freehold.agent.events import Events
from freehold.agent.health import Health
from freehold.agent.keeper import Keeper
from freehold.agent.memory import Memory
from freehold.agent.probes import Prober
from freehold.agent.processes import Processes
from freehold.agent.software import BeforeStop, Software, marks_of
from freehold.agent.starting import obstacle
from freehold.foundation.errors import FreeholdError, PermanentFault
from freehold.foundation.member import MemberSpec, Phase, Place

_RETRY_S = 0.5  # an obstacle: look again
_FAULT_S = 2.0
_SETTLES_S = 10.0  # until it was ready: a signal may come before its handler and kill it
_TROUBLE_S = 5.0  # a full disk: try to write the notes again
_AT_ONCE = 0.0


class Supervisor:
    def __init__(
        self,
        memory: Memory,
        processes: Processes,
        prober: Prober,
        events: Events,
        before_stop: BeforeStop,
    ) -> None:
        self._memory = memory
        self._processes = processes
        self._events = events
        self._software = Software(memory, processes, prober, events, before_stop)
        self._wake = self._software.wake
        self.companions = Companions(memory, processes, events, wake=self._wake.set)
        self.phase = Phase.STOPPED
        self.on_ready: Callable[[], None] = lambda: None
        self._waits_for = ""
        self._attempts = 0  # starts since something changed, none of them ready yet
        self._was_ready = False  # since the last start
        self._place_changed = False
        self._leaving = False

    @property
    def main(self) -> Keeper:
        return self._software.main

    @property
    def health(self) -> Health:
        return self._software.health

    @property
    def reason(self) -> str:
        """Why the member is not simply ready; "" when it is."""
        parts = [self._waits_for]
        if self.phase is Phase.STARTING or (self.phase is Phase.RUNNING and not self.health.ready):
            parts.append(self.health.reason)
        if self._memory.state.given_up:
            parts.append(self._memory.state.given_up_reason)
        if self._memory.trouble:
            parts.append(self._memory.trouble)
        return "; ".join(part for part in parts if part)

    @property
    def ready(self) -> bool | None:
        return self.health.ready if self.phase in (Phase.STARTING, Phase.RUNNING) else False

    @property
    def definition(self) -> tuple[MemberSpec, Place]:
        """The spec and place that concern what runs now, else what will."""
        return self._software.runs or self._memory.target()

    def changed(self, *, place: bool = False) -> None:
        """Orders, spec or place are new on disk: what failed before deserves a new try."""
        self._place_changed |= place
        self.main.forgive()
        self.companions.forgive()
        self._attempts = 0
        self._wake.set()

    def leave(self) -> None:
        """Stop the software gracefully, then end. The orders stay: the next agent starts it."""
        self._leaving = True
        self._wake.set()

    async def run(self) -> None:
        """Supervise until told to leave and nothing runs any more."""
        await self._adopt()
        while True:
            self._wake.clear()
            try:
                pause = await self._converge()
            except (FreeholdError, OSError) as error:
                self._wait(str(error))
                pause = _FAULT_S
            if self._leaving and not self.main.alive and not self.companions.alive:
                return
            if pause != _AT_ONCE:
                await self._sleep(pause)

    async def _sleep(self, pause: float | None) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return

    async def _adopt(self) -> None:
        if self._software.adopt(self._memory.target()):
            self._events.add("adopt", f"adopted the running software, pid {self.main.pid}")
            self.phase = Phase.STARTING
        else:
            await self._processes.kill_all("main")
        await self.companions.adopt()

    async def _converge(self) -> float | None:
        """Do at most one thing; return how long to rest, None until something changes."""
        self._memory.flush()
        if self.main.has_ended:
            self._note_exit(await self._software.account())
            return _AT_ONCE
        if self._software.condemned and self.main.alive:
            reason = self._software.condemned
            self._events.add("kill", f"killing the software: {reason}", "error")
            await self._software.kill()
            return _AT_ONCE
        self._note_ready()
        pause = await self._carry_out(decide(self._view()))
        beside = await self.companions.converge(
            wanted=self._wanted and self.main.alive, definition=self.definition
        )
        retry = _TROUBLE_S if self._memory.trouble else None
        pauses = [p for p in (pause, beside, retry) if p is not None]
        return min(pauses) if pauses else None

    async def _carry_out(self, step: Step) -> float | None:
        match step:
            case Rest():
                await self._rest()
                return None
            case Hold(seconds):
                return seconds
            case Wait(seconds):
                self.phase = Phase.BACKOFF
                self._waits_for = f"ended: {self.main.life.last_exit}"
                return seconds
            case Start():
                return await self._start()
            case Stop(because):
                await self._stop(because)
            case Refresh(reload=tell):
                self._refresh(tell)
        return _AT_ONCE

    @property
    def _wanted(self) -> bool:
        orders = self._memory.orders
        return orders.run and not self._memory.fenced and not self._leaving

    def _view(self) -> View:
        return View(
            wanted=self._wanted,
            alive=self.main.alive,
            target=marks_of(self._memory.target()[0]),
            running=self._software.marks,
            restart_ordered=self._memory.orders.restart,
            restart_done=self._memory.state.restart,
            place_changed=self._place_changed,
            wait_s=self.main.wait_s,
            settles_s=0.0 if self._was_ready else max(0.0, _SETTLES_S - self.main.ran_s),
        )

    async def _rest(self) -> None:
        if self.main.alive:
            return
        self.phase = Phase.FENCED if self._memory.fenced else Phase.STOPPED
        self._waits_for = "its incarnation was revoked" * self._memory.fenced
        if self.companions.alive:
            await self.companions.stop(self._memory.target()[0])

    async def _start(self) -> float | None:
        spec, place = self._memory.target()
        hindrance = await obstacle(spec, place, self._processes)
        if hindrance:
            self._wait(hindrance)
            return _RETRY_S
        if not self._wanted or (spec, place) != self._memory.target():  # changed while we looked
            return _AT_ONCE
        try:
            self._software.start(spec, place)
        except PermanentFault as fault:
            if self._memory.give_up(f"cannot start revision {spec.revision}: {fault}"):
                return _AT_ONCE
            raise
        self._waits_for = ""
        self._was_ready = self._place_changed = False
        self._attempts += 1
        self._memory.update(restart=self._memory.orders.restart)
        self.phase = Phase.STARTING
        self._events.add("start", f"started revision {spec.revision}, pid {self.main.pid}")
        return None

    async def _stop(self, because: str) -> None:
        self.phase, self._waits_for = Phase.STOPPING, because
        self._events.add("stop", f"stopping: {because}")
        note = await self._software.stop(self.definition[0])
        self._events.add("exit", note, "info" if note == "stopped" else "warning")
        await self.companions.stop(self._memory.target()[0])

    def _note_exit(self, cause: str) -> None:
        self._events.add("exit", f"the software ended: {cause}", "error")
        spec, _ = self._memory.target()
        is_new = self._memory.good is not None and spec.revision != self._memory.good.spec.revision
        hopeless = is_new and policy.gives_up(
            cause=self.main.last_kind,
            attempts=self._attempts,
            was_ready=self._was_ready,
            good_exists=not self._memory.state.given_up,
        )
        if hopeless and self._memory.give_up(f"revision {spec.revision} failed to start ({cause})"):
            self._events.add("give-up", self._memory.state.given_up_reason, "error")
            self.main.forgive()
        elif self._memory.retry_accepted(was_ready=self._was_ready):
            self._events.add("give-up", "the last good files fail as well", "error")

    def _note_ready(self) -> None:
        if self.main.alive and self.phase is Phase.STARTING and self.health.ready:
            self.phase = Phase.RUNNING
            self._waits_for = ""
            self._was_ready = True
            self._software.note_ready()
            self._attempts = 0
            self._events.add("ready", "the software is ready")
            self.on_ready()
            if self._software.runs is not None:
                self._memory.note_good(*self._software.runs)

    def _refresh(self, tell: bool) -> None:
        spec, place = self._memory.target()
        try:
            changed = self._software.refresh(spec, place, tell=tell)
        except PermanentFault as fault:
            if self._memory.give_up(f"cannot apply revision {spec.revision}: {fault}"):
                return
            raise
        self._place_changed, self._waits_for = False, ""
        if self._was_ready:
            self._memory.note_good(spec, place)
        files = ", ".join(changed) or "no file"
        self._events.add("refresh", f"applied revision {spec.revision}: {files}")

    def _wait(self, reason: str) -> None:
        if reason != self._waits_for:
            self._events.add("wait", reason, "warning")
        self._waits_for = reason
        if not self.main.alive:
            self.phase = Phase.WAITING
