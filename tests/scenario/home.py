"""A Freehold home of a test's own: its folder, its daemon, the command, and what it leaves behind.

Everything goes through the real command, as a user's terminal would; the harness only adds faults
(signals to the pids that ``describe`` shows) and looks at the machine from outside.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

_Seen = TypeVar("_Seen")


class CommandFailed(AssertionError):
    pass


@dataclass
class Home:
    """One FREEHOLD_HOME; ``close`` kills whatever is still running for it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = (sys.executable, "-m", "freehold.cli")
    spoken: list[str] = field(default_factory=list)  # every output, for the search for secrets

    @classmethod
    @contextlib.contextmanager
    def new(cls, store: Path | None = None) -> Iterator[Home]:
        """Make a home; with ``store``, its software is hard-linked from there instead of fetched."""
        folder = Path(tempfile.mkdtemp(prefix="fh-", dir="/tmp"))
        folder.chmod(0o755)  # software accounts have to pass through
        home = cls(folder, {**os.environ, "FREEHOLD_HOME": str(folder), "NO_COLOR": "1"})
        if store is not None and store.exists():
            home.adopt_store(store)
        try:
            yield home
        finally:
            home.close()

    def adopt_store(self, store: Path) -> None:
        data = self.folder / "data"
        data.mkdir(mode=0o755, parents=True)
        shutil.copytree(store, data / "store", copy_function=os.link, symlinks=True)

    def run(
        self, *arguments: str, code: int | None = 0, within_s: float = 240, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self.command, *arguments],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        self.spoken.extend((done.stdout, done.stderr))
        if code is not None and done.returncode != code:
            raise CommandFailed(
                f"freehold {' '.join(arguments)}: exit {done.returncode}, expected {code}\n"
                f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self.evidence()}"
            )
        return done

    def json(self, *arguments: str, within_s: float = 240) -> Any:
        return json.loads(self.run(*arguments, "-o", "json", within_s=within_s).stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json("describe", name)
        return found

    def member(self, service: str, ordinal: int) -> dict[str, Any]:
        members = self.service(service)["members"]
        return next(each for each in members if each["name"].endswith(f"-{ordinal}"))

    def until_state(self, service: str, state: str, within_s: float = 180) -> dict[str, Any]:
        """Wait until the service says so; reading it starts the daemon again when it is dead."""
        return until(
            lambda: self.service(service),
            lambda seen: seen["state"] == state,
            within_s,
            f"{service} is {state}",
            self.evidence,
        )

    @property
    def daemon_pid(self) -> int:
        return int(self.json("daemon", "status")["pid"])

    def evidence(self) -> str:
        log = self.folder / "data/daemon.log"
        tail = log.read_text(errors="replace")[-3000:] if log.exists() else "(no daemon log)"
        return f"--- daemon.log\n{tail}"

    # the machine, from outside

    def processes(self) -> dict[int, str]:
        """Return every process that belongs to this home: pid -> command line."""
        found = {}
        mark = str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                environment = (entry / "environ").read_bytes()
                line = (entry / "cmdline").read_bytes()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and (mark in environment or mark in line):
                    found[int(entry.name)] = line.replace(b"\0", b" ").decode(errors="replace")
        return found

    def engines(self, main: str) -> dict[int, str]:
        """Return the processes whose command line holds ``main``: one for each member, never two.

        A launcher before its exec carries the software's words too and is left out.
        """
        return {
            pid: line
            for pid, line in self.processes().items()
            if main in line and "launcher.py" not in line
        }

    def close(self) -> None:
        for _attempt in range(50):
            alive = self.processes()
            if not alive:
                break
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)  # a kill takes effect a moment later; nobody to ask
        shutil.rmtree(self.folder, ignore_errors=True)


def until(
    look: Callable[[], _Seen],
    holds: Callable[[_Seen], bool],
    within_s: float,
    what: str,
    evidence: Callable[[], str] = str,
) -> _Seen:
    """Look again and again until it holds; the deadline is generous because it is no benchmark."""
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if holds(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within_s:.0f} s: {what}; last seen: {seen!r}\n{evidence()}"
            )
        time.sleep(0.1)


def kill(pid: int, sign: signal.Signals = signal.SIGKILL) -> None:
    os.kill(pid, sign)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
