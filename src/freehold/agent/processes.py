"""Start, watch and kill the processes of one member.

The agent is a child subreaper, so what the software leaves behind becomes the agent's child; what
lost its agent in between is found by the tag in its environment. Nothing is ever killed by its
process group: ``setsid`` leaves it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from freehold.agent import proc
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.foundation.member import Certificate

_PR_SET_CHILD_SUBREAPER = 36
_LAUNCHER = str(Path(__file__).with_name("launcher.py"))


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """A command to start through the launcher."""

    process: str  # its tag: main, companion:x, job:key, worker:probe, probe
    argv: Sequence[str]
    cwd: str
    env: Mapping[str, str] = msgspec.field(default_factory=dict)
    output: str = ""  # file that stdout and stderr are appended to; "" = /dev/null
    lock: str = ""
    exit_file: str = ""
    stdio: int | None = None  # a socket to be stdin and stdout instead
    stdout: int | None = None  # a pipe to be stdout instead


class Child:
    """A process the agent watches, started by it or adopted."""

    def __init__(self, pid: int, ticks: int) -> None:
        self.pid = pid
        self.ticks = ticks
        self.exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    @property
    def lives(self) -> bool:
        return not self.exited.done()

    async def wait(self) -> int | None:
        """Return the exit code (negative: signal), None when it cannot be known (adopted)."""
        return await asyncio.shield(self.exited)

    def signal(self, number: int) -> None:
        if self.lives:
            kill_exactly(self.pid, self.ticks, number)


class Processes:
    """All processes of one member on this machine."""

    def __init__(self, tag: str, uid: int | None = None, gid: int | None = None) -> None:
        self.tag = tag
        self.uid = uid
        self.gid = gid
        self._statuses: dict[int, int] = {}
        self._watched: dict[int, Child] = {}

    def become_reaper(self) -> None:
        """Adopt orphans of the software from now on, and reap every child that ends."""
        import ctypes  # noqa: PLC0415  heavy, and not needed before the first answer

        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise PermanentFault("cannot become the reaper of the software's orphans")
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        self._reap()

    def spawn(self, launch: Launch) -> Child:
        """Start a command. Its environment is clean but for tag, PATH, LANG and HOME.

        Raises TransientFault when the machine has no room for a process or a descriptor.
        """
        actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = []
        if launch.stdio is not None:
            actions += [
                (os.POSIX_SPAWN_DUP2, launch.stdio, 0),
                (os.POSIX_SPAWN_DUP2, launch.stdio, 1),
            ]
        else:
            actions.append((os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0))
            actions.append(
                _append_to(1, launch.output)
                if launch.stdout is None
                else (os.POSIX_SPAWN_DUP2, launch.stdout, 1)
            )
        actions.append(_append_to(2, launch.output))
        try:
            pid = os.posix_spawn(
                sys.executable,
                self._command(launch),
                self._environment(launch),
                file_actions=actions,
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT],
            )
        except OSError as error:
            raise TransientFault(f"cannot start {launch.argv[0]}: {error}") from error
        found = proc.stat(pid)
        child = Child(pid, found.ticks if found else 0)
        self._watch(child)
        return child

    async def try_out(self, argv: Sequence[str]) -> bool:
        """Run a short command as the agent itself; say whether it succeeded."""
        nothing = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
        pid = os.posix_spawn(argv[0], list(argv), {}, file_actions=[nothing])  # noqa: ASYNC221
        return await self.adopt(pid, 0).wait() == 0

    def adopt(self, pid: int, ticks: int) -> Child:
        """Watch a process that somebody else started."""
        child = Child(pid, ticks)
        self._watch(child)
        return child

    def living(self, *prefixes: str) -> Mapping[int, str]:
        """Return the processes that carry one of these tags; ``job:`` means every job."""
        kinds = tuple(prefix for prefix in prefixes if prefix.endswith(":"))
        return {
            pid: process
            for pid, process in proc.tagged(self.tag).items()
            if pid != os.getpid() and (process in prefixes or process.startswith(kinds))
        }

    def launcher_for(self, lock: str, python: str) -> str:
        """Return the command before the software's own, for a companion that starts it itself.

        It runs as the account already, so it neither drops nor needs the agent's interpreter.
        """
        return f"{python or sys.executable} -I -S {_LAUNCHER} --lock {lock} --"

    async def kill_all(
        self, *prefixes: str, roots: frozenset[int] = frozenset(), within_s: float = 10.0
    ) -> bool:
        """SIGKILL everything of these tags and below ``roots`` until nothing is left.

        Orphans without a readable tag that became the agent's own children count as well, when
        main is meant. Returns False when something outlives the time (uninterruptible sleep).
        """
        deadline = time.monotonic() + within_s
        pause = 0.005
        below = proc.children_of(roots) | roots if roots else frozenset()
        while True:
            below = frozenset(pid for pid in below if proc.stat(pid) is not None)
            victims = set(self.living(*prefixes)) | below
            if any(prefix == "main" for prefix in prefixes):
                victims |= self._strays()
            victims = {pid for pid in victims if (s := proc.stat(pid)) and s.state not in "ZX"}
            if not victims:
                return True
            if time.monotonic() > deadline:
                return False
            below |= proc.children_of(frozenset(victims))
            for pid in victims:
                if (found := proc.stat(pid)) is not None:
                    kill_exactly(pid, found.ticks, signal.SIGKILL)
            await asyncio.sleep(pause)
            pause = min(0.1, pause * 2)

    async def kill_holders(self, lock: str, uid: int) -> None:
        """SIGKILL what runs as ``uid`` and has the lock open."""
        for pid in proc.holders_of(lock):
            found = proc.stat(pid)
            if found is not None and proc.uid_of(pid) == uid:
                kill_exactly(pid, found.ticks, signal.SIGKILL)
        await asyncio.sleep(0.05)

    def _strays(self) -> set[int]:
        """Return the agent's own children that it never started and that carry no tag."""
        agent = os.getpid()
        return {
            pid
            for pid in proc.pids()
            if pid not in self._watched
            and (found := proc.stat(pid)) is not None
            and found.parent == agent
            and not proc.tags(pid)[1]
        }

    def _command(self, launch: Launch) -> list[str]:
        command = [sys.executable, "-I", "-S", _LAUNCHER]
        if launch.lock:
            command += ["--lock", launch.lock]
        if launch.exit_file:
            command += ["--exit-file", launch.exit_file]
        if self.uid is not None and os.geteuid() == 0:
            command += ["--uid", str(self.uid), "--gid", str(self.gid or self.uid)]
        return [*command, "--cwd", launch.cwd, "--", *launch.argv]

    def _environment(self, launch: Launch) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": launch.cwd,
            **launch.env,
            proc.MEMBER_TAG: self.tag,
            proc.PROCESS_TAG: launch.process,
        }

    def _watch(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        try:
            descriptor = os.pidfd_open(child.pid)
        except ProcessLookupError:
            child.exited.set_result(self._status_of(child.pid))
            return
        self._watched[child.pid] = child

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            del self._watched[child.pid]
            child.exited.set_result(self._status_of(child.pid))

        loop.add_reader(descriptor, ended)

    def _status_of(self, pid: int) -> int | None:
        if pid in self._statuses:
            return self._statuses.pop(pid)
        try:
            reaped, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return None
        return os.waitstatus_to_exitcode(status) if reaped else None

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._watched:
                self._statuses[pid] = os.waitstatus_to_exitcode(status)


def certificate_of(path: str) -> Certificate:
    """Say whether anything holds the lock. Takes it for a moment: never while one may start."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return Certificate.UNKNOWN
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return Certificate.HELD
    except OSError:
        return Certificate.UNKNOWN
    finally:
        os.close(descriptor)
    return Certificate.FREE


def kill_exactly(pid: int, ticks: int, number: int) -> None:
    """Signal the process that started at ``ticks``, never another that got its pid."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return
    try:
        found = proc.stat(pid)
        if found is not None and ticks in (0, found.ticks):
            signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _append_to(descriptor: int, path: str) -> tuple[int, int, str, int, int]:
    if not path:
        return (os.POSIX_SPAWN_OPEN, descriptor, "/dev/null", os.O_WRONLY, 0)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    return (os.POSIX_SPAWN_OPEN, descriptor, path, flags, 0o600)
