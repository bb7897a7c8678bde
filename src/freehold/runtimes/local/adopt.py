"""Rebuild what a lost state database knew, from the folders beside the members.

Reads only: no secret is issued, no data touched, no agent disturbed. What cannot be read is named
and left out, never guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from freehold.definition.archive import unarchive
from freehold.engine.wish import Wish
from freehold.foundation.errors import FreeholdError
from freehold.runtimes.local.folders import member_folders, service_folders
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.records import ServiceRecords


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """``archives`` maps a definition's digest to its canonical archive, to be pinned again."""

    wishes: tuple[Wish, ...] = ()
    archives: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    problems: tuple[str, ...] = ()


def adopt(paths: LocalPaths, records: ServiceRecords) -> Adoption:
    """Return every service that its folder tells whole, and what is wrong with the others."""
    wishes: list[Wish] = []
    archives: dict[str, bytes] = {}
    problems: list[str] = []
    for folder in service_folders(paths.services):
        try:
            wish, content = _read(folder, records)
        except FreeholdError as fault:
            problems.append(str(fault))
            continue
        except _Unreadable as reason:
            problems.append(f"cannot adopt {folder.name}: {reason}")
            continue
        wishes.append(wish)
        archives[wish.definition] = content
    return Adoption(wishes=tuple(wishes), archives=archives, problems=tuple(problems))


class _Unreadable(Exception):
    """Why one service cannot be adopted; never leaves this module."""


def _read(folder: Path, records: ServiceRecords) -> tuple[Wish, bytes]:
    record = records.read(folder.name)
    if record is None:
        members = ", ".join(sorted({each.member for each in member_folders(folder)}))
        raise _Unreadable(f"it has no service.json (volumes of {members or 'nobody'} are in it)")
    wish = record.wish
    if wish.service != folder.name:
        raise _Unreadable(f"its record is of {wish.service}")
    try:
        content = (folder / "definition.tar").read_bytes()
    except OSError as error:
        raise _Unreadable(f"its definition cannot be read: {error.strerror}") from error
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != wish.definition:
        raise _Unreadable("its definition is not the one that was pinned")
    unarchive(content)  # raises DefinitionError when it is not whole
    return wish, content
