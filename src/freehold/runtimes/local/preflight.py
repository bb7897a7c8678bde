"""Would these members fit on this machine? Asked before a wish is stored.

``judge`` is pure: what is needed and what there is, in; a refusal with its fix, or warnings, out.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from freehold.foundation.errors import RefusedError
from freehold.foundation.member import MemberSpec
from freehold.foundation.quantities import format_bytes
from freehold.runtimes.local import accounts, sockets

LEAST_FREE_BYTES = 512 * 2**20  # of the data folder's file system, beside the volumes
ENOUGH_FILES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What members that do not run yet will take."""

    service: str
    members: int
    memory_bytes: int
    disk_bytes: int
    hooks: bool = False

    @classmethod
    def of(cls, service: str, specs: Sequence[MemberSpec]) -> Need:
        return cls(
            service=service,
            members=len(specs),
            memory_bytes=sum(spec.memory_bytes for spec in specs),
            disk_bytes=sum(volume.size_bytes for spec in specs for volume in spec.volumes),
            hooks=any(spec.hooks.module for spec in specs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    memory_bytes: int  # available now, file cache counted as available
    promised_bytes: int  # asked for by members that run, and not taken by them yet
    disk_bytes: int  # free where the volumes will be
    open_files: int  # most that one process may have
    taken: Mapping[str, str] = field(default_factory=dict)  # address:port -> why
    impassable: str = ""  # folder above the data that services' accounts cannot enter
    worker_problem: str = ""


def judge(need: Need, machine: Machine) -> tuple[str, ...]:
    """Return warnings. Raises RefusedError, naming the first thing that is missing and its fix."""
    if machine.impassable:
        raise RefusedError(
            f"cannot install {need.service}: its account may not enter {machine.impassable}",
            next_command="FREEHOLD_HOME=<a folder outside it> freehold install …",
        )
    for where, why in sorted(machine.taken.items()):
        raise RefusedError(
            f"cannot install {need.service}: {where} is taken: {why}",
            next_command=f"ss -ltnp 'sport = :{where.rpartition(':')[2]}'",
        )
    if need.hooks and machine.worker_problem:
        raise RefusedError(
            f"cannot install {need.service}: {machine.worker_problem}",
            next_command="freehold doctor",
        )
    free = max(0, machine.memory_bytes - machine.promised_bytes)
    if need.memory_bytes > free:
        raise RefusedError(
            f"cannot run {need.members} more members of {need.service}: they need "
            f"{format_bytes(need.memory_bytes)} of memory, {format_bytes(free)} are free",
            next_command="freehold install … --preset dev",
        )
    if machine.disk_bytes < LEAST_FREE_BYTES:
        raise RefusedError(
            f"cannot install {need.service}: {format_bytes(machine.disk_bytes)} of disk are free, "
            f"{format_bytes(LEAST_FREE_BYTES)} are the least",
            next_command="freehold software gc",
        )
    return tuple(_warnings(need, machine))


def _warnings(need: Need, machine: Machine) -> Iterable[str]:
    if need.disk_bytes > machine.disk_bytes:
        yield (
            f"the volumes may grow to {format_bytes(need.disk_bytes)}, "
            f"{format_bytes(machine.disk_bytes)} of disk are free"
        )
    if machine.open_files < ENOUGH_FILES:
        yield f"a process may open {machine.open_files} files here; databases want {ENOUGH_FILES}"


def read_machine(
    data: Path, *, promised_bytes: int, addresses: Mapping[str, str], specs: Sequence[MemberSpec]
) -> Machine:
    """Look at this machine; ``addresses`` are those that the new members will have."""
    is_root = os.geteuid() == 0
    account = accounts.FIRST_ACCOUNT if is_root else None
    worker = accounts.Interpreter(path="")
    if any(spec.hooks.module for spec in specs):
        worker = accounts.find_interpreter(account, accounts.interpreter_candidates())
    disk = os.statvfs(data)
    return Machine(
        memory_bytes=parse_available(Path("/proc/meminfo").read_text()),
        promised_bytes=promised_bytes,
        disk_bytes=disk.f_bavail * disk.f_frsize,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        taken=_taken(addresses, specs),
        impassable=_impassable(data) if is_root else "",
        worker_problem=worker.problem,
    )


def parse_available(meminfo: str) -> int:
    """Return MemAvailable of /proc/meminfo's text, in bytes."""
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise ValueError("no MemAvailable: a kernel older than 3.14")


def _taken(addresses: Mapping[str, str], specs: Sequence[MemberSpec]) -> Mapping[str, str]:
    found = {}
    for spec in specs:
        for listener in spec.listeners:
            why = sockets.why_not_bindable(addresses[spec.name], listener.port)
            if why is not None:
                found[f"{addresses[spec.name]}:{listener.port}"] = why
    return found


def _impassable(data: Path) -> str:
    """Return the topmost folder on the way to the data that others may not pass, "" if none."""
    for folder in reversed((data, *data.parents)):
        if folder.exists() and not folder.stat().st_mode & 0o001:
            return str(folder)
    return ""
