"""A continuous QUORUM writer with the ordinary driver and its default retries, and its memory.

What was acknowledged is remembered; :meth:`Writer.verify` reads every acknowledged row back.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from cassandra import ConsistencyLevel
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy
from cassandra.query import SimpleStatement


@contextmanager
def connected(binding: Path) -> Iterator[Any]:
    """Connect with nothing but the files of a binding's folder."""
    entry = {each.name: each.read_text().strip() for each in binding.iterdir() if each.is_file()}
    context = ssl.create_default_context(cafile=str(binding / "ca.crt"))
    context.check_hostname = False  # the driver checks the chain; it dials addresses
    profile = ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy(local_dc=entry["datacenter"]),
        consistency_level=ConsistencyLevel.QUORUM,
        request_timeout=15,
    )
    cluster = Cluster(
        entry["hosts"].split(","),
        port=int(entry["port"]),
        auth_provider=PlainTextAuthProvider(entry["username"], entry["password"]),
        ssl_context=context,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        connect_timeout=15,
        protocol_version=5,
    )
    try:
        yield cluster.connect(entry["keyspace"])
    finally:
        cluster.shutdown()


class Writer:
    """Writes ids 0, 1, 2, … from one thread; remembers those that were acknowledged."""

    def __init__(self, binding: Path, table: str) -> None:
        self._binding = binding
        self._table = table
        self._stop = threading.Event()
        self.acknowledged: list[int] = []
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._write, name="writer")

    def __enter__(self) -> Self:
        with connected(self._binding) as session:
            session.execute(
                f"CREATE TABLE IF NOT EXISTS {self._table} (id int PRIMARY KEY, v text)"
            )
        self._thread.start()
        self.until_more(5)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def until_more(self, rows: int, within_s: float = 120) -> None:
        """Wait until so many more rows were acknowledged than were when it was called."""
        wanted, deadline = len(self.acknowledged) + rows, time.monotonic() + within_s
        while len(self.acknowledged) < wanted:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"no {rows} further writes in {within_s} s: {self.failures[-3:]}"
                )
            time.sleep(0.02)

    def _write(self) -> None:
        with connected(self._binding) as session:
            number = 0
            while not self._stop.is_set():
                statement = SimpleStatement(
                    f"INSERT INTO {self._table} (id, v) VALUES (%s, %s)", is_idempotent=True
                )
                try:
                    session.execute(statement, (number, f"v{number}"))
                except Exception as error:  # noqa: BLE001  any failure means: not acknowledged
                    self.failures.append(f"{number}: {error}")
                    self._stop.wait(0.1)
                else:
                    self.acknowledged.append(number)
                number += 1
                self._stop.wait(0.005)

    def verify(self) -> int:
        """Read back every acknowledged row at QUORUM; return how many there are."""
        with connected(self._binding) as session:
            rows = {row.id: row.v for row in session.execute(f"SELECT id, v FROM {self._table}")}
        lost = [number for number in self.acknowledged if rows.get(number) != f"v{number}"]
        assert not lost, f"{len(lost)} acknowledged rows are lost, the first is {lost[0]}"
        return len(self.acknowledged)
