"""The ``SoftwareStore`` port over the store on disk: locks in, laid-out software out."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from freehold.definition.package import Package
from freehold.execution.ports import Progress
from freehold.foundation.errors import DefinitionError, NotFoundError, RefusedError
from freehold.software.collect import LaidOut, Removal, collect, holdings
from freehold.software.download import Patience
from freehold.software.fetch import ByteProgress, fetch_files
from freehold.software.layout import DamagedFault, lay_out
from freehold.software.lock import Lock
from freehold.software.platforms import lock_for, this_platform
from freehold.software.registries import Registries, registries_from
from freehold.software.store import Store

_SHOWN_EVERY_S = 0.1
_MOST_KEPT = 256  # locks read, by package digest and version
_NEVER_HERE = (DefinitionError, NotFoundError, RefusedError)  # no usable lock, so no tree


def user_registries() -> Registries:
    """Return what this user's pip and Maven are set to."""
    return registries_from(os.environ, Path.home(), Path(sys.prefix))


@dataclass(frozen=True, slots=True)
class _Known:
    lock: Lock
    digest: str


class LockedSoftware:
    """Software by package and version, from lock files.

    Args:
        store: the folder; on one file system with the members' folders.
        minor: Python minor of the interpreter that runs hook workers.
        registries: asked for only when something has to be fetched.
    """

    def __init__(
        self,
        store: Store,
        *,
        platform: str | None = None,
        minor: str | None = None,
        registries: Callable[[], Registries] = user_registries,
        patience: Patience | None = None,
    ) -> None:
        self.store = store
        self._platform = platform or this_platform()
        self._minor = minor or f"3.{sys.version_info.minor}"
        self._registries = registries
        self._patience = patience or Patience()
        self._locks: dict[tuple[str, str], _Known] = {}

    def lock(self, package: Package, version: str) -> Lock:
        """Return the lock that counts on this machine; errors as in ``platforms.lock_for``."""
        return self._known(package, version).lock

    def _known(self, package: Package, version: str) -> _Known:
        key = (package.digest, version)
        if key not in self._locks:  # asked at every observation of every service
            if len(self._locks) >= _MOST_KEPT:
                self._locks.clear()
            self._locks[key] = self._read(package, version)
        return self._locks[key]

    def _read(self, package: Package, version: str) -> _Known:
        lock = lock_for(package, version, self._platform).for_python(self._minor)
        return _Known(lock, lock.digest)

    def tree_for(self, package: Package, version: str) -> Path:
        """Return where the software of a version lies, or will lie once it is fetched."""
        return self.store.tree(self._known(package, version).digest)

    def digests(self, package: Package, version: str) -> frozenset[str]:
        """Return what gc has to keep for a version: its tree, for whichever Python it was made."""
        try:
            lock = lock_for(package, version, self._platform)
        except _NEVER_HERE:
            return frozenset()
        return frozenset(lock.for_python(minor).digest for minor in lock.pythons or [""])

    async def missing_bytes(self, package: Package, version: str) -> int:
        """Return how much a fetch would bring; 0 when it is laid out."""
        lock = self.lock(package, version)
        return await asyncio.to_thread(self._missing_bytes, lock)

    async def trees(self) -> Sequence[LaidOut]:
        found = await asyncio.to_thread(holdings, self.store)
        return found.trees

    async def collect(self, keep: Collection[str], *, dry_run: bool) -> Removal:
        """See ``collect.collect``."""
        return await asyncio.to_thread(collect, self.store, keep, dry_run=dry_run)

    async def present(self, package: Package) -> frozenset[str]:
        """Return the versions that are laid out here."""
        return await asyncio.to_thread(self._present, package)

    async def fetch(self, package: Package, version: str, progress: Progress) -> None:
        """Fetch, verify and lay out. Cancelling stops the threads and keeps what has come."""
        loop = asyncio.get_running_loop()
        stop = Event()

        def report(done: int, total: int, note: str) -> None:
            loop.call_soon_threadsafe(progress, note, done / total if total else 1.0)

        work = loop.run_in_executor(None, self.fetch_now, package, version, _Sparing(report), stop)
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([work])
            work.exception()  # looked at: it says "cancelled" or came a moment before
            raise

    def fetch_now(
        self,
        package: Package,
        version: str,
        progress: ByteProgress = lambda *_: None,
        stop: Event | None = None,
    ) -> Path:
        """Do the same in this thread; return the tree."""
        lock = self.lock(package, version)
        if self.store.is_laid_out(lock.digest):
            return self.store.tree(lock.digest)
        self.store.prepare()
        with self.store.in_use():
            try:
                return self._bring(lock, package.name, progress, stop)
            except DamagedFault:  # what changed on disk was put aside: once more
                return self._bring(lock, package.name, progress, stop)

    def _bring(self, lock: Lock, name: str, progress: ByteProgress, stop: Event | None) -> Path:
        fetch_files(
            lock.files,
            self.store,
            self._registries,
            progress=progress,
            stop=stop,
            patience=self._patience,
        )
        progress(lock.size_bytes, lock.size_bytes, "laying out")
        return lay_out(lock, name, self.store)

    def _missing_bytes(self, lock: Lock) -> int:
        if self.store.is_laid_out(lock.digest):
            return 0
        return sum(file.size for file in self.store.missing(lock))

    def _present(self, package: Package) -> frozenset[str]:
        found = set()
        for version in package.spec.versions:
            try:
                digest = self._known(package, version.version).digest
            except _NEVER_HERE:
                continue
            if self.store.is_laid_out(digest):
                found.add(version.version)
        return frozenset(found)


class _Sparing:
    """Passes on ten reports a second, and always the last."""

    def __init__(self, report: ByteProgress) -> None:
        self._report = report
        self._shown_at = 0.0

    def __call__(self, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        if done < total and now - self._shown_at < _SHOWN_EVERY_S:
            return
        self._shown_at = now
        self._report(done, total, note)
