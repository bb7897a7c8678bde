"""The state database: opened when it can be trusted, rebuilt beside its place when it cannot.

Losing it must never look like "no services": the folders of services are asked as well.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from freehold.adapters.journal import SqliteJournal
from freehold.engine.wish import Wish
from freehold.foundation.errors import PermanentFault
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.runtime import LocalRuntime

_PARTS = ("", "-wal", "-shm")  # of a SQLite database


def trusted_journal(paths: LocalPaths, runtime: LocalRuntime) -> SqliteJournal:
    """Return the open journal.

    Raises PermanentFault when it is damaged or lost, RefusedError when a newer Freehold wrote it.
    """
    journal = SqliteJournal(paths.state_database, paths.state_marker)
    try:
        _refuse_lost(journal, runtime)
    except BaseException:
        journal.close()
        raise
    return journal


def _refuse_lost(journal: SqliteJournal, runtime: LocalRuntime) -> None:
    if not journal.wishes() and (found := runtime.adopt().wishes):
        names = ", ".join(wish.service for wish in found[:5])
        raise PermanentFault(
            f"cannot trust an empty state: the folders of {names} are here",
            next_command="freehold adopt",
        )


def rebuilt(paths: LocalPaths, wishes: Iterable[Wish]) -> str:
    """Make a state of these wishes and put it in place; return where the former one lies now.

    A crash at any point leaves the old, refused state or the new, whole one.
    """
    fresh = paths.state_database.with_name("state.db.new")
    marker = paths.state_marker.with_name("state.marker.new")
    for path in (*_parts(fresh), marker):
        path.unlink(missing_ok=True)
    journal = SqliteJournal(fresh, marker)
    try:
        for wish in wishes:
            journal.put_wish(wish, expected_generation=None)
    finally:
        journal.close()
    aside = paths.state_database.with_name(f"state.db.damaged-{time.time_ns() // 1_000_000}")
    for path, kept in zip(_parts(paths.state_database), _parts(aside), strict=True):
        if path.exists():
            path.rename(kept)
    fresh.replace(paths.state_database)
    marker.replace(paths.state_marker)
    return str(aside) if aside.exists() else ""


def _parts(database: Path) -> list[Path]:
    return [database.with_name(database.name + part) for part in _PARTS]
