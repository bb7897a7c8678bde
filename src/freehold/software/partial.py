"""A file on its way into the store: one writer, resumable, renamed when it is right."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.software.lock import LockedFile
from freehold.software.store import Store, disk_fault

_CHUNK = 1 << 20
_LOOK_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """How a batch stops its downloads; ``pause`` waits some seconds, or less when it is over."""

    is_over: Callable[[], bool]
    pause: Callable[[float], None]


class Stopped(TransientFault):
    """The asker cancelled."""


class Partial:
    """An open, flocked file in ``partial/``. The kernel drops the lock of a killed process."""

    def __init__(self, store: Store, file: LockedFile, path: Path, descriptor: int) -> None:
        self._store = store
        self._file = file
        self._path = path
        self._descriptor = descriptor

    @classmethod
    def open(
        cls,
        store: Store,
        file: LockedFile,
        control: Control,
    ) -> Partial | None:
        """Return the partial once it is ours, None when the blob came meanwhile."""
        path = store.partial / file.sha256
        while True:
            try:
                descriptor = os.open(
                    path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
                )
            except OSError as error:
                raise disk_fault(error, f"fetch {file.file}") from error
            if cls._is_ours(descriptor, path):
                if not store.has(file):
                    return cls(store, file, path, descriptor)
                path.unlink(missing_ok=True)
                os.close(descriptor)
                return None
            os.close(descriptor)
            if control.is_over():
                raise Stopped(f"cannot go on waiting for {file.file}: it was cancelled")
            control.pause(_LOOK_AGAIN_S)

    @staticmethod
    def _is_ours(descriptor: int, path: Path) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one before us may have renamed or removed it between our open and our lock.
            return os.path.samestat(os.fstat(descriptor), path.stat())
        except (BlockingIOError, FileNotFoundError):
            return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        return os.fstat(self._descriptor).st_size

    def digest_so_far(self) -> hashlib._Hash:
        digest = hashlib.sha256()
        place = 0
        while chunk := os.pread(self._descriptor, _CHUNK, place):
            digest.update(chunk)
            place += len(chunk)
        return digest

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def restart(self) -> None:
        os.ftruncate(self._descriptor, 0)

    def discard(self) -> None:
        self.restart()
        self._path.unlink(missing_ok=True)

    def become_blob(self) -> None:
        """Only called when size and hash were found right."""
        os.fchmod(self._descriptor, 0o444)
        os.fsync(self._descriptor)
        self._path.rename(self._store.blob(self._file))

    def refuse(self, actual: str) -> PermanentFault:
        """Put wrong content aside, and return what to raise."""
        aside = self._store.put_aside(self._path, f"{actual[:16]}-{self._file.file}")
        return PermanentFault(
            f"cannot use {self._file.file}: its sha256 is {actual}, the lock says "
            f"{self._file.sha256}; what came was put aside in {aside}",
            next_command="freehold doctor",
        )
