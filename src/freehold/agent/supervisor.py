"""Keep one member as ordered: the loop that looks, decides, does one thing, and looks again.

Everything that starts or ends the software happens in this one task, one after another; others
only change what is wanted and wake it. What it decides is in decisions.py and policy.py.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from freehold.agent import policy
from freehold.agent.companions import Companions
from freehold.agent.decisions import Marks, Refresh, Rest, Start, Step, Stop, View, Wait, decide
from freehold.agent.events import Events
from freehold.agent.health import Health
from freehold.agent.keeper import Keeper
from freehold.agent.memory import Memory
from freehold.agent.probes import Prober
from freehold.agent.processes import Launch, Processes
from freehold.agent.rendering import Filling, render, write_files
from freehold.agent.starting import obstacle
from freehold.agent.state import Life, Running
from freehold.foundation.errors import FreeholdError, PermanentFault
from freehold.foundation.member import Change, MemberSpec, Phase, Place

_RETRY_S = 0.5
_NO_TIME = 0.0
BeforeStop = Callable[[str, float], Coroutine[Any, Any, str]]


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
        self._before_stop = before_stop
        self._wake = asyncio.Event()
        self.main = Keeper(
            "main",
            processes,
            memory.state.main,
            keep=self._keep_main,
            wake=self._wake.set,
        )
        self.companions = Companions(memory, processes, events, wake=self._wake.set)
        self.health = Health(prober, self._wake.set, self._condemn)
        self.phase = Phase.STOPPED
        self.on_ready: Callable[[], None] = lambda: None
        self._waits_for = ""
        self._condemned = ""
        self._attempts = 0
        self._was_ready = False
        self._runs: tuple[MemberSpec, Place] | None = None  # what the software was started with
        self._place_changed = False
        self._leaving = False
        self._ended = asyncio.Event()

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
        return self._runs or self._memory.target()

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

    async def ended(self) -> None:
        await self._ended.wait()

    async def run(self) -> None:
        await self._adopt()
        while True:
            self._wake.clear()
            try:
                pause = await self._converge()
            except (FreeholdError, OSError) as error:
                self._wait(str(error))
                pause = 2.0
            if self._leaving and not self.main.alive and not self.companions.alive:
                self._ended.set()
                return
            if pause != _NO_TIME:
                await self._sleep(pause)

    async def _sleep(self, pause: float | None) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), pause)
        except TimeoutError:
            return

    async def _adopt(self) -> None:
        if self.main.adopt():
            self._events.add("adopt", f"adopted the running software, pid {self.main.pid}")
            self._runs = self._memory.target()
            self._was_ready = False
            self.phase = Phase.STARTING
            self.health.begin(*self._runs, ran_s=self.main.ran_s)
        else:
            await self._processes.kill_all("main")
        await self.companions.adopt()

    async def _converge(self) -> float | None:
        """Do at most one thing; return how long to rest, None until something changes."""
        self._memory.flush()
        if self.main.has_ended:
            await self._account()
            return _NO_TIME
        if self._condemned and self.main.alive:
            await self._kill(self._condemned)
            return _NO_TIME
        self._note_ready()
        step = decide(self._view())
        pause = await self._carry_out(step)
        beside = await self.companions.converge(
            wanted=self._wanted and self.main.alive, definition=self.definition
        )
        pauses = [
            p for p in (pause, beside, 5.0 if self._memory.trouble else None) if p is not None
        ]
        return min(pauses) if pauses else None

    async def _carry_out(self, step: Step) -> float | None:
        match step:
            case Rest():
                if not self.main.alive:
                    self.phase = Phase.FENCED if self._memory.fenced else Phase.STOPPED
                    self._waits_for = "its incarnation was revoked" * self._memory.fenced
                    if self.companions.alive:
                        await self.companions.stop(self._memory.target()[0])
                return None
            case Wait(seconds):
                self.phase = Phase.BACKOFF
                self._waits_for = f"ended: {self.main.life.last_exit}"
                return seconds
            case Start():
                return await self._start()
            case Stop(because):
                await self._stop(because)
                return _NO_TIME
            case Refresh(reload=tell):
                self._refresh(tell)
                return _NO_TIME

    @property
    def _wanted(self) -> bool:
        orders = self._memory.orders
        return orders.run and not self._memory.fenced and not self._leaving

    def _view(self) -> View:
        running = self.main.life.running
        return View(
            wanted=self._wanted,
            alive=self.main.alive,
            target=_marks(self._memory.target()[0]),
            running=Marks(
                revision=running.revision,
                restart_hash=running.restart_hash,
                reload_hash=running.reload_hash,
            )
            if running is not None
            else None,
            restart_ordered=self._memory.orders.restart,
            restart_done=self._memory.state.restart,
            place_changed=self._place_changed,
            wait_s=self.main.wait_s,
        )

    async def _start(self) -> float | None:
        spec, place = self._memory.target()
        hindrance = await obstacle(spec, place, self._processes)
        if hindrance:
            self._wait(hindrance)
            return _RETRY_S
        try:
            write_files(render(spec, place), place)
            launch = self._launch(spec, place)
        except PermanentFault as fault:
            if self._memory.give_up(f"cannot start revision {spec.revision}: {fault}"):
                return _NO_TIME
            raise
        self._condemned = self._waits_for = ""
        self._was_ready = self._place_changed = False
        self._attempts += 1
        marks = _marks(spec)
        self.main.start(
            launch,
            Running(
                pid=0,
                ticks=0,
                boot="",
                started_at=0.0,
                revision=marks.revision,
                restart_hash=marks.restart_hash,
                reload_hash=marks.reload_hash,
            ),
        )
        self._memory.update(restart=self._memory.orders.restart)
        self._runs = (spec, place)
        self.phase = Phase.STARTING
        self._events.add("start", f"started revision {spec.revision}, pid {self.main.pid}")
        self.health.begin(spec, place)
        return None

    def _launch(self, spec: MemberSpec, place: Place) -> Launch:
        owner = next((c for c in spec.companions if c.owns_main), None)
        process = Filling(place).fill_process(owner.process if owner else spec.main)
        lock = f"{place.folder}/alive.lock"
        env = dict(process.env)
        if owner:
            env["FREEHOLD_LAUNCHER"] = self._processes.launcher_for(lock, place.worker_python)
        name = owner.name if owner else "main"
        return Launch(
            process="main",
            argv=process.argv,
            cwd=process.cwd,
            env=env,
            output=f"{place.log_folder}/{name}.log",
            lock="" if owner else lock,
        )

    async def _stop(self, because: str) -> None:
        spec, _ = self.definition
        rule = spec.stop
        ready_before = self.health.ready
        self.phase, self._waits_for = Phase.STOPPING, because
        self._events.add("stop", f"stopping: {because}")
        if rule.before and ready_before and not self._memory.fenced:
            why_not = await self._unless_ended(
                self._before_stop(rule.before, rule.before_within_s), rule.before_within_s
            )
            if why_not:
                self._events.add("stop", f"{rule.before} before the stop: {why_not}", "warning")
        self.health.end()
        child = self.main.child
        if child is not None and not self._memory.fenced:
            child.signal(_signal_number(rule.signal))
            child.signal(signal.SIGCONT)  # a frozen process cannot hear
            await self._unless_ended(asyncio.sleep(rule.within_s), rule.within_s)
        note = "stopped" if child is None or not child.lives else "killed: did not stop in time"
        await self._kill_everything()
        self.main.account_stop(note)
        self._runs, self._condemned = None, ""
        self._events.add("exit", note, "info" if note == "stopped" else "warning")
        await self.companions.stop(self._memory.target()[0])

    async def _unless_ended(self, waiting: Coroutine[Any, Any, Any], within_s: float) -> Any:
        """Wait for something, but not past the software's end, a fence, or the time."""
        task = asyncio.create_task(waiting)
        until = time.monotonic() + within_s
        child = self.main.child
        try:
            while child is not None and child.lives and not task.done():
                if self._memory.fenced or (left := until - time.monotonic()) <= 0:
                    break
                self._wake.clear()
                woken = asyncio.create_task(self._wake.wait())
                await asyncio.wait({task, woken}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
            return task.result() if task.done() else ""
        finally:
            task.cancel()

    async def _condemn(self, reason: str) -> None:
        self._condemned = reason
        self._wake.set()

    async def _kill(self, reason: str) -> None:
        self._events.add("kill", f"killing the software: {reason}", "error")
        await self._kill_everything()
        if self.main.child is not None:
            await asyncio.wait({self.main.child.exited}, timeout=5.0)

    async def _kill_everything(self) -> None:
        child = self.main.child
        roots = frozenset({child.pid}) if child is not None and child.lives else frozenset[int]()
        if not await self._processes.kill_all("main", roots=roots):
            self._events.add("kill", "something of the software cannot be killed", "error")
        if child is not None:
            await asyncio.wait({child.exited}, timeout=1.0)

    async def _account(self) -> None:
        self.health.end()
        self._note_exit(self.main.account(self._condemned))
        self._condemned, self._runs = "", None
        await self._processes.kill_all("main")

    def _note_exit(self, cause: str) -> None:
        self._events.add("exit", f"the software ended: {cause}", "error")
        spec, _ = self._memory.target()
        is_new = self._memory.good is not None and spec.revision != self._memory.good.spec.revision
        hopeless = is_new and policy.gives_up(
            cause=cause,
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
            self._attempts = 0
            self._events.add("ready", "the software is ready")
            self.on_ready()
            if self._runs is not None:
                self._memory.note_good(*self._runs)

    def _refresh(self, tell: bool) -> None:
        spec, place = self._memory.target()
        try:
            changed = write_files(render(spec, place), place)
        except PermanentFault as fault:
            if self._memory.give_up(f"cannot apply revision {spec.revision}: {fault}"):
                return
            raise
        reloaded = {f.path for f in spec.files if f.changes is Change.RELOAD}
        if tell or reloaded.intersection(changed):
            self._reload(spec, place)
        self._place_changed, self._waits_for = False, ""
        self._runs = (spec, place)
        running = self.main.life.running
        if running is not None:
            marks = _marks(spec)
            self._keep_main_marks(
                replace(running, revision=marks.revision, reload_hash=marks.reload_hash)
            )
        self.health.refresh(spec, place, ran_s=self.main.ran_s)
        if self._was_ready:
            self._memory.note_good(spec, place)
        self._events.add(
            "refresh", f"wrote revision {spec.revision}: {', '.join(changed) or 'no file'}"
        )

    def _reload(self, spec: MemberSpec, place: Place) -> None:
        if spec.reload_signal and self.main.child is not None:
            self.main.child.signal(_signal_number(spec.reload_signal))
        elif spec.reload is not None:
            process = Filling(place).fill_process(spec.reload)
            output = f"{place.log_folder}/reload.log"
            self._processes.spawn(
                Launch(
                    process="reload",
                    argv=process.argv,
                    cwd=process.cwd,
                    env=process.env,
                    output=output,
                )
            )

    def _wait(self, reason: str) -> None:
        if reason != self._waits_for:
            self._events.add("wait", reason, "warning")
        self._waits_for = reason
        if not self.main.alive:
            self.phase = Phase.WAITING

    def _keep_main(self, life: Life) -> None:
        self._memory.update(main=life)

    def _keep_main_marks(self, running: Running) -> None:
        self.main.life = replace(self.main.life, running=running)
        self._keep_main(self.main.life)


def _marks(spec: MemberSpec) -> Marks:
    return Marks(
        revision=spec.revision, restart_hash=spec.restart_hash, reload_hash=spec.reload_hash
    )


def _signal_number(name: str) -> int:
    try:
        return signal.Signals[name]
    except KeyError:
        return signal.SIGTERM
