"""The processes beside the main one: started after it, ended after it, restarted by its policy."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from freehold.agent.events import Events
from freehold.agent.keeper import Keeper
from freehold.agent.memory import Memory
from freehold.agent.processes import Launch, Processes
from freehold.agent.rendering import Filling
from freehold.agent.state import Life, Running
from freehold.foundation.member import Companion, MemberSpec, Place, ProcessStatus

_STOP_S = 10.0


class Companions:
    """A companion that owns the main process is supervised as the main process, not here."""

    def __init__(
        self, memory: Memory, processes: Processes, events: Events, *, wake: Callable[[], None]
    ) -> None:
        self._memory = memory
        self._processes = processes
        self._events = events
        self._wake = wake
        self._keepers: dict[str, Keeper] = {}

    @property
    def alive(self) -> bool:
        return any(keeper.alive for keeper in self._keepers.values())

    def status(self) -> dict[str, ProcessStatus]:
        return {name: keeper.status() for name, keeper in self._keepers.items()}

    def forgive(self) -> None:
        for keeper in self._keepers.values():
            keeper.forgive()

    async def adopt(self) -> None:
        spec, _ = self._memory.target()
        wanted = {c.name for c in spec.companions if not c.owns_main}
        for name in {*self._memory.state.companions, *wanted}:
            keeper = self._keeper(name)
            if not keeper.adopt():
                await self._processes.kill_all(f"companion:{name}")

    async def converge(self, *, wanted: bool, definition: tuple[MemberSpec, Place]) -> float | None:
        """Start what should run and account for what ended; return when to look again."""
        pauses = []
        spec, place = definition
        for companion in spec.companions:
            if companion.owns_main:
                continue
            keeper = self._keeper(companion.name)
            if keeper.has_ended:
                cause = keeper.account()
                await self._processes.kill_all(f"companion:{companion.name}")
                self._events.add("exit", f"{companion.name} ended: {cause}", "error")
            if not wanted or keeper.alive:
                continue
            if keeper.wait_s > 0:
                pauses.append(keeper.wait_s)
            else:
                self._start(companion, keeper, spec, place)
        return min(pauses) if pauses else None

    async def stop(self, spec: MemberSpec) -> None:
        """End all of them, also those that the next spec no longer has."""
        keepers = [keeper for keeper in self._keepers.values() if keeper.alive]
        for keeper in keepers:
            if keeper.child is not None:
                keeper.child.signal(signal.SIGTERM)
        waits = {keeper.child.exited for keeper in keepers if keeper.child is not None}
        if waits:
            await asyncio.wait(waits, timeout=_STOP_S)
        for keeper in keepers:
            pid = frozenset({keeper.pid}) if keeper.pid else frozenset[int]()
            await self._processes.kill_all(keeper.tag, roots=pid)
            keeper.account_stop("stopped")
        names = {companion.name for companion in spec.companions}
        self._keepers = {n: keeper for n, keeper in self._keepers.items() if n in names}

    def _start(self, companion: Companion, keeper: Keeper, spec: MemberSpec, place: Place) -> None:
        process = Filling(place).fill_process(companion.process)
        keeper.start(
            Launch(
                process=keeper.tag,
                argv=process.argv,
                cwd=process.cwd,
                env=process.env,
                output=f"{place.log_folder}/{companion.name}.log",
            ),
            Running(pid=0, ticks=0, boot="", started_at=0.0, revision=spec.revision),
        )
        self._events.add("start", f"started {companion.name}, pid {keeper.pid}")

    def _keeper(self, name: str) -> Keeper:
        if name not in self._keepers:

            def keep(life: Life) -> None:
                companions = {**self._memory.state.companions, name: life}
                self._memory.update(companions=companions)

            self._keepers[name] = Keeper(
                f"companion:{name}",
                self._processes,
                self._memory.state.companions.get(name, Life()),
                keep=keep,
                wake=self._wake,
            )
        return self._keepers[name]
