"""One supervised process over its starts and ends: the main process, or a companion."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

from msgspec.structs import replace

from freehold.agent import proc
from freehold.agent.health import FROZEN
from freehold.agent.launcher import LOCK_HELD
from freehold.agent.policy import UNKNOWN, Streak, after_exit
from freehold.agent.processes import Child, Launch, Processes
from freehold.agent.state import Life, Running
from freehold.foundation.member import ProcessStatus


class Keeper:
    """``keep`` stores the life (not durably); ``wake`` is called when the process ends."""

    def __init__(
        self,
        tag: str,
        processes: Processes,
        life: Life,
        *,
        keep: Callable[[Life], None],
        wake: Callable[[], None],
    ) -> None:
        self.tag = tag
        self.life = life
        self.child: Child | None = None
        self.last_kind = ""  # of the last end, as the policy counts it
        self._processes = processes
        self._keep = keep
        self._wake = wake
        self._streak = Streak()
        self._not_before = 0.0
        self._oom_kills = proc.oom_kills()

    @property
    def alive(self) -> bool:
        return self.child is not None and self.child.lives

    @property
    def has_ended(self) -> bool:
        """It ended, and nobody has accounted for it."""
        return self.child is not None and not self.child.lives

    @property
    def pid(self) -> int:
        return self.child.pid if self.child is not None and self.child.lives else 0

    @property
    def wait_s(self) -> float:
        return max(0.0, self._not_before - time.monotonic())

    @property
    def ran_s(self) -> float:
        return max(0.0, time.time() - self.life.running.started_at) if self.life.running else 0.0

    def status(self) -> ProcessStatus:
        running = self.life.running
        return ProcessStatus(
            pid=self.pid,
            started_at=running.started_at if running is not None and self.pid else 0.0,
            restarts=self.life.restarts,
            last_exit=self.life.last_exit,
            last_exit_at=self.life.last_exit_at,
        )

    def adopt(self) -> bool:
        """Watch what an earlier agent started, if it still lives; say whether it does."""
        known = self.life.running
        boot = proc.boot_id()
        if known is None:
            known = self._found(boot)
        elif not proc.is_same(known.pid, known.ticks, boot):
            known = None
        if known is None:
            if self.life.running is not None:
                self.child = None
                self._note_end(UNKNOWN, restarted=True)
            return False
        self._set(replace(self.life, running=known, starting=None))
        self._take(self._processes.adopt(known.pid, known.ticks))
        return True

    def start(self, launch: Launch, marks: Running) -> None:
        """Spawn; ``marks`` says with what. The intent is stored first: the agent may die here."""
        boot = proc.boot_id()
        intent = replace(marks, pid=0, boot=boot, started_at=time.time())
        self._set(replace(self.life, starting=intent))
        self._oom_kills = proc.oom_kills()
        child = self._processes.spawn(launch)
        running = replace(intent, pid=child.pid, ticks=child.ticks)
        self._set(replace(self.life, running=running, starting=None))
        self._take(child)

    def account(self, condemned: str = "") -> str:
        """Note an end nobody asked for and plan the restart; return its cause."""
        code = self.child.exited.result() if self.child is not None else None
        self.child = None
        if code == LOCK_HELD:  # the launcher met somebody at the lock: no crash of the software
            self._not_before = time.monotonic() + 0.2
            self._set(replace(self.life, running=None))
            return "alive.lock is held"
        kind = _kind_of(condemned) if condemned else cause_of(code)
        if kind == "signal SIGKILL" and proc.oom_kills() > self._oom_kills:
            kind = "out of memory (signal SIGKILL)"
        delay, self._streak = after_exit(self._streak, kind, self.ran_s)
        self._not_before = time.monotonic() + delay
        self.last_kind = kind
        cause = condemned or kind
        self._note_end(cause, restarted=True)
        return cause

    def account_stop(self, note: str) -> None:
        """Note an end that was asked for."""
        self.child = None
        self._note_end(note, restarted=False)

    def note(self, running: Running) -> None:
        """Note that the same process runs with other files now."""
        self._set(replace(self.life, running=running))

    def forgive(self) -> None:
        """Start again at once: something that may be the cure has changed."""
        self._streak = Streak()
        self._not_before = 0.0

    def _note_end(self, cause: str, *, restarted: bool) -> None:
        life = replace(
            self.life, running=None, starting=None, last_exit=cause, last_exit_at=time.time()
        )
        self._set(replace(life, restarts=life.restarts + 1) if restarted else life)

    def _found(self, boot: str) -> Running | None:
        """Find the process by its tag: the agent died before it could write the pid down."""
        living = self._processes.living(self.tag)
        roots = [
            pid
            for pid, process in living.items()
            if process == self.tag
            and (found := proc.stat(pid)) is not None
            and found.parent not in living
        ]
        if len(roots) != 1:
            return None
        stat = proc.stat(roots[0])
        intent = self.life.starting or Running(pid=0, ticks=0, boot=boot, started_at=time.time())
        if stat is None:
            return None
        return replace(intent, pid=roots[0], ticks=stat.ticks, boot=boot)

    def _take(self, child: Child) -> None:
        self.child = child
        child.exited.add_done_callback(lambda _: self._wake())

    def _set(self, life: Life) -> None:
        self.life = life
        self._keep(life)


def _kind_of(condemned: str) -> str:
    """Who was frozen from outside did not fail by itself: for the policy that is a signal."""
    return "signal SIGSTOP" if condemned.endswith(FROZEN) else "probe failed"


def cause_of(code: int | None) -> str:
    if code is None:
        return UNKNOWN
    if code >= 0:
        return f"code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
