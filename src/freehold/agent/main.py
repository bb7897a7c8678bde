"""Entry: one agent for one member's folder, guaranteed by a lock.

    main.py <member folder>      supervise it
    main.py --check              say whether this tree can start at all

Exit codes: 0 told to end, 70 an error of ours, 74 the folder's agent already runs, 78 the folder
cannot be supervised.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from freehold.agent import lean

lean.spare_imports()

import asyncio  # noqa: E402

from freehold.agent.agent import HANDED_OVER, Agent  # noqa: E402
from freehold.foundation.errors import FreeholdError  # noqa: E402

ALREADY_RUNS = 74
NOT_SUPERVISABLE = 78


def run(arguments: Sequence[str]) -> int:
    if list(arguments) == ["--check"]:
        return 0
    if len(arguments) != 1:
        sys.stderr.write("cannot start an agent: give it the member's folder\n")
        return 64
    return main(Path(arguments[0]))


def main(folder: Path) -> int:
    handed_over = _handed_over()
    lock = handed_over.get("lock")
    if lock is None:
        lock = os.open(folder / "agent.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"cannot start an agent for {folder}: it has one\n")
            return ALREADY_RUNS
    os.set_inheritable(lock, False)
    os.umask(0o077)
    try:
        return asyncio.run(_run(folder, handed_over, lock))
    except (FreeholdError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return NOT_SUPERVISABLE


async def _run(folder: Path, handed_over: dict[str, int], lock: int) -> int:
    return await Agent(folder, handed_over, lock).run()


def _handed_over() -> dict[str, int]:
    """Return the descriptors that the agent before this one left across exec."""
    text = os.environ.pop(HANDED_OVER, "")
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {name: int(number) for name, _, number in pairs}
