"""The journal in SQLite: wishes, operations, events.

Durable when a call returns (WAL, synchronous=FULL). Every row carries a checksum, because a flipped
bit must never read as "no such service". A database from a newer Freehold is refused, and an
empty one beside the state marker is corruption, never "no services": ``freehold adopt`` rebuilds
it from the members' folders.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from freehold.engine.wish import Wish
from freehold.execution.records import Event, Operation, OperationPhase
from freehold.foundation.errors import PermanentFault, RefusedError, TransientFault

KEPT_EVENTS = 20_000
KEPT_OPERATIONS = 500  # per service; open ones are always kept
_HOST = "local"

# Numbered for ever: a migration is appended, never edited.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE wishes (
        host TEXT NOT NULL, service TEXT NOT NULL, generation INTEGER NOT NULL,
        document BLOB NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (host, service)) STRICT;
    CREATE TABLE operations (
        id TEXT PRIMARY KEY, host TEXT NOT NULL, service TEXT NOT NULL, phase TEXT NOT NULL,
        created_at REAL NOT NULL, document BLOB NOT NULL, checksum TEXT NOT NULL) STRICT;
    CREATE INDEX operations_by_service ON operations (service, created_at);
    CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, service TEXT NOT NULL,
        document BLOB NOT NULL, checksum TEXT NOT NULL) STRICT;
    CREATE INDEX events_by_service ON events (service, number);
    """,
)

_Document = TypeVar("_Document", Wish, Operation, Event)


class SqliteJournal:
    """Implements :class:`freehold.execution.ports.Journal`. One writer: the daemon holding its lock."""

    def __init__(self, path: Path, marker: Path) -> None:
        self._path = path
        had_state = marker.exists()
        with self._translated():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._migrate(had_state=had_state)
        path.chmod(0o600)
        if not had_state:
            marker.write_text("A state database belongs here. Lost it? Type: freehold adopt\n")

    def close(self) -> None:
        self._db.close()

    def _migrate(self, *, had_state: bool) -> None:
        version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        if version > len(MIGRATIONS):
            raise RefusedError(
                f"cannot open {self._path}: it was written by a newer Freehold "
                f"(format {version}, this one knows {len(MIGRATIONS)})",
                next_command="./setup.sh   # in the newer Freehold's folder",
            )
        if version == 0 and had_state:
            raise self._corruption("it is empty, but services were recorded here")
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            self._db.executescript(f"BEGIN; {statements} PRAGMA user_version={number}; COMMIT;")
        if self._db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            raise self._corruption("its pages are damaged")

    def _corruption(self, cause: str) -> PermanentFault:
        return PermanentFault(
            f"cannot read the state in {self._path}: {cause}", next_command="freehold adopt"
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            full = "full" in str(error)
            cause = "no space left on the device" if full else str(error)
            raise TransientFault(
                f"cannot write the state in {self._path}: {cause}",
                next_command=f"df -h {self._path.parent}" if full else "freehold doctor",
            ) from error
        except sqlite3.DatabaseError as error:
            raise self._corruption(str(error)) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _decode(self, row: tuple[Any, ...], kind: type[_Document]) -> _Document:
        document, checksum = row
        if _checksum(document) != checksum:
            raise self._corruption(f"a {kind.__name__.lower()} fails its checksum")
        try:
            return msgspec.json.decode(document, type=kind)
        except msgspec.MsgspecError as error:
            raise self._corruption(f"a {kind.__name__.lower()} is unreadable: {error}") from error

    # wishes

    def wishes(self) -> Sequence[Wish]:
        with self._translated():
            rows = self._db.execute("SELECT document, checksum FROM wishes ORDER BY service")
            return [self._decode(row, Wish) for row in rows]

    def wish(self, service: str) -> Wish | None:
        with self._translated():
            row = self._db.execute(
                "SELECT document, checksum FROM wishes WHERE host=? AND service=?", (_HOST, service)
            ).fetchone()
        return self._decode(row, Wish) if row else None

    def put_wish(self, wish: Wish, *, expected_generation: int | None) -> None:
        with self._transaction():
            self._write_wish(wish, expected_generation)

    def edit(
        self,
        wish: Wish,
        operation: Operation,
        superseded: Sequence[Operation],
        *,
        expected_generation: int | None,
    ) -> None:
        with self._transaction():
            self._write_wish(wish, expected_generation)
            for each in (*superseded, operation):
                self._write_operation(each)
            self._trim_operations(wish.service)

    def _write_wish(self, wish: Wish, expected_generation: int | None) -> None:
        row = self._db.execute(
            "SELECT generation FROM wishes WHERE host=? AND service=?", (_HOST, wish.service)
        ).fetchone()
        stored = row[0] if row else None
        if stored != expected_generation:
            raise RefusedError(
                f"cannot change {wish.service}: another command changed it first",
                next_command=f"freehold operations list {wish.service}",
            )
        document = msgspec.json.encode(wish)
        self._db.execute(
            "INSERT OR REPLACE INTO wishes VALUES (?,?,?,?,?)",
            (_HOST, wish.service, wish.generation, document, _checksum(document)),
        )

    def forget(self, service: str, ended: Sequence[Operation] = ()) -> None:
        with self._transaction():
            for each in ended:
                self._write_operation(each)
            self._db.execute("DELETE FROM wishes WHERE host=? AND service=?", (_HOST, service))

    # operations

    def operations(
        self, *, service: str | None = None, open_only: bool = False, limit: int = 100
    ) -> Sequence[Operation]:
        with self._translated():
            rows = self._db.execute(
                "SELECT document, checksum FROM operations WHERE (?1 IS NULL OR service=?1)"
                " AND (?2=0 OR phase=?3) ORDER BY created_at DESC, id DESC LIMIT ?4",
                (service, int(open_only), OperationPhase.RUNNING.value, limit),
            ).fetchall()
        return [self._decode(row, Operation) for row in rows]

    def operation(self, operation_id: str) -> Operation | None:
        with self._translated():
            row = self._db.execute(
                "SELECT document, checksum FROM operations WHERE id=?", (operation_id,)
            ).fetchone()
        return self._decode(row, Operation) if row else None

    def put_operation(self, operation: Operation) -> None:
        with self._transaction():
            self._write_operation(operation)

    def _write_operation(self, operation: Operation) -> None:
        document = msgspec.json.encode(operation)
        self._db.execute(
            "INSERT OR REPLACE INTO operations VALUES (?,?,?,?,?,?,?)",
            (
                operation.id,
                _HOST,
                operation.service,
                operation.phase.value,
                operation.created_at,
                document,
                _checksum(document),
            ),
        )

    def _trim_operations(self, service: str) -> None:
        self._db.execute(
            "DELETE FROM operations WHERE service=?1 AND phase<>?2 AND id NOT IN"
            " (SELECT id FROM operations WHERE service=?1 ORDER BY created_at DESC LIMIT ?3)",
            (service, OperationPhase.RUNNING.value, KEPT_OPERATIONS),
        )

    # events

    def append_event(self, event: Event) -> None:
        document = msgspec.json.encode(event)
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO events (host, service, document, checksum) VALUES (?,?,?,?)",
                (_HOST, event.service, document, _checksum(document)),
            )
            if (cursor.lastrowid or 0) % 500 == 0:
                oldest_kept = (cursor.lastrowid or 0) - KEPT_EVENTS
                self._db.execute("DELETE FROM events WHERE number<=?", (oldest_kept,))

    def events(self, service: str | None, *, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return the newest ``limit`` events after number ``after``, oldest first."""
        with self._translated():
            rows = self._db.execute(
                "SELECT number, document, checksum FROM events WHERE number>?1"
                " AND (?2 IS NULL OR service=?2) ORDER BY number DESC LIMIT ?3",
                (after, service, limit),
            ).fetchall()
        return [
            replace(self._decode((document, checksum), Event), number=number)
            for number, document, checksum in reversed(rows)
        ]


def _checksum(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()[:32]
