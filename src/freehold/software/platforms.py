"""Which platform this machine is, in the words of lock files: ``linux-x86_64[-musl]``."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable

from freehold.definition.locks import lock_paths, version_of
from freehold.definition.package import Package
from freehold.foundation.errors import RefusedError
from freehold.software.lock import Lock, parse_lock

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def this_platform() -> str:
    return platform_name(sys.platform, platform.machine(), platform.libc_ver()[0])


def platform_name(system: str, machine: str, libc: str) -> str:
    """Return the lock's word; a Linux without glibc has wheels and JDKs of its own."""
    machine = machine.lower()
    name = f"{system}-{_MACHINES.get(machine, machine)}"
    return f"{name}-musl" if system == "linux" and libc != "glibc" else name


def lock_for(package: Package, version: str, machine: str) -> Lock:
    """Return the lock of a version for a platform.

    Raises:
        NotFoundError: no such version. RefusedError: no lock for this platform.
        DefinitionError: the lock is wrong.
    """
    paths = lock_paths(version_of(package, version), package.files)
    path = paths.get(machine)
    if path is None:
        raise RefusedError(
            f"cannot use {package.name} {version} on {machine}: {_reason(paths)}",
            next_command=f"freehold explain {package.name}",
        )
    lock = parse_lock(package.files[path], path)
    if (lock.version, lock.platform) != (version, machine):
        raise RefusedError(
            f"cannot use {path}: it is the lock of {lock.version} for {lock.platform}"
        )
    return lock


def _reason(there: Iterable[str]) -> str:
    names = ", ".join(there)
    return f"its software is locked for {names} only" if names else "no software is locked for it"
