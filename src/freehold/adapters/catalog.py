"""Packages on disk: folders to install from, and pinned archives of what is installed.

A running service never reads the catalog again: it is pinned to the archive with its digest. A
folder is read as a whole, within limits, and never through a link that leads out of it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from freehold.definition.archive import LARGEST_BYTES, MOST_FILES, archive, belongs
from freehold.definition.loader import DEFINITION, load_package, read_pinned
from freehold.definition.package import Package
from freehold.foundation.errors import (
    DefinitionError,
    Fault,
    FreeholdError,
    NotFoundError,
    PermanentFault,
)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return every file of a package's folder by its path inside it.

    Raises NotFoundError when there is no package, DefinitionError for links out of the folder and
    for more than a package may hold.
    """
    if not (folder / DEFINITION).is_file():
        raise NotFoundError(
            f"cannot read {folder} as a package: there is no {DEFINITION} in it",
            next_command="freehold catalog",
        )
    root, total = folder.resolve(), 0
    files: dict[str, bytes] = {}
    for path in _files(folder):
        inside = path.relative_to(folder).as_posix()
        if not path.resolve().is_relative_to(root):
            raise _too_much(inside, "is a link that leads out of the package")
        total += path.stat().st_size
        if total > LARGEST_BYTES or len(files) >= MOST_FILES:
            raise _too_much(inside, "is more than a package may hold")
        files[inside] = path.read_bytes()
    return files


def _files(folder: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        inside = Path(top).relative_to(folder)
        folders[:] = sorted(each for each in folders if belongs((inside / each).as_posix()))
        for name in sorted(names):
            path = Path(top) / name
            if belongs((inside / name).as_posix()) and path.is_file():
                yield path


def _too_much(path: str, reason: str) -> DefinitionError:
    return DefinitionError("cannot read the package", faults=(Fault(path, "", 0, reason),))


class FolderPackages:
    """Implements :class:`freehold.execution.ports.Packages` over folders and a folder of pins."""

    def __init__(self, catalogs: Sequence[Path], pins: Path) -> None:
        self._catalogs, self._pins = tuple(catalogs), pins
        self._pinned: dict[str, Package] = {}
        self._read: dict[Path, tuple[tuple[tuple[str, int, int], ...], Package]] = {}

    def by_digest(self, digest: str) -> Package:
        if digest not in self._pinned:
            self._pinned[digest] = self._read_pin(digest)
        return self._pinned[digest]

    def pin(self, package: Package) -> None:
        """Keep the package for as long as a service may need it; the same digest once."""
        self._pinned[package.digest] = package
        target = self._pin(package.digest)
        if target.exists():
            return
        self._pins.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = target.with_suffix(".new")
        with beside.open("wb") as file:
            file.write(archive(package.files))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
        _sync_folder(self._pins)

    def catalog(self) -> Mapping[str, Package]:
        """Return the packages that load, by name; the first catalog that has a name wins."""
        found: dict[str, Package] = {}
        for folder in self._folders():
            if folder.name in found:
                continue
            try:
                found[folder.name] = self.from_folder(folder)
            except (FreeholdError, OSError):
                continue  # one broken folder hides itself only: lint says why
        return found

    def named(self, name: str) -> Package:
        """Return one package of the catalog without loading the others."""
        for folder in self._folders():
            if folder.name == name:
                return self.from_folder(folder)
        known = ", ".join(sorted({folder.name for folder in self._folders()}))
        raise NotFoundError(
            f"cannot find the package {name!r}: the catalog has {known or 'none'}",
            next_command="freehold catalog",
        )

    def from_folder(self, folder: Path) -> Package:
        """Return the package as it lies there now; an unchanged folder is not loaded again."""
        stamp = _stamp(folder)
        known = self._read.get(folder)
        if known is None or known[0] != stamp:
            known = (stamp, load_package(read_folder(folder), folder.name))
            self._read[folder] = known
        return known[1]

    def _folders(self) -> Iterator[Path]:
        for catalog in self._catalogs:
            if catalog.is_dir():
                yield from sorted(each.parent for each in catalog.glob(f"*/{DEFINITION}"))

    def _pin(self, digest: str) -> Path:
        return self._pins / f"{digest.removeprefix('sha256:')}.tar"

    def _read_pin(self, digest: str) -> Package:
        try:
            package = read_pinned(self._pin(digest).read_bytes())
        except (OSError, DefinitionError) as error:
            missing = isinstance(error, OSError) and error.errno == errno.ENOENT
            cause = "it is not there" if missing else str(error)
            raise PermanentFault(
                f"cannot read the pinned definition {digest[:19]}: {cause}",
                next_command="freehold adopt",
            ) from error
        if package.digest != digest:
            raise PermanentFault(
                f"cannot use the pinned definition {digest[:19]}: its content is another",
                next_command="freehold adopt",
            )
        return package


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (str(path), (found := path.stat()).st_mtime_ns, found.st_size) for path in _files(folder)
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
