"""Unpack a wheel or jar into a folder, trusting nothing that is written in it.

Refused: names that lead out of the folder, links that do, devices and other special files, one
name twice, encrypted entries, archives that grow beyond all proportion. The check of all names
comes before the first byte is written. Modes are ours: 0755 where the archive says executable
(a JDK's ``java`` and ``jspawnhelper``), else 0644; setuid is dropped.
"""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from freehold.foundation.errors import PermanentFault

_MOST_ENTRIES = 200_000
_LARGEST_GROWTH = 30  # times the archive's own size
_SMALLEST_LIMIT = 64 << 20
_LARGEST = 16 << 30
_ENCRYPTED = 0x1
_LONGEST_LINK = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    info: zipfile.ZipInfo
    path: PurePosixPath  # below the folder
    is_link: bool


def unpack(archive: Path, inside: str, target: Path, name: str) -> None:
    """Put what lies under ``inside`` in the archive into ``target``, which may exist already.

    Raises:
        PermanentFault: the archive is broken or hostile. OSError: the disk.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = _checked(opened, inside, name, archive.stat().st_size)
            for entry in entries:
                if not entry.is_link:
                    _write(opened, entry, target, name)
            for entry in entries:  # last: nothing is ever written through a link
                if entry.is_link:
                    _link(opened, entry, target, name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zipfile.LargeZipFile) as error:
        raise PermanentFault(f"cannot unpack {name}: {error}") from error
    except RuntimeError as error:  # zipfile: a password is needed
        raise PermanentFault(f"cannot unpack {name}: {error}") from error


def _checked(
    opened: zipfile.ZipFile, inside: str, name: str, archive_bytes: int
) -> Sequence[_Entry]:
    infos = opened.infolist()
    if len(infos) > _MOST_ENTRIES:
        raise PermanentFault(f"cannot unpack {name}: it has more than {_MOST_ENTRIES} entries")
    limit = min(max(archive_bytes * _LARGEST_GROWTH, _SMALLEST_LIMIT), _LARGEST)
    total = sum(info.file_size for info in infos)
    if total > limit:
        raise PermanentFault(
            f"cannot unpack {name}: it would grow from {archive_bytes} to {total} bytes, "
            f"{limit} are allowed"
        )
    prefix = PurePosixPath(inside).parts
    entries: dict[PurePosixPath, _Entry] = {}
    for info in infos:
        path = _safe_path(info, name)
        if path.parts[: len(prefix)] != prefix or info.is_dir():
            continue
        below = PurePosixPath(*path.parts[len(prefix) :])
        if below in entries:
            raise PermanentFault(f"cannot unpack {name}: {info.filename!r} stands in it twice")
        entries[below] = _Entry(info, below, _is_link(info, name))
    if not entries:
        raise PermanentFault(f"cannot unpack {name}: nothing lies under {inside!r} in it")
    return list(entries.values())


def _safe_path(info: zipfile.ZipInfo, name: str) -> PurePosixPath:
    path = PurePosixPath(info.filename)
    raw = info.orig_filename
    if path.is_absolute() or ".." in path.parts or not path.parts or "\x00" in raw or "\\" in raw:
        raise PermanentFault(f"cannot unpack {name}: {raw!r} leads out of the folder")
    if info.flag_bits & _ENCRYPTED:
        raise PermanentFault(f"cannot unpack {name}: {raw!r} is encrypted")
    return path


def _is_link(info: zipfile.ZipInfo, name: str) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind in (0, stat.S_IFREG, stat.S_IFDIR):
        return False
    if kind == stat.S_IFLNK:
        return True
    raise PermanentFault(f"cannot unpack {name}: {info.filename!r} is a device or a socket")


def _write(opened: zipfile.ZipFile, entry: _Entry, target: Path, name: str) -> None:
    place = _place(entry, target, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(place, flags, 0o600)
    with open(descriptor, "wb", buffering=0) as written, opened.open(entry.info) as read:  # noqa: PTH123
        shutil.copyfileobj(read, _Whole(written), 1 << 20)
        executable = (entry.info.external_attr >> 16) & 0o111
        os.fchmod(descriptor, 0o755 if executable else 0o644)


class _Whole:
    """A raw file that writes all it is given, or raises: a full disk may take only a part."""

    def __init__(self, raw: object) -> None:
        self._raw = raw

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._raw.write(view) :]  # type: ignore[attr-defined]
        return len(data)


def _link(opened: zipfile.ZipFile, entry: _Entry, target: Path, name: str) -> None:
    if entry.info.file_size > _LONGEST_LINK:
        raise PermanentFault(f"cannot unpack {name}: {entry.info.filename!r} is too long a link")
    points = opened.read(entry.info).decode("utf-8", "surrogateescape")
    place = _place(entry, target, name)
    leads = Path(os.path.realpath(place.parent / points))
    root = Path(os.path.realpath(target))
    if points.startswith("/") or not leads.is_relative_to(root):
        raise PermanentFault(
            f"cannot unpack {name}: the link {entry.info.filename!r} leads out of the folder"
        )
    place.symlink_to(points)


def _place(entry: _Entry, target: Path, name: str) -> Path:
    place = target / entry.path
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise PermanentFault(
            f"cannot unpack {name}: {entry.info.filename!r} lies below a file"
        ) from error
    if place.parent.resolve() != target.resolve() / entry.path.parent or place.is_symlink():
        raise PermanentFault(f"cannot unpack {name}: {entry.info.filename!r} lies below a link")
    return place
