"""software list, fetch, gc: what is laid out here, for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from freehold.foundation.errors import NotFoundError
from freehold.operations.desk import Desk
from freehold.operations.install import find_package
from freehold.operations.lookup import package_of
from freehold.operations.messages import Collect, Collected, Fetch, FetchProgress, SoftwareView


async def list_software(desk: Desk) -> list[SoftwareView]:
    used = _users(desk)
    return [
        SoftwareView(
            package=tree.package,
            version=tree.version,
            bytes=tree.bytes,
            digest=tree.digest,
            used_by=used.get(tree.digest, []),
        )
        for tree in await desk.store.trees()
    ]


async def fetch_software(desk: Desk, asked: Fetch) -> AsyncIterator[FetchProgress]:
    """Yield how far it is; the last line says done. Leaving early stops the fetch."""
    package = find_package(desk, asked.package)
    known = [each.version for each in package.spec.versions]
    version = asked.version or known[0]
    if version not in known:
        raise NotFoundError(
            f"cannot fetch {package.name} {version}: its versions are {', '.join(known)}",
            next_command=f"freehold catalog {package.name}",
        )
    notes: asyncio.Queue[FetchProgress] = asyncio.Queue()

    def report(note: str, ratio: float | None) -> None:
        notes.put_nowait(FetchProgress(note=note, ratio=ratio))

    work = asyncio.ensure_future(desk.software.fetch(package, version, report))
    work.add_done_callback(
        lambda _: notes.put_nowait(FetchProgress(note=f"{package.name} {version}", done=True))
    )
    try:
        while True:
            progress = await notes.get()
            if progress.done:
                break
            yield progress
        await work
        yield FetchProgress(note=f"{package.name} {version} is here", ratio=1.0, done=True)
    finally:
        work.cancel()
        await asyncio.wait([work])


async def collect_software(desk: Desk, asked: Collect) -> Collected:
    """Remove what no service needs: running, stopped or uninstalled."""
    return await desk.store.collect(frozenset(_users(desk)), dry_run=asked.dry_run)


def _users(desk: Desk) -> dict[str, list[str]]:
    """Return tree digest -> services that may still start from it.

    All versions of a definition that were laid out count, not only the wanted one: while an
    upgrade rolls, members run the one before.
    """
    used: dict[str, list[str]] = {}
    for wish in desk.journal.wishes():
        package = package_of(desk, wish)
        if package is None:
            continue
        for version in package.spec.versions:
            for digest in desk.store.digests(package, version.version):
                used.setdefault(digest, []).append(wish.service)
    return used
