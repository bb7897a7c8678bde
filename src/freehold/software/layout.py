"""Lay out software from verified files: hard links and unpacked archives, then one rename."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.software.lock import Lock, LockedFile
from freehold.software.store import MARKER, Marker, Store, disk_fault
from freehold.software.unpack import unpack

_SYNCS = 16
_LINK_IMPOSSIBLE = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


class DamagedFault(TransientFault):
    """Verified files changed on disk since; they were put aside, a fetch brings them again."""


def lay_out(lock: Lock, package: str, store: Store) -> Path:
    """Return the lock's tree, made when it is not there. Every file is hashed again first.

    Raises:
        DamagedFault: a file is missing or changed on disk; it was put aside, fetch it again.
        PermanentFault: the disk, or a hostile archive. Nothing is left of a failed try.
    """
    with store.laying_out():
        target = store.tree(lock.digest)
        if store.marker(lock.digest) is not None:
            return target
        if damaged := store.damaged(lock):
            names = ", ".join(file.file for file in damaged)
            raise DamagedFault(f"cannot lay out {package} {lock.version}: damaged files: {names}")
        building = store.trees / f".new-{lock.digest}"
        try:
            _build(lock, package, store, building)
            if target.exists():  # no valid marker: not a tree of ours
                target.rename(store.quarantine / f"tree-{lock.digest[:16]}-{os.getpid()}")
            building.rename(target)
            store.sync()
        except OSError as error:
            raise disk_fault(error, f"lay out {package} {lock.version}") from error
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return target


def _build(lock: Lock, package: str, store: Store, building: Path) -> None:
    building.mkdir()
    for file in lock.files:
        into = building / file.into
        into.mkdir(parents=True, exist_ok=True)
        if file.unpack is None:
            _link(store, file, into / file.file)
        else:
            unpack(store.blob(file), file.unpack, into, file.file)
    for folder, _, _ in os.walk(building):
        Path(folder).chmod(0o755)
    marker = Marker(digest=lock.digest, package=package, lock=lock)
    place = building / MARKER
    with place.open("xb") as written:  # an archive may not bring its own
        written.write(msgspec.json.encode(marker))
    place.chmod(0o644)
    _sync(building)


def _link(store: Store, file: LockedFile, place: Path) -> None:
    try:
        place.hardlink_to(store.blob(file))
    except FileExistsError as error:
        raise PermanentFault(f"cannot lay out {file.file}: its place is taken") from error
    except OSError as error:
        if error.errno not in _LINK_IMPOSSIBLE:
            raise
        shutil.copyfile(store.blob(file), place)
        place.chmod(0o444)


def _sync(building: Path) -> None:
    """Files first, folders after: a power cut may not leave a named, empty file behind.

    Together, because a file system commits many waiting ones at once.
    """
    files: list[Path] = []
    folders: list[Path] = []
    for folder, _, names in os.walk(building):
        folders.append(Path(folder))
        files += [Path(folder, name) for name in names]
    with ThreadPoolExecutor(_SYNCS) as pool:
        for each in (files, folders):
            for _ in pool.map(_sync_one, each):
                pass


def _sync_one(place: Path) -> None:
    if place.is_symlink() or (place.is_file() and place.stat().st_nlink > 1):
        return  # a blob: was synced when it came
    descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
