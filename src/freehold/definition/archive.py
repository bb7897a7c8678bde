"""A package's files ⇄ one canonical archive (tar: sorted, no times, no owners), and its digest.

The same files give the same bytes everywhere, so the digest names a definition for ever. Reading
refuses everything that is not exactly such an archive: links, devices, ``..``, sparse files, bombs.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from freehold.foundation.errors import DefinitionError, Fault

LARGEST_BYTES = 8 * 2**20  # of all files together
LARGEST_PINNED_BYTES = 900_000  # an object of Kubernetes holds no more
MOST_FILES = 1000
LONGEST_PATH = 200
_NOT_OURS = {"__pycache__", "node_modules"}


def belongs(path: str) -> bool:
    """Whether a file of the folder is part of the package: caches and hidden files are not."""
    parts = PurePosixPath(path).parts
    return not any(part in _NOT_OURS or part.startswith(".") for part in parts)


def fault_of_path(path: str) -> str | None:
    """Return why a path cannot be in a package, None when it can."""
    pure = PurePosixPath(path)
    if not path or path != str(pure) or pure.is_absolute() or ".." in pure.parts:
        return "is not a plain relative path"
    if "\\" in path or not path.isprintable():
        return "holds characters that not every system can store"
    if len(path.encode()) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} bytes"
    return None


def archive(files: Mapping[str, bytes]) -> bytes:
    """Return the canonical archive. Raises DefinitionError for paths that cannot be in one."""
    _check_names(files)
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(files):
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(files[path]), 0o644, 0
            tar.addfile(entry, io.BytesIO(files[path]))
    return written.getvalue()


def digest(files: Mapping[str, bytes]) -> str:
    return digest_of(archive(files))


def digest_of(content: bytes) -> str:
    """Return the digest of an archive."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def unarchive(content: bytes) -> dict[str, bytes]:
    """Return the files of a canonical archive; raise DefinitionError for anything else."""
    if len(content) > LARGEST_BYTES + MOST_FILES * 2048:
        raise _refusal("", f"is {len(content)} bytes large, too much for a package")
    files: dict[str, bytes] = {}
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for entry in tar:
                if entry.type != tarfile.REGTYPE or entry.issparse():
                    raise _refusal(entry.name, "is not a plain file")
                total += entry.size
                if total > LARGEST_BYTES or len(files) >= MOST_FILES:
                    raise _refusal(entry.name, "is more than a package may hold")
                reader = tar.extractfile(entry)
                files[entry.name] = reader.read() if reader else b""
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise _refusal("", f"is not a whole archive: {error}") from error
    # One comparison instead of a list of tricks: owners, times, order, duplicates, hidden tails.
    if archive(files) != content:
        raise _refusal("", "is not in canonical form (sorted, no times, no owners)")
    return files


def _check_names(files: Mapping[str, bytes]) -> None:
    faults = [
        Fault(path, "", 0, reason) for path in sorted(files) if (reason := fault_of_path(path))
    ]
    size = sum(map(len, files.values()))
    if size > LARGEST_BYTES:
        faults.append(Fault("", "", 0, f"{size} bytes, {LARGEST_BYTES} are allowed"))
    if len(files) > MOST_FILES:
        faults.append(Fault("", "", 0, f"{len(files)} files, {MOST_FILES} are allowed"))
    if faults:
        raise DefinitionError("cannot archive the package", faults=tuple(faults))


def _refusal(path: str, reason: str) -> DefinitionError:
    fault = Fault(path or "(archive)", "", 0, reason)
    return DefinitionError("cannot read the package's archive", faults=(fault,))
