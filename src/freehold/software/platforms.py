"""Which platform this machine is, in the words of lock files: ``linux-x86_64[-musl]``."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable

from freehold.definition.package import Package
from freehold.definition.schema import Version
from freehold.foundation.errors import NotFoundError, RefusedError
from freehold.software.lock import Lock, parse_lock

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def this_platform() -> str:
    return platform_name(sys.platform, platform.machine(), platform.libc_ver()[0])


def platform_name(system: str, machine: str, libc: str) -> str:
    """Return the lock's word; a Linux without glibc has wheels and JDKs of its own."""
    machine = machine.lower()
    name = f"{system}-{_MACHINES.get(machine, machine)}"
    return f"{name}-musl" if system == "linux" and libc != "glibc" else name


def version_of(package: Package, version: str) -> Version:
    """Raise NotFoundError naming the versions there are."""
    for known in package.spec.versions:
        if known.version == version:
            return known
    there = ", ".join(known.version for known in package.spec.versions)
    raise NotFoundError(
        f"cannot find version {version} of {package.name}: it has {there}",
        next_command=f"freehold describe {package.name}",
    )


def lock_path(version: Version, machine: str) -> str:
    """Return where in the package the lock lies."""
    return f"{version.locks.rstrip('/')}/{machine}.json"


def locked_platforms(package: Package, version: Version) -> list[str]:
    folder = f"{version.locks.rstrip('/')}/"
    names = (path.removeprefix(folder) for path in package.files if path.startswith(folder))
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def lock_for(package: Package, version: str, machine: str, minor: str) -> Lock:
    """Return the lock of a version for a platform and a hook worker's Python minor.

    Raises:
        NotFoundError: no such version. RefusedError: no lock for this platform or Python.
        DefinitionError: the lock is wrong.
    """
    known = version_of(package, version)
    path = lock_path(known, machine)
    if path not in package.files:
        raise RefusedError(
            f"cannot use {package.name} {version} on {machine}: "
            f"{_reason(locked_platforms(package, known))}",
            next_command=f"freehold describe {package.name}",
        )
    lock = parse_lock(package.files[path], path)
    if (lock.version, lock.platform) != (version, machine):
        raise RefusedError(
            f"cannot use {path}: it is the lock of {lock.version} for {lock.platform}"
        )
    return lock.for_python(minor)


def _reason(there: Iterable[str]) -> str:
    names = ", ".join(there)
    return f"its software is locked for {names} only" if names else "no software is locked for it"
