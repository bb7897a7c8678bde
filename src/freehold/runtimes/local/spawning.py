"""Start an agent so that nothing that happens to the daemon reaches it.

It gets a session of its own, no terminal, no descriptor of ours, and a clean environment; its output
goes to a file opened for appending, never into a pipe that dies with us.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from freehold.agent.proc import MEMBER_TAG
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.runtimes.local.folders import MemberFolder
from freehold.runtimes.local.processes import ProcessId, identify

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProgram:
    """An immutable copy of the agent, and the interpreter that runs it."""

    python: str
    tree: Path

    def argv(self, folder: Path) -> tuple[str, ...]:
        return (self.python, "-I", "-S", str(self.tree / "main.py"), str(folder))


def tag_of(folder: MemberFolder) -> str:
    """The same that the agent gives what it starts: a sweep tells by it whose volumes it serves."""
    return f"{folder.member}/{folder.uid()}"


def agent_environment(folder: MemberFolder) -> dict[str, str]:
    return {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/", MEMBER_TAG: tag_of(folder)}


def spawn_agent(argv: Sequence[str], folder: MemberFolder) -> ProcessId:
    """Start the agent; it is our child until we end, then init's.

    Raises TransientFault: no process could be made now. PermanentFault: no such program.
    """
    try:
        with ExitStack() as opened:
            null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            opened.callback(os.close, null)
            log = os.open(folder.agent_log, _APPEND, 0o600)
            opened.callback(os.close, log)
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                agent_environment(folder),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, null, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD],
            )
    except OSError as error:
        reason = f"cannot start the agent of {folder.member}: {error.strerror or error}"
        if not Path(argv[0]).exists():
            raise PermanentFault(f"{reason}: {argv[0]}", next_command="freehold doctor") from error
        raise TransientFault(reason) from error
    found = identify(pid)
    if found is None:
        reap(pid)
        raise TransientFault(f"cannot start the agent of {folder.member}: {last_words(folder)}")
    return found


def reap(pid: int) -> None:
    """Collect a dead child; somebody else's process is none of our business."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def last_words(folder: MemberFolder) -> str:
    """Return the end of the agent's own log: the reason it gave, if it gave one."""
    try:
        lines = folder.agent_log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return "it ended at once and left no log"
    return lines[-1][:300] if lines else "it ended at once and said nothing"
