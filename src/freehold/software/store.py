"""The store: verified files by their hash, and software laid out from them.

    blobs/<sha256>      a whole, verified file; read-only
    partial/<sha256>    what has come so far; whoever holds its flock is fetching it
    quarantine/         files whose hash was wrong, kept to be looked at until the next gc
    trees/<digest>/     software laid out from a lock; renamed into place when it is complete
    derived/<digest>/   what a package makes from a tree later (a class archive), per account

Nothing under ``blobs`` or ``trees`` is ever half there: both are filled by rename. One store per
user and file system, because trees are hard links.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.software.lock import Lock, LockedFile

MARKER = ".freehold-tree.json"
_CHUNK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Marker(Struct, frozen=True, kw_only=True):
    """Lies in each complete tree: what it is, and which blobs it came from."""

    digest: str
    package: str
    lock: Lock


class Store:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs"
        self.partial = root / "partial"
        self.quarantine = root / "quarantine"
        self.trees = root / "trees"
        self.derived = root / "derived"

    def prepare(self) -> None:
        """Make the folders. Accounts of services may pass to trees, and see nothing else."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for folder, mode in (
                (self.root, 0o711),
                (self.blobs, 0o700),
                (self.partial, 0o700),
                (self.quarantine, 0o700),
                (self.trees, 0o755),
                (self.derived, 0o711),
            ):
                folder.mkdir(exist_ok=True)
                if folder.stat().st_mode & 0o777 != mode:
                    folder.chmod(mode)
        except OSError as error:
            raise disk_fault(error, f"make the software store {self.root}") from error

    def blob(self, file: LockedFile) -> Path:
        return self.blobs / file.sha256

    def tree(self, digest: str) -> Path:
        return self.trees / digest

    def has(self, file: LockedFile) -> bool:
        try:
            return self.blob(file).stat().st_size == file.size
        except FileNotFoundError:
            return False

    def missing(self, lock: Lock) -> list[LockedFile]:
        """Return the files that are not here, each content once."""
        by_hash = {file.sha256: file for file in lock.files if not self.has(file)}
        return list(by_hash.values())

    def damaged(self, lock: Lock) -> list[LockedFile]:
        """Read every blob of the lock; put aside and return those that changed on disk."""
        found = []
        for file in {file.sha256: file for file in lock.files}.values():
            path = self.blob(file)
            if not path.exists() or sha256_of(path) != file.sha256:
                self.put_aside(path, f"{file.sha256[:16]}-{file.file}")
                found.append(file)
        return found

    def put_aside(self, path: Path, name: str) -> Path:
        aside = self.quarantine / name
        if path.exists():
            path.replace(aside)
        return aside

    def marker(self, digest: str) -> Marker | None:
        """Return what a complete tree says of itself, None when there is no such tree."""
        try:
            marker = msgspec.json.decode((self.tree(digest) / MARKER).read_bytes(), type=Marker)
        except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
            return None
        return marker if marker.digest == digest else None

    def is_laid_out(self, digest: str) -> bool:
        """Say whether there is a whole tree: its marker is the last thing written into it."""
        return (self.tree(digest) / MARKER).is_file()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold off gc while files are fetched and laid out."""
        with flocked(self.root / "use.lock", fcntl.LOCK_SH, "use the software store"):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only user; raises TransientFault at once when something is being fetched."""
        kind = fcntl.LOCK_EX | fcntl.LOCK_NB
        with flocked(self.root / "use.lock", kind, "clean the software store"):
            yield

    @contextmanager
    def laying_out(self) -> Iterator[None]:
        """One layout at a time; whatever lies half made when we get here is a dead one's."""
        with flocked(self.root / "layout.lock", fcntl.LOCK_EX, "lay out software"):
            for left in self.trees.glob(".new-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield

    def sync(self) -> None:
        """Make renames into blobs and trees last through a power cut."""
        for folder in (self.blobs, self.trees):
            sync_folder(folder)


def derived_folder(tree: Path, uid: int | None = None, gid: int | None = None) -> Path:
    """Return a folder beside ``tree`` that one account may write, made when it is not there.

    One per account: what a service wrote there is never read by another service.
    """
    owner = os.geteuid() if uid is None else uid
    above = tree.parent.parent / "derived" / tree.name
    folder = above / str(owner)
    try:
        above.mkdir(exist_ok=True)
        above.chmod(0o711)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o700)
        if owner != os.geteuid():
            os.chown(folder, owner, owner if gid is None else gid)
    except OSError as error:
        raise disk_fault(error, f"make {folder}") from error
    return folder


def sha256_of(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def flocked(path: Path, kind: int, purpose: str) -> Iterator[int]:
    """Hold a lock file; the kernel drops it when the process dies."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise disk_fault(error, purpose) from error
    try:
        try:
            fcntl.flock(descriptor, kind)
        except BlockingIOError as error:
            raise TransientFault(
                f"cannot {purpose}: another process is fetching software"
            ) from error
        yield descriptor
    finally:
        os.close(descriptor)


def disk_fault(error: OSError, purpose: str) -> PermanentFault:
    """Turn a disk's error into a fault that says what to do."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in _FULL:
        return PermanentFault(
            f"cannot {purpose}: the disk is full{place}", next_command="freehold software gc"
        )
    return PermanentFault(f"cannot {purpose}: {error.strerror or error}{place}")
