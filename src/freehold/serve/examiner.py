"""doctor's look at this machine: everything a service here depends on, each with its fix."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from freehold.foundation.errors import FreeholdError
from freehold.foundation.quantities import format_bytes
from freehold.operations.messages import Finding
from freehold.runtimes.local import accounts
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.preflight import ENOUGH_FILES, LEAST_FREE_BYTES, parse_available
from freehold.runtimes.local.runtime import LocalRuntime

LITTLE_MEMORY_BYTES = 512 * 2**20


class LocalExaminer:
    """Implements :class:`freehold.operations.desk.ExaminerPort`."""

    def __init__(
        self, paths: LocalPaths, runtime: LocalRuntime, recorded: Callable[[], set[str]]
    ) -> None:
        self._paths, self._runtime, self._recorded = paths, runtime, recorded

    async def examine(self) -> Sequence[Finding]:
        return [*await asyncio.to_thread(self._machine), *await self._leftovers()]

    def _machine(self) -> list[Finding]:
        return [self._disk(), _memory(), _files(), self._worker(), *self._unrecorded()]

    def _disk(self) -> Finding:
        disk = os.statvfs(self._paths.data)
        free = disk.f_bavail * disk.f_frsize
        message = f"{format_bytes(free)} free in {self._paths.data}"
        if free < LEAST_FREE_BYTES:
            return Finding(
                check="disk", status="problem", message=message, fix="freehold software gc"
            )
        return Finding(check="disk", status="ok", message=message)

    def _worker(self) -> Finding:
        account = accounts.FIRST_ACCOUNT if self._paths.is_root else None
        found = accounts.find_interpreter(account, accounts.interpreter_candidates())
        if found.problem:
            return Finding(
                check="hooks",
                status="problem",
                message=found.problem,
                fix="install Python 3.11 or newer where every user may run it",
            )
        return Finding(check="hooks", status="ok", message=f"run by {found.path}")

    def _unrecorded(self) -> Iterator[Finding]:
        """Services whose folder is here and which the state does not know."""
        known = self._recorded()
        for problem in (adoption := self._runtime.adopt()).problems:
            yield Finding(check="folders", status="warning", message=problem)
        for wish in adoption.wishes:
            if wish.service not in known:
                yield Finding(
                    check=f"service {wish.service}",
                    status="problem",
                    message="its folder is here, the state does not know it",
                    fix="freehold adopt",
                )

    async def _leftovers(self) -> list[Finding]:
        try:
            found = await self._runtime.sweep(kill=False)
        except FreeholdError as error:
            return [Finding(check="leftovers", status="warning", message=str(error))]
        if not found.orphans:
            return [Finding(check="leftovers", status="ok", message="no process without a service")]
        return [
            Finding(
                check="leftovers",
                status="problem",
                message=str(orphan),
                fix=f"kill -9 {orphan.process.pid}",
            )
            for orphan in found.orphans
        ]


def _memory() -> Finding:
    free = parse_available(Path("/proc/meminfo").read_text())
    status = "warning" if free < LITTLE_MEMORY_BYTES else "ok"
    fix = "freehold stop <a service you do not need now>" if status == "warning" else ""
    return Finding(
        check="memory", status=status, message=f"{format_bytes(free)} available", fix=fix
    )


def _files() -> Finding:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most != resource.RLIM_INFINITY and most < ENOUGH_FILES:
        return Finding(
            check="open files",
            status="warning",
            message=f"a process may open {most}; databases want {ENOUGH_FILES}",
            fix=f"ulimit -n {ENOUGH_FILES}",
        )
    return Finding(check="open files", status="ok", message=f"a process may open {most}")
