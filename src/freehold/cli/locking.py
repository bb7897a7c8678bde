"""``software lock``: resolve a package's sources and write its lock files, without a daemon."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from freehold.adapters.catalog import read_folder
from freehold.definition.document import read_yaml
from freehold.definition.loader import DEFINITION
from freehold.definition.schema import ServiceDefinition, Version
from freehold.definition.structure import convert
from freehold.foundation.errors import DefinitionError, NotFoundError
from freehold.software.lock import render_lock
from freehold.software.lockmaker import make_lock
from freehold.software.platforms import this_platform
from freehold.software.registries import registries_from


def write_locks(
    folder: Path, version: str, platform: str, say: Callable[[str], None]
) -> Iterator[tuple[Path, int, int]]:
    """Write a lock for each version that has sources; yield its file, count of files and bytes.

    The definition need not pass lint: a new package has no lock yet, which is a fault.
    """
    definition = _definition(folder)
    registries = registries_from(os.environ, Path.home(), Path(sys.prefix))
    for each in _chosen(definition, version):
        target = folder / each.locks / f"{platform or this_platform()}.json"
        say(f"locking {definition.metadata.name} {each.version} for {target.stem} …")
        lock = make_lock(each, target.stem, registries, say)
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_suffix(".new")
        beside.write_bytes(render_lock(lock))
        beside.replace(target)
        yield target, len(lock.files), lock.size_bytes


def _definition(folder: Path) -> ServiceDefinition:
    document = read_yaml(read_folder(folder)[DEFINITION], DEFINITION)
    shaped = convert(document)
    faults = (*document.faults, *shaped.faults)
    if shaped.definition is None or faults:
        raise DefinitionError(
            f"cannot lock {folder}", faults=faults, next_command=f"freehold lint {folder}"
        )
    return shaped.definition


def _chosen(definition: ServiceDefinition, version: str) -> list[Version]:
    chosen = [
        each for each in definition.spec.versions if each.software and version in ("", each.version)
    ]
    if not chosen:
        known = ", ".join(each.version for each in definition.spec.versions)
        raise NotFoundError(
            f"cannot lock {definition.metadata.name} {version}: it has {known}, "
            "and only versions with software sources can be locked"
        )
    return chosen
