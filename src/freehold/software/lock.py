"""Lock files: exactly which files a version of a package is made of, on one platform.

A lock names registry kinds, never hosts: addresses come from the user's own settings, so the
same lock works behind a company mirror. Its digest names the laid-out tree.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from freehold.foundation.errors import DefinitionError, Fault, RefusedError

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_PART = re.compile(r"[A-Za-z0-9_.+!:-]+")
_PLATFORM = re.compile(r"[a-z0-9]+-[a-z0-9_]+(-[a-z]+)?")


class LockedFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    registry: Literal["maven", "pypi"]
    name: str  # maven: group:artifact[:classifier]; pypi: the distribution
    version: str
    file: str
    size: Annotated[int, Meta(ge=1)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    into: str = ""  # folder in the tree
    unpack: str | None = None  # path inside the archive; None: the file itself is linked
    python: str = ""  # only for hook workers of this minor ("3.11")

    @property
    def order(self) -> tuple[str, str, str, str]:
        return (self.into, self.registry, self.file, self.python)


class Lock(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    format: int
    version: str
    platform: str
    files: tuple[LockedFile, ...]

    @property
    def digest(self) -> str:
        """Sha256, hex: the name of the tree."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def size_bytes(self) -> int:
        return sum({file.sha256: file.size for file in self.files}.values())

    @property
    def pythons(self) -> list[str]:
        """Minors that it has wheels for; empty when nothing in it binds to one."""
        return sorted({file.python for file in self.files} - {""})

    def for_python(self, minor: str) -> Lock:
        """Return the lock with the wheels that are for other interpreters left out.

        Without flagged files it is the lock itself, and so is its digest.
        """
        kept = tuple(file for file in self.files if file.python in ("", minor))
        flagged = self.pythons
        if flagged and minor not in flagged:
            raise RefusedError(
                f"cannot use the libraries of version {self.version} with Python {minor}: "
                f"its lock has them for {', '.join(flagged)}"
            )
        return msgspec.structs.replace(self, files=kept)


def sorted_lock(version: str, platform: str, files: Iterable[LockedFile]) -> Lock:
    ordered = tuple(sorted(files, key=lambda file: file.order))
    return Lock(format=FORMAT, version=version, platform=platform, files=ordered)


def render_lock(lock: Lock) -> bytes:
    """Return the text of a lock file: one line a file, so that a diff shows what changed."""
    head = {"format": lock.format, "version": lock.version, "platform": lock.platform}
    lines = [f"  {msgspec.json.encode(file).decode()}" for file in lock.files]
    fields = ",\n".join(f' "{key}": {msgspec.json.encode(head[key]).decode()}' for key in head)
    return ("{\n" + fields + ',\n "files": [\n' + ",\n".join(lines) + "\n ]\n}\n").encode()


def parse_lock(data: bytes, place: str) -> Lock:
    """Read and check a lock; ``place`` is its path, for messages.

    Raises:
        DefinitionError: with every fault found.
    """
    _refuse_newer(data, place)
    try:
        lock = msgspec.json.decode(data, type=Lock)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        raise _wrong(place, [Fault(place, path.strip("`$."), 0, message)]) from error
    except msgspec.DecodeError as error:
        raise _wrong(place, [Fault(place, "", 0, f"is not JSON: {error}")]) from error
    if faults := list(_faults(lock, place)):
        raise _wrong(place, faults)
    return lock


def _refuse_newer(data: bytes, place: str) -> None:
    try:
        head = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        number = msgspec.json.decode(head.get("format", b"0"), type=int)
    except msgspec.MsgspecError:
        return  # the full parse says what is wrong
    if number != FORMAT:
        message = f"is {number}; this Freehold reads {FORMAT}"
        raise _wrong(place, [Fault(place, "format", 0, message)])


def _wrong(place: str, faults: list[Fault]) -> DefinitionError:
    return DefinitionError(
        f"cannot use the lock {place}",
        faults=tuple(faults),
        next_command="freehold software lock FOLDER",
    )


def _faults(lock: Lock, place: str) -> Iterator[Fault]:
    def fault(path: str, message: str) -> Fault:
        return Fault(place, path, 0, message)

    if not _PART.fullmatch(lock.version):
        yield fault("version", f"{lock.version!r} is not a version")
    if not _PLATFORM.fullmatch(lock.platform):
        yield fault("platform", f"{lock.platform!r} is not <os>-<arch>")
    for number, file in enumerate(lock.files):
        for name, message in _file_faults(file):
            yield fault(f"files[{number}].{name}", message)
    if list(lock.files) != sorted(lock.files, key=lambda file: file.order):
        yield fault("files", "is not sorted by folder, registry, file, python")
    targets = Counter((f.into, f.file, f.python) for f in lock.files if f.unpack is None)
    for (into, name, _), count in targets.items():
        if count > 1:
            yield fault("files", f"{into}/{name} stands there {count} times")


def _file_faults(file: LockedFile) -> Iterator[tuple[str, str]]:
    if not _NAME.fullmatch(file.file):
        yield "file", f"{file.file!r} is not a plain file name"
    if not _PART.fullmatch(file.name) or "//" in file.name:
        yield "name", f"{file.name!r} is not a package name"
    if file.registry == "maven" and file.name.count(":") not in (1, 2):
        yield "name", f"{file.name!r} is not group:artifact[:classifier]"
    if not _PART.fullmatch(file.version):
        yield "version", f"{file.version!r} is not a version"
    if not is_inside(file.into):
        yield "into", f"{file.into!r} leads out of the tree"
    if file.unpack is not None and not is_inside(file.unpack):
        yield "unpack", f"{file.unpack!r} leads out of the archive"
    if file.python and not re.fullmatch(r"3\.\d+", file.python):
        yield "python", f'{file.python!r} is not a minor like "3.11"'


def is_inside(path: str) -> bool:
    """Say whether a relative path stays below where it starts."""
    if "\x00" in path or path.startswith("/"):
        return False
    return ".." not in PurePosixPath(path).parts
