"""Fetch locked files: parallel, resumable, verified before use, atomic.

Each file grows in ``partial/`` under a flock, so that two processes never write one file and a
killed one leaves a beginning that the next continues by Range. It becomes a blob by rename,
after its size and hash were right and it was synced; nothing else is ever read as a blob.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import Empty, SimpleQueue
from threading import Event, Lock

from freehold.foundation.errors import FreeholdError, PermanentFault, TransientFault
from freehold.software.asking import Locator
from freehold.software.download import Download, Patience
from freehold.software.lock import LockedFile
from freehold.software.network import Network
from freehold.software.partial import Control, Partial, Stopped
from freehold.software.registries import Registries
from freehold.software.store import Store, disk_fault
from freehold.software.transport import Transport

CONNECTIONS = 8
_RESERVE = 32 << 20  # left free for the services that run on the same disk
_LOOK_AGAIN_S = 0.1
_UNPACKED = 2  # times an archive's size: what laying it out takes on top

ByteProgress = Callable[[int, int, str], None]  # (bytes here, bytes in all, what is going on)


class Tally:
    """Counts bytes over all threads; what it reports never goes back."""

    def __init__(self, total: int, report: ByteProgress) -> None:
        self.total = total
        self.done = 0
        self._shown = 0
        self._report = report
        self._guard = Lock()

    def add(self, count: int, note: str) -> None:
        with self._guard:
            self.done += count
            if self.done >= self._shown:
                self._shown = self.done
                self._report(self._shown, self.total, note)


def fetch_files(
    files: Sequence[LockedFile],
    store: Store,
    registries: Callable[[], Registries],
    *,
    progress: ByteProgress = lambda *_: None,
    stop: Event | None = None,
    patience: Patience | None = None,
) -> None:
    """Bring every file into the store's blobs; those that are here are not asked for.

    Args:
        registries: called only when something is missing: offline it need not answer.

    Raises:
        PermanentFault: wrong content, a file nobody has, a full disk. TransientFault: registries
        do not answer. Stopped: ``stop`` was set. What has come so far is kept.
    """
    unique = list({file.sha256: file for file in files}.values())
    missing = [file for file in unique if not store.has(file)]
    tally = Tally(sum(file.size for file in unique), progress)
    tally.add(sum(file.size for file in unique) - sum(file.size for file in missing), "")
    if not missing:
        return
    check_room(missing, store)
    batch = _Batch(
        missing,
        store,
        registries(),
        tally=tally,
        stop=stop or Event(),
        patience=patience or Patience(),
    )
    batch.run()
    store.sync()


def check_room(missing: Sequence[LockedFile], store: Store) -> None:
    """Refuse before the first byte when the disk cannot take it: it is the services' disk too."""
    needed = sum(file.size * (1 if file.unpack is None else 1 + _UNPACKED) for file in missing)
    free = shutil.disk_usage(store.root).free
    if free < needed + _RESERVE:
        raise PermanentFault(
            f"cannot fetch {len(missing)} files: they need {_megabytes(needed)} in {store.root} "
            f"with {_megabytes(_RESERVE)} to spare, {_megabytes(free)} are free",
            next_command="freehold software gc",
        )


class _Batch:
    def __init__(
        self,
        files: Sequence[LockedFile],
        store: Store,
        registries: Registries,
        *,
        tally: Tally,
        stop: Event,
        patience: Patience,
    ) -> None:
        self._store = store
        self._registries = registries
        self._network = Network(registries.access)
        self._tally = tally
        self._stop = stop
        self._patience = patience
        self._failed = Event()
        self._transports: list[Transport] = []
        self._faults: list[FreeholdError] = []
        self._control = Control(is_over=self._is_over, pause=self._pause)
        self._count = len(files)
        self._queue: SimpleQueue[LockedFile] = SimpleQueue()
        for file in sorted(files, key=lambda file: -file.size):  # the longest sets the time
            self._queue.put(file)

    def run(self) -> None:
        workers = min(CONNECTIONS, self._count)
        with ThreadPoolExecutor(workers, thread_name_prefix="fetch") as pool:
            running = {pool.submit(self._work) for _ in range(workers)}
            finished: set[Future[None]] = set()
            while running:
                done, running = wait(running, timeout=_LOOK_AGAIN_S, return_when=FIRST_COMPLETED)
                finished |= done
                if self._is_over():  # nobody waits for a silent server
                    for transport in list(self._transports):
                        transport.abort()
            for future in finished:
                future.result()
        if self._faults:
            raise min(self._faults, key=_weight)

    def _work(self) -> None:
        with Transport(self._network) as transport:
            self._transports.append(transport)
            locator = Locator(self._registries, transport)
            while not self._is_over():
                try:
                    file = self._queue.get_nowait()
                except Empty:
                    return
                try:
                    self._fetch(file, transport, locator)
                except FreeholdError as fault:
                    self._faults.append(self._explained(file, fault))
                    self._failed.set()
                except BaseException:
                    self._failed.set()
                    raise
        if self._stop.is_set() and not self._faults:
            self._faults.append(Stopped("cannot go on fetching: it was cancelled"))

    def _is_over(self) -> bool:
        return self._stop.is_set() or self._failed.is_set()

    def _pause(self, seconds: float) -> None:
        while seconds > 0 and not self._is_over():
            self._failed.wait(min(seconds, _LOOK_AGAIN_S))
            seconds -= _LOOK_AGAIN_S

    def _fetch(self, file: LockedFile, transport: Transport, locator: Locator) -> None:
        partial = Partial.open(self._store, file, self._control)
        if partial is None:  # another process brought it meanwhile
            self._tally.add(file.size, file.file)
            return
        with partial:
            download = Download(
                file,
                partial,
                transport=transport,
                locator=locator,
                patience=self._patience,
                control=self._control,
            )
            try:
                download.run(lambda count: self._tally.add(count, file.file))
                partial.become_blob()
            except OSError as error:
                fault = disk_fault(error, f"fetch {file.file}")
                partial.discard()  # a full disk is the running services' disk: give it back
                raise fault from error

    def _explained(self, file: LockedFile, fault: FreeholdError) -> FreeholdError:
        if isinstance(fault, Stopped) or not isinstance(fault, TransientFault):
            return fault
        here = f"{_megabytes(self._tally.done)} of {_megabytes(self._tally.total)}"
        explained = TransientFault(
            f"cannot fetch {file.file}: {fault.message}; {here} are here and are not fetched again",
            next_command=fault.next_command or "freehold doctor",
        )
        explained.__cause__ = fault
        return explained


def _weight(fault: FreeholdError) -> int:
    """The fault that explains the others comes first."""
    return 2 if isinstance(fault, Stopped) else 1 if isinstance(fault, TransientFault) else 0


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
