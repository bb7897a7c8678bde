"""List what the store holds, and remove what nothing refers to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR

from freehold.foundation.errors import PermanentFault
from freehold.software.store import Store, disk_fault


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidOut:
    """One tree. Sizes are what it takes on disk; files that trees share are counted in each."""

    digest: str
    package: str
    version: str
    platform: str
    path: Path
    size_bytes: int  # the tree and the blobs it came from
    derived_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    trees: tuple[LaidOut, ...]
    total_bytes: int  # everything in the store, each file once
    partial_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    trees: tuple[LaidOut, ...]
    blobs: int
    freed_bytes: int


def holdings(store: Store) -> Holdings:
    return Holdings(
        trees=tuple(_laid_out(store)),
        total_bytes=_disk_bytes([store.root]),
        partial_bytes=_disk_bytes([store.partial, store.quarantine]),
    )


def collect(store: Store, keep: Collection[str], *, dry_run: bool = False) -> Removal:
    """Remove trees whose digest is not in ``keep``, and what only they needed.

    Unfinished downloads and files put aside go too. Raises TransientFault while something is
    being fetched: what it brings is not referred to yet.
    """
    store.prepare()
    with store.alone():
        gone = tuple(tree for tree in _laid_out(store) if tree.digest not in keep)
        needed = _needed_blobs(store, keep)
        blobs = [blob for blob in store.blobs.iterdir() if blob.name not in needed]
        waste = [
            *(path for path in store.trees.iterdir() if path.name not in keep),
            *(path for path in store.derived.iterdir() if path.name not in keep),
            *blobs,
            *store.partial.iterdir(),
            *store.quarantine.iterdir(),
        ]
        removal = Removal(trees=gone, blobs=len(blobs), freed_bytes=_freed(waste))
        if not dry_run:
            for path in waste:
                _remove(path, store)
        return removal


def _needed_blobs(store: Store, keep: Collection[str]) -> set[str]:
    markers = (store.marker(digest) for digest in keep)
    return {file.sha256 for marker in markers if marker for file in marker.lock.files}


def _laid_out(store: Store) -> Iterator[LaidOut]:
    if not store.trees.is_dir():
        return
    for path in sorted(store.trees.iterdir()):
        marker = store.marker(path.name)
        if marker is None:
            continue
        blobs = [store.blob(file) for file in marker.lock.files]
        yield LaidOut(
            digest=marker.digest,
            package=marker.package,
            version=marker.lock.version,
            platform=marker.lock.platform,
            path=path,
            size_bytes=_disk_bytes([path, *blobs]),
            derived_bytes=_disk_bytes([store.derived / path.name]),
        )


def _remove(path: Path, store: Store) -> None:
    """A tree leaves its name first, so that a kill in between leaves no half tree."""
    try:
        if path.parent == store.trees:
            path = path.rename(store.quarantine / f"gone-{path.name}")
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        fault: PermanentFault = disk_fault(error, f"remove {path}")
        raise fault from error


def _walk(places: list[Path]) -> Iterator[os.stat_result]:
    for place in places:
        try:
            yield place.lstat()
        except FileNotFoundError:
            continue
        for folder, names, files in os.walk(place):
            for name in (*names, *files):
                try:
                    yield Path(folder, name).lstat()
                except FileNotFoundError:
                    continue


def _disk_bytes(places: list[Path]) -> int:
    seen = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in _walk(places)}
    return sum(seen.values())


def _freed(places: list[Path]) -> int:
    """Count a file only when every name it has goes: a hard link elsewhere keeps its bytes."""
    names: dict[tuple[int, int], int] = {}
    stats: dict[tuple[int, int], os.stat_result] = {}
    for stat in _walk(places):
        key = (stat.st_dev, stat.st_ino)
        names[key] = names.get(key, 0) + 1
        stats[key] = stat
    return sum(
        stat.st_blocks * 512
        for key, stat in stats.items()
        if S_ISDIR(stat.st_mode) or names[key] >= stat.st_nlink
    )
