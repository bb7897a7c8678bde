"""The lock files of a version: which files its software is made of. Read here, fetched elsewhere."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from freehold.definition.package import Package
from freehold.definition.schema import Version
from freehold.foundation.errors import NotFoundError


def version_of(package: Package, version: str) -> Version:
    """Return the definition's entry of a version. Raises NotFoundError."""
    for each in package.spec.versions:
        if each.version == version:
            return each
    known = ", ".join(each.version for each in package.spec.versions)
    raise NotFoundError(
        f"cannot find version {version!r} of {package.name}: it has {known}",
        next_command=f"freehold explain {package.name}",
    )


def lock_paths(version: Version, files: Mapping[str, bytes]) -> dict[str, str]:
    """Return platform → path in the package of each lock of the version, sorted."""
    folder = version.locks.rstrip("/") + "/"
    return {
        path.removeprefix(folder).removesuffix(".json"): path
        for path in sorted(files)
        if path.startswith(folder)
        and path.endswith(".json")
        and "/" not in path.removeprefix(folder)
    }


def names_in_folder(lock: Mapping[str, Any], folder: str) -> list[str]:
    """Return the sorted names of the files that lie as they are in a folder of the laid-out tree."""
    wanted = folder.strip("/")
    return sorted(
        str(entry["file"])
        for entry in lock.get("files", ())
        if entry.get("unpack") is None and str(entry.get("into", "")).strip("/") == wanted
    )


def names_of(version: Version, files: Mapping[str, bytes], folder: str) -> list[str]:
    """Return what a template's ``software(folder)`` sees: the same on every platform (lint checks)."""
    for path in lock_paths(version, files).values():
        return list(_names(files[path], folder))
    return []


@functools.lru_cache(maxsize=64)
def _names(lock: bytes, folder: str) -> tuple[str, ...]:
    """A template asks for every member, at every rendering; a lock is 100 entries long."""
    return tuple(names_in_folder(json.loads(lock), folder))
