"""Numeric accounts for services, and interpreters that they can execute.

As root every service gets an account of its own, 61500 and up: a number, no line in passwd. What one
service's software can read or kill is then its own only. The interpreter for hook workers is
found by running candidates *as that account*, since a Python under /root exists and yet cannot be
executed by it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from freehold.foundation.errors import RefusedError

FIRST_ACCOUNT, ACCOUNTS = 61500, 3500  # below 65534 (nobody), above what adduser gives
OLDEST_PYTHON = (3, 9)  # what agent/worker.py and the packages' hooks are written for


def choose_account(used: Iterable[int], is_known: Callable[[int], bool], *, first: int = 0) -> int:
    """Return the lowest account from ``61500 + first`` (wrapping) that nobody has."""
    taken = set(used)
    for turn in range(ACCOUNTS):
        account = FIRST_ACCOUNT + (first + turn) % ACCOUNTS
        if account not in taken and not is_known(account):
            return account
    raise RefusedError(
        f"cannot give the service an account: {FIRST_ACCOUNT} to {FIRST_ACCOUNT + ACCOUNTS - 1} are taken"
    )


def is_in_passwd(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def running_uids() -> frozenset[int]:
    """Return the uids of all processes: another home's services may use numbers we do not know."""
    found = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                found.add(process.stat().st_uid)
    return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """``path`` is "" when there is none; ``problem`` then says why and what to do."""

    path: str
    version: tuple[int, int] = (0, 0)
    problem: str = ""


def base_interpreter() -> str:
    """Return the interpreter behind this environment: it outlives a removed virtual environment."""
    return os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable)


def interpreter_candidates() -> tuple[str, ...]:
    """Return what may be tried, the likeliest first: ours, then this minor's, then any."""
    minor = f"python3.{sys.version_info[1]}"
    found = [base_interpreter(), f"/usr/bin/{minor}", f"/usr/local/bin/{minor}"]
    found += [shutil.which(minor) or "", "/usr/bin/python3", "/usr/local/bin/python3"]
    found += [shutil.which("python3") or ""]
    real = [os.path.realpath(path) for path in found if path]
    return tuple(dict.fromkeys(path for path in real if Path(path).exists()))


def find_interpreter(
    account: int | None, candidates: Sequence[str], *, minor: int = sys.version_info[1]
) -> Interpreter:
    """Return the first candidate that this account can run, one of our own minor before others.

    Hook libraries are locked per Python minor, so the same one finds compiled libraries.
    """
    other: Interpreter | None = None
    for path in candidates:
        version = _version_as(account, path)
        if version is None or version < OLDEST_PYTHON:
            continue
        found = Interpreter(path=path, version=version)
        if version == (3, minor):
            return found
        other = other or found
    if other is not None:
        return other
    who = "this user" if account is None else f"uid {account}"
    tried = ", ".join(candidates) or "none was found"
    return Interpreter(
        path="",
        problem=f"cannot run hooks as {who}: no Python >= 3.{OLDEST_PYTHON[1]} that it can execute "
        f"(tried {tried}); install one outside /root, e.g. apt-get install python3",
    )


def _version_as(account: int | None, path: str) -> tuple[int, int] | None:
    line = "import sys; print(*sys.version_info[:2])"
    identity = {} if account is None else {"user": account, "group": account, "extra_groups": []}
    try:
        answer = subprocess.run(  # type: ignore[call-overload]
            [path, "-I", "-S", "-c", line],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=10,
            check=False,
            text=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin"},
            **identity,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = answer.stdout.split()
    if answer.returncode != 0 or len(words) != 2:
        return None
    return int(words[0]), int(words[1])
