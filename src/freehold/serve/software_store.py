"""The software store as the verbs of ``software`` ask for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from freehold.definition.package import Package
from freehold.foundation.errors import FreeholdError
from freehold.operations.desk import Tree
from freehold.operations.messages import Collected
from freehold.software.locked import LockedSoftware


class StoreKeeper:
    """Implements :class:`freehold.operations.desk.StorePort`."""

    def __init__(self, software: LockedSoftware) -> None:
        self._software = software

    async def trees(self) -> Sequence[Tree]:
        held = await self._software.trees()
        return [
            Tree(
                digest=tree.digest,
                package=tree.package,
                version=tree.version,
                bytes=tree.size_bytes + tree.derived_bytes,
            )
            for tree in held
        ]

    def digests(self, package: Package, version: str) -> Collection[str]:
        return self._software.digests(package, version)

    async def missing_bytes(self, package: Package, version: str) -> int:
        """A machine that no lock fits is refused by the fetch itself; a plan shows 0."""
        try:
            return await self._software.missing_bytes(package, version)
        except FreeholdError:
            return 0

    async def collect(self, keep: Collection[str], *, dry_run: bool) -> Collected:
        removal = await self._software.collect(keep, dry_run=dry_run)
        return Collected(
            removed=[f"{tree.package} {tree.version}" for tree in removal.trees],
            freed_bytes=removal.freed_bytes,
            dry_run=dry_run,
        )
