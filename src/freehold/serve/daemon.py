"""The daemon: one for each home. It looks after services; they go on without it.

It refuses to start beside another one, and it never takes a lost or damaged state for "no
services": it then answers only what helps (version, doctor, adopt) until the state is rebuilt.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress

from msgspec.structs import replace

from freehold import __version__
from freehold.adapters.journal import SqliteJournal
from freehold.execution.engine_loop import Engine
from freehold.execution.ports import Failpoints
from freehold.foundation.errors import FreeholdError, PermanentFault, RefusedError, TransientFault
from freehold.operations import adopt as adopting
from freehold.operations import doctor as doctoring
from freehold.operations.desk import Asker, Desk
from freehold.operations.lookup import first_look
from freehold.operations.messages import Adopt, Adopted, Finding, Version
from freehold.runtimes.local.paths import LocalPaths
from freehold.serve.api import Front
from freehold.serve.composition import Pieces, open_desk, pieces
from freehold.serve.doors import DOORS
from freehold.serve.refusals import as_freehold_error
from freehold.serve.server import Server, listen
from freehold.serve.state import rebuilt, trusted_journal

API_VERSION = 1
LOOK_AROUND_S = 2.0
LARGEST_LOG_BYTES = 8 * 2**20


class Daemon:
    """Implements :class:`freehold.serve.door.DaemonPort`."""

    def __init__(self, home: Pieces) -> None:
        self._home = home
        self._fault: FreeholdError | None = None
        self._journal: SqliteJournal | None = None
        self._desk: Desk | None = None
        self._engine: Engine | None = None
        self._started_at = time.time()
        self._server: Server | None = None
        self._turn = asyncio.Lock()  # adoption changes what everybody stands on

    # what requests ask

    @property
    def desk(self) -> Desk:
        if self._desk is None:
            raise self._fault or TransientFault("cannot answer yet: the daemon is starting")
        return self._desk

    def version(self) -> Version:
        return Version(
            version=__version__,
            api=API_VERSION,
            pid=os.getpid(),
            home=str(self._home.paths.data),
            started_at=self._started_at,
        )

    async def doctor(self) -> list[Finding]:
        if self._desk is not None:
            return await doctoring.doctor(self._desk)
        fault = self._fault
        return [
            Finding(
                check="state",
                status="problem",
                message=str(fault),
                fix=fault.next_command if fault else "",
            )
        ]

    async def adopt(self, asker: Asker, asked: Adopt) -> Adopted:
        async with self._turn:
            if self._is_readable():
                return await adopting.adopt(self.desk, asker, asked)
            if isinstance(self._fault, RefusedError):
                raise self._fault  # a newer Freehold's state is not ours to replace
            if asked.dry_run:
                return self._foreseen()
            aside = await self._rebuild()
            found = await adopting.adopt(self.desk, asker, asked)
            return replace(found, services=found.known, known=[], set_aside=aside)

    def stop(self) -> None:
        if self._server is not None:
            self._server.end()

    # life

    async def run(self) -> None:
        """Serve until told to stop. The home's lock is held by the caller."""
        self._home.paths.prepare()
        await self._home.runtime.open()
        front = Front(self, self._home.paths.uid, self._home.log)
        self._server = Server(front.application(DOORS))
        try:
            await self._open_state()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
            listener = listen(self._home.paths.daemon_socket)
            ending = asyncio.create_task(self._end_streams(front))
            await self._server.serve(sockets=[listener])
            ending.cancel()
        finally:
            self._home.paths.daemon_socket.unlink(missing_ok=True)
            await self._close_state()
            await self._home.runtime.close()

    async def _end_streams(self, front: Front) -> None:
        """Streams never end by themselves; uvicorn would wait for them."""
        if self._server is not None:
            await self._server.ended()
        front.closing.set()

    async def _open_state(self) -> None:
        try:
            journal = trusted_journal(self._home.paths, self._home.runtime)
            self._desk, self._engine = open_desk(self._home, journal)
            self._journal = journal
            await self._engine.start()
            await self._look_around(self._desk)
        except FreeholdError as fault:
            self._home.log(f"the state cannot be read: {fault}")
            await self._close_state()
            self._fault = fault
        else:
            self._fault = None

    async def _look_around(self, desk: Desk) -> None:
        """Give the first look at each service a moment: the command that woke us asks for it."""
        looks = [first_look(desk, wish.service, LOOK_AROUND_S) for wish in desk.journal.wishes()]
        await asyncio.gather(*looks)

    async def _close_state(self) -> None:
        if self._engine is not None:
            await self._engine.close()
        if self._journal is not None:
            self._journal.close()
        self._engine = self._journal = self._desk = None

    def _is_readable(self) -> bool:
        """A row may have been damaged since the start."""
        if self._journal is None:
            return False
        try:
            self._journal.wishes()
        except PermanentFault:
            return False
        return True

    def _foreseen(self) -> Adopted:
        found = self._home.runtime.adopt()
        return Adopted(
            services=[wish.service for wish in found.wishes],
            known=[],
            problems=list(found.problems),
            dry_run=True,
        )

    async def _rebuild(self) -> str:
        """Put a fresh state in the place of the damaged one, which is kept aside."""
        await self._close_state()
        aside = rebuilt(self._home.paths, self._home.runtime.adopt().wishes)
        await self._open_state()
        return aside


def main(environ: Mapping[str, str] | None = None, failpoints: Failpoints | None = None) -> int:
    """Run the daemon of this user's home in the foreground; return the exit code."""
    environ = os.environ if environ is None else environ
    paths = LocalPaths.of(environ, os.getuid())
    os.umask(0o077)
    try:
        paths.prepare()
        lock = _only_one(paths)
        _shorten_log(paths)
        try:
            home = pieces(paths, environ, write_log, failpoints)
            asyncio.run(Daemon(home).run())
        finally:
            os.close(lock)
    except (FreeholdError, OSError) as failure:
        error = as_freehold_error(failure)
        if not isinstance(failure, FreeholdError):
            traceback.print_exception(failure)
        sys.stderr.write(f"{error}\n")
        if error.next_command:
            sys.stderr.write(f"next: {error.next_command}\n")
        return error.exit_code
    return 0


def _only_one(paths: LocalPaths) -> int:
    """Return the descriptor of the home's lock. Not inherited: agents outlive the daemon."""
    descriptor = os.open(paths.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise TransientFault(
            "cannot start the daemon: another one looks after this home",
            next_command="freehold daemon status",
        ) from error
    return descriptor


def _shorten_log(paths: LocalPaths) -> None:
    """The log is appended to by whoever starts daemons; keep the newest half when it is large."""
    with suppress(OSError):
        if paths.daemon_log.stat().st_size > LARGEST_LOG_BYTES:
            newest = paths.daemon_log.read_bytes()[-LARGEST_LOG_BYTES // 2 :]
            with paths.daemon_log.open("r+b") as log:
                log.truncate(0)
                log.write(newest)


def write_log(text: str) -> None:
    """A log that cannot be written (its disk is full) must not fail what it was to tell of."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):
        sys.stderr.write(f"{stamp} {text.rstrip()}\n")
        sys.stderr.flush()
