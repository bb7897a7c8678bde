"""Write files so that a crash leaves the old or the new content, and never half of one."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from freehold.foundation.errors import PermanentFault, TransientFault

REMOVING = ".removing-"  # what begins so is on its way out; its name is the recorded intent


def write_durably(
    path: Path, content: bytes, *, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Replace ``path`` atomically; it is on disk when this returns.

    Raises TransientFault: the disk is full or not writable now.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with suppress(FileNotFoundError):
            draft.unlink()  # left by a crash; O_EXCL below must not trip over it
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask says
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise TransientFault(f"cannot write {path}: {error.strerror or error}") from error


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, *, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Create one folder with exactly this mode and owner; an existing one is set right."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        if owner is not None:
            os.chown(path, *owner, follow_symlinks=False)
        path.chmod(mode)
    except OSError as error:
        raise TransientFault(f"cannot make {path}: {error.strerror or error}") from error


def write_json(path: Path, value: Any, *, mode: int = 0o600) -> None:
    write_durably(path, msgspec.json.format(msgspec.json.encode(value), indent=1), mode=mode)


def remove_tree(path: Path) -> None:
    """Remove a folder for good; after a crash half way it can be called again.

    It is renamed first, so that nobody takes a half-removed folder for a whole one.
    """
    if path.name.startswith(REMOVING):
        doomed = path
    else:
        doomed = path.with_name(f"{REMOVING}{path.name}")
        try:
            if doomed.exists():
                shutil.rmtree(doomed)
            path.rename(doomed)
        except FileNotFoundError:
            return
        except OSError as error:
            raise PermanentFault(f"cannot remove {path}: {error.strerror or error}") from error
        sync_folder(path.parent)
    try:
        shutil.rmtree(doomed)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TransientFault(f"cannot remove {path}: {error.strerror or error}") from error
