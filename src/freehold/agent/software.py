"""The member's software itself: how it is launched, told, stopped and killed.

Not when: that is the supervisor's. One main process (or the companion that owns it), watched by
its probes, never started without the death certificate.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

from msgspec.structs import replace

from freehold.agent import proc
from freehold.agent.decisions import Marks
from freehold.agent.events import Events
from freehold.agent.health import Health
from freehold.agent.keeper import Keeper
from freehold.agent.memory import Memory
from freehold.agent.probes import Prober
from freehold.agent.processes import Launch, Processes
from freehold.agent.rendering import Filling, render, write_files
from freehold.agent.state import Life, Running
from freehold.foundation.member import Change, Companion, MemberSpec, Place

BeforeStop = Callable[[str, float], Coroutine[Any, Any, str]]


class Software:
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
        self.wake = asyncio.Event()
        self.main = Keeper(
            "main", processes, memory.state.main, keep=self._keep, wake=self.wake.set
        )
        self.health = Health(prober, self.wake.set, self._condemn, self._is_frozen)
        self.runs: tuple[MemberSpec, Place] | None = None  # what it was started with
        self.condemned = ""  # why its alive probe wants it killed

    @property
    def marks(self) -> Marks | None:
        running = self.main.life.running
        if running is None:
            return None
        return Marks(
            revision=running.revision,
            restart_hash=running.restart_hash,
            reload_hash=running.reload_hash,
        )

    def adopt(self, definition: tuple[MemberSpec, Place]) -> bool:
        """Go on with what an earlier agent started; say whether it lives."""
        if not self.main.adopt():
            return False
        self.runs = definition
        running = self.main.life.running
        was_ready = running is not None and running.was_ready
        self.health.begin(*definition, ran_s=self.main.ran_s, was_ready=was_ready)
        return True

    def note_ready(self) -> None:
        """Remember with the process that it was ready: an agent that adopts it must know."""
        running = self.main.life.running
        if running is not None and not running.was_ready:
            self.main.note(replace(running, was_ready=True))

    def start(self, spec: MemberSpec, place: Place) -> None:
        """Write the files and spawn. Raises PermanentFault, TransientFault, OSError."""
        write_files(render(spec, place), place)
        launch = self._launch(spec, place)
        self.condemned = ""
        marks = marks_of(spec)
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
        self.runs = (spec, place)
        self.health.begin(spec, place)

    def refresh(self, spec: MemberSpec, place: Place, *, tell: bool) -> tuple[str, ...]:
        """Write what changed and, where the software must be told, tell it."""
        changed = write_files(render(spec, place), place)
        reloaded = {file.path for file in spec.files if file.changes is Change.RELOAD}
        if tell or reloaded.intersection(changed):
            self._reload(spec, place)
        self.runs = (spec, place)
        if (running := self.main.life.running) is not None:
            marks = marks_of(spec)
            self.main.note(replace(running, revision=marks.revision, reload_hash=marks.reload_hash))
        self.health.refresh(spec, place, ran_s=self.main.ran_s)
        return changed

    async def stop(self, spec: MemberSpec) -> str:
        """End it: the package's own preparation, the signal, the deadline, SIGKILL for the rest."""
        rule = spec.stop
        if rule.before and self.health.ready and not self._memory.fenced:
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
        await self.kill()
        self.main.account_stop(note)
        self.runs, self.condemned = None, ""
        return note

    async def kill(self) -> None:
        """SIGKILL everything of it, however it detached itself."""
        child = self.main.child
        roots = frozenset({child.pid}) if child is not None and child.lives else frozenset[int]()
        if not await self._processes.kill_all("main", roots=roots):
            self._events.add("kill", "something of the software cannot be killed", "error")
        if child is not None:
            await asyncio.wait({child.exited}, timeout=5.0)

    async def account(self) -> str:
        """Note that it ended unasked, sweep up what it left, return the cause."""
        self.health.end()
        cause = self.main.account(self.condemned)
        self.runs, self.condemned = None, ""
        await self._processes.kill_all("main")
        return cause

    def _launch(self, spec: MemberSpec, place: Place) -> Launch:
        owner = next((c for c in spec.companions if c.owns_main), None)
        process = Filling(place).fill_process(owner.process if owner else spec.main)
        lock = f"{place.folder}/alive.lock"
        return Launch(
            process="main",
            argv=process.argv,
            cwd=process.cwd,
            env={**process.env, **self._launcher_of(owner, place, lock)},
            output=f"{place.log_folder}/{owner.name if owner else 'main'}.log",
            lock="" if owner else lock,
        )

    def _launcher_of(self, owner: Companion | None, place: Place, lock: str) -> dict[str, str]:
        """A companion that starts the software itself takes the certificate through our launcher."""
        if owner is None:
            return {}
        if place.uid is not None and os.geteuid() == 0:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            os.fchown(descriptor, place.uid, place.gid or place.uid)
            os.close(descriptor)
        return {"FREEHOLD_LAUNCHER": self._processes.launcher_for(lock, place.worker_python)}

    def _reload(self, spec: MemberSpec, place: Place) -> None:
        if spec.reload_signal and self.main.child is not None:
            self.main.child.signal(_signal_number(spec.reload_signal))
        elif spec.reload is not None:
            process = Filling(place).fill_process(spec.reload)
            launch = Launch(
                process="reload",
                argv=process.argv,
                cwd=process.cwd,
                env=process.env,
                output=f"{place.log_folder}/reload.log",
            )
            self._processes.spawn(launch)

    async def _unless_ended(self, waiting: Coroutine[Any, Any, Any], within_s: float) -> Any:
        """Wait for something, but not past the software's end, a fence, or the time."""
        task = asyncio.create_task(waiting)
        until = time.monotonic() + within_s
        child = self.main.child
        try:
            while child is not None and child.lives and not task.done():
                if self._memory.fenced or (left := until - time.monotonic()) <= 0:
                    break
                self.wake.clear()
                woken = asyncio.create_task(self.wake.wait())
                await asyncio.wait({task, woken}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
            return task.result() if task.done() else ""
        finally:
            task.cancel()

    def _is_frozen(self) -> bool:
        found = proc.stat(self.main.pid) if self.main.pid else None
        return found is not None and found.state == "T"

    async def _condemn(self, reason: str) -> None:
        self.condemned = reason
        self.wake.set()

    def _keep(self, life: Life) -> None:
        self._memory.update(main=life)


def marks_of(spec: MemberSpec) -> Marks:
    return Marks(
        revision=spec.revision, restart_hash=spec.restart_hash, reload_hash=spec.reload_hash
    )


def _signal_number(name: str) -> int:
    try:
        return signal.Signals[name]
    except KeyError:
        return signal.SIGTERM
