"""Keep one agent over every member: adopt, start, watch, revive, replace, end.

Rules:

1. ``agent.lock`` decides who is the agent, never our memory: two starts leave one agent.
2. An agent that ends without our asking is started again, at once the first time; its software
   went on meanwhile and is adopted by the new one.
3. A silent agent is killed only as the very process that holds the lock (pidfd, start time, boot).
4. Closing the daemon ends nothing: watches are dropped, agents stay.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from freehold.agent.client import AgentClient
from freehold.agent.policy import Streak, after_exit
from freehold.foundation.errors import FreeholdError, PermanentFault, TransientFault
from freehold.foundation.member import MemberStatus
from freehold.runtimes.local.folders import MemberFolder
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.processes import (
    ProcessId,
    command_line_of,
    identify,
    kill,
    lock_holder,
    open_process,
)
from freehold.runtimes.local.spawning import AgentProgram, last_words, reap, spawn_agent

ANSWERS_WITHIN_S = 15.0  # a new agent, on a machine that is busy starting software
ENDS_WITHIN_S = 10.0
SILENT_AFTER_S = 2.0  # the last chance of an agent that the engine has waited for already


@dataclass(slots=True)
class _Watch:
    """What the daemon knows of one member's agent while it lives."""

    folder: MemberFolder
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    process: ProcessId | None = None
    pidfd: int = -1
    since: float = 0.0  # monotonic
    streak: Streak = field(default_factory=Streak)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    is_wanted: bool = False  # False: its end is our own doing
    reviving: asyncio.Task[None] | None = None


class Agents:
    """The agents of one home. ``changed`` is called with a service's name when one ended."""

    def __init__(self, paths: LocalPaths, changed: Callable[[str], None]) -> None:
        self._paths, self._changed = paths, changed
        self._watches: dict[str, _Watch] = {}
        self._program: AgentProgram | None = None
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def tree(self) -> Path | None:
        """The copy that new agents start from; None before :meth:`open`."""
        return self._program.tree if self._program else None

    def client(self, folder: MemberFolder, *, timeout_s: float = 5.0) -> AgentClient:
        return AgentClient(str(self._paths.socket(folder.path)), timeout_s=timeout_s)

    def open(self, program: AgentProgram, folders: Iterable[MemberFolder]) -> None:
        """Adopt the agents that run; start those that are missing and update old ones meanwhile."""
        self._program = program
        for folder in folders:
            task = asyncio.create_task(self._bring_up(folder), name=f"bring up {folder.member}")
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def close(self) -> None:
        tasks = list(self._opening)
        for task in tasks:
            task.cancel()
        for watch in self._watches.values():
            watch.is_wanted = False
            if watch.reviving is not None:
                watch.reviving.cancel()
                tasks.append(watch.reviving)
            self._unwatch(watch)
        self._watches.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def holder(self, folder: MemberFolder) -> ProcessId | None:
        """Return the process that is this member's agent, answering or not."""
        return lock_holder(folder.agent_lock)

    async def ensure(self, folder: MemberFolder) -> MemberStatus:
        """Have exactly one agent that answers; start one when there is none."""
        watch = self._watch_of(folder)
        async with watch.lock:
            watch.is_wanted = True
            return await self._ensure(watch)

    async def replace_silent(self, folder: MemberFolder) -> None:
        """Kill the agent if it does not answer now, and start another, which adopts the software."""
        watch = self._watch_of(folder)
        async with watch.lock:
            watch.is_wanted = True
            try:
                await self.client(folder, timeout_s=SILENT_AFTER_S).status()
            except TransientFault:
                await self._kill(watch)
                await self._ensure(watch)

    async def end(self, folder: MemberFolder, *, by_force: bool = False) -> None:
        """End the agent for good. Politely it refuses while anything of its software runs.

        ``by_force`` is for a caller that holds the death certificate, so that nothing can be lost.
        """
        watch = self._watch_of(folder)
        async with watch.lock:
            watch.is_wanted = False
            try:
                await (self._kill(watch) if by_force else self._shut_down(watch))
            except BaseException:
                watch.is_wanted = True
                raise
            self._unwatch(watch)
        self._watches.pop(str(folder.path), None)

    async def _shut_down(self, watch: _Watch) -> None:
        holder = self.holder(watch.folder)
        if holder is None:
            return
        self._watch_process(watch, holder)
        await self.client(watch.folder).shutdown()
        try:
            await asyncio.wait_for(watch.ended.wait(), ENDS_WITHIN_S)
        except TimeoutError as error:
            raise TransientFault(
                f"cannot end the agent of {watch.folder.member}: it agreed and is still there"
            ) from error

    async def _bring_up(self, folder: MemberFolder) -> None:
        watch = self._watch_of(folder)
        try:
            async with watch.lock:
                watch.is_wanted = True
                holder = self.holder(folder)
                if holder is None:
                    await self._ensure(watch)
                    return
                self._watch_process(watch, holder)
                await self._update(watch)
        except (FreeholdError, OSError):
            self._after_end(watch)
            self._changed(folder.service)

    async def _update(self, watch: _Watch) -> None:
        """Have an agent of another Freehold exec ours in place: same pid, its children kept."""
        program, process = self._program, watch.process
        if program is None or process is None:
            return
        if str(program.tree / "main.py") in command_line_of(process.pid):
            return
        await self.client(watch.folder).replace(str(program.tree))

    async def _ensure(self, watch: _Watch) -> MemberStatus:
        holder = self.holder(watch.folder)
        if holder is None:
            if self._program is None:
                raise PermanentFault("cannot start agents: the local runtime is not open")
            holder = spawn_agent(self._program.argv(watch.folder.path), watch.folder)
        self._watch_process(watch, holder)
        return await self._answer(watch)

    async def _answer(self, watch: _Watch) -> MemberStatus:
        folder, deadline, pause_s = watch.folder, time.monotonic() + ANSWERS_WITHIN_S, 0.01
        while True:
            try:
                return await self.client(folder).status()
            except TransientFault as fault:
                if watch.ended.is_set():
                    raise TransientFault(
                        f"cannot start the agent of {folder.member}: {last_words(folder)}"
                    ) from fault
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 0.25)

    async def _kill(self, watch: _Watch) -> None:
        holder = self.holder(watch.folder)
        if holder is None:
            return
        wanted, watch.is_wanted = watch.is_wanted, False  # its end is ours: no revival on top
        self._watch_process(watch, holder)
        kill(holder)
        try:
            await asyncio.wait_for(watch.ended.wait(), ENDS_WITHIN_S)
        except TimeoutError as error:
            raise TransientFault(
                f"cannot end the agent of {watch.folder.member}: process {holder.pid} does not die"
            ) from error
        finally:
            watch.is_wanted = wanted

    def _watch_of(self, folder: MemberFolder) -> _Watch:
        return self._watches.setdefault(str(folder.path), _Watch(folder))

    def _watch_process(self, watch: _Watch, process: ProcessId) -> None:
        if watch.process == process and watch.pidfd >= 0:
            return
        self._unwatch(watch)
        watch.process, watch.since = process, time.monotonic()
        watch.ended = asyncio.Event()
        descriptor = open_process(process)
        if descriptor is None:
            reap(process.pid)
            watch.ended.set()
            self._after_end(watch)
            return
        watch.pidfd = descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._on_end, watch)

    def _unwatch(self, watch: _Watch) -> None:
        if watch.pidfd >= 0:
            asyncio.get_running_loop().remove_reader(watch.pidfd)
            os.close(watch.pidfd)
            watch.pidfd = -1

    def _on_end(self, watch: _Watch) -> None:
        self._unwatch(watch)
        if watch.process is not None:
            reap(watch.process.pid)
        watch.ended.set()
        self._changed(watch.folder.service)
        self._after_end(watch)

    def _after_end(self, watch: _Watch) -> None:
        if watch.is_wanted and (watch.reviving is None or watch.reviving.done()):
            watch.reviving = asyncio.create_task(
                self._revive(watch), name=f"revive {watch.folder.member}"
            )

    async def _revive(self, watch: _Watch) -> None:
        """Try until an agent lives again, ever later, or nobody wants one any more."""
        folder = watch.folder
        while True:
            lived_s = time.monotonic() - watch.since
            pause_s, watch.streak = after_exit(watch.streak, "the agent ended", lived_s)
            await asyncio.sleep(pause_s)
            async with watch.lock:
                if not watch.is_wanted or not folder.uid() or folder.retired():
                    return
                if not _lives(watch):
                    with suppress(FreeholdError, OSError):
                        await self._ensure(watch)
            self._changed(folder.service)
            if _lives(watch):  # one that lives and is silent is the engine's to judge
                return


def _lives(watch: _Watch) -> bool:
    return watch.process is not None and identify(watch.process.pid) == watch.process
