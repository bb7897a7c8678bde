"""Bring one file over HTTP into its partial: retries with back-off, resumes, verifies."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPResponse

from freehold.foundation.errors import TransientFault
from freehold.software.asking import Locator, first_answer
from freehold.software.lock import LockedFile
from freehold.software.partial import Control, Partial, Stopped
from freehold.software.transport import NETWORK_ERRORS, Address, Transport, unreachable

_CHUNK = 1 << 18
_WORTH_A_NEW_TRY = 1 << 16  # bytes: a try that brought this much does not count as failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to go on with a registry that fails."""

    attempts: int = 5
    first_delay_s: float = 0.25
    longest_delay_s: float = 8.0
    slowest_bytes_s: float = 512.0  # below it, after the grace, the connection counts as dead
    grace_s: float = 60.0
    clock: Callable[[], float] = time.monotonic


class Download:
    def __init__(
        self,
        file: LockedFile,
        partial: Partial,
        *,
        transport: Transport,
        locator: Locator,
        patience: Patience,
        control: Control,
    ) -> None:
        self._file = file
        self._partial = partial
        self._transport = transport
        self._locator = locator
        self._patience = patience
        self._control = control
        self._counted = 0

    def run(self, count: Callable[[int], None]) -> None:
        """Return when the partial holds exactly the locked content.

        Raises:
            PermanentFault, TransientFault, Stopped: see ``fetch_files``. OSError: the disk.
        """
        failures, delay = 0, self._patience.first_delay_s
        while True:
            before = self._partial.size
            try:
                addresses = tuple(self._locator.addresses(self._file))
                first_answer(addresses, lambda a: self._once(a, count), self._file.file)
            except Stopped:
                raise
            except TransientFault:
                if self._partial.size - before >= _WORTH_A_NEW_TRY:
                    failures, delay = 0, self._patience.first_delay_s
                failures += 1
                if failures >= self._patience.attempts:
                    raise
            else:
                return
            self._control.pause(delay)
            self._check_over()
            delay = min(delay * 2, self._patience.longest_delay_s)

    def _once(self, address: Address, count: Callable[[int], None]) -> None:
        if self._partial.size > self._file.size:
            self._partial.restart()
        resumed = self._partial.size
        if resumed < self._file.size:
            resumed = self._receive(address, resumed, count)
        actual = self._partial.digest_so_far().hexdigest()
        if self._partial.size == self._file.size and actual == self._file.sha256:
            self._recount(count)
            return
        if resumed:  # the beginning may be what is wrong: once more, from nothing
            self._partial.restart()
            raise TransientFault(f"cannot resume {self._file.file}: the parts do not fit")
        raise self._partial.refuse(actual)

    def _receive(self, address: Address, resumed: int, count: Callable[[int], None]) -> int:
        """Append what comes; return how much of what was there before was used."""
        headers = {"Accept-Encoding": "identity"}
        if resumed:
            headers["Range"] = f"bytes={resumed}-"
        response = None
        try:
            response = _open(self._transport, address, headers)
            if resumed and not _continues(response, resumed):
                self._partial.restart()
                resumed = 0
            if response.status == 416:
                raise TransientFault(f"cannot resume {self._file.file}: {address.host} refuses")
            self._recount(count)
            self._copy(response, address, count)
        finally:
            if response is not None and response.length == 0:
                response.close()  # read1 leaves a finished response open (CPython 3.11)
            if response is None or not response.isclosed():
                self._transport.close()  # something unread is left in it
        return resumed

    def _copy(self, response: HTTPResponse, address: Address, count: Callable[[int], None]) -> None:
        started, came = self._patience.clock(), 0
        while chunk := _read(response, address):
            self._partial.append(chunk)
            self._recount(count)
            self._check_over()
            if self._partial.size > self._file.size:
                return  # the hash will say so
            came += len(chunk)
            seconds = self._patience.clock() - started
            if seconds > self._patience.grace_s and came / seconds < self._patience.slowest_bytes_s:
                raise TransientFault(f"cannot read from {address.host}: {came / seconds:.0f} B/s")
        if self._partial.size < self._file.size:
            raise TransientFault(
                f"cannot read {self._file.file} from {address.host}: it ended after "
                f"{self._partial.size} of {self._file.size} bytes"
            )

    def _check_over(self) -> None:
        if self._control.is_over():
            raise Stopped(f"cannot go on fetching {self._file.file}: it was cancelled")

    def _recount(self, count: Callable[[int], None]) -> None:
        size = min(self._partial.size, self._file.size)
        if size != self._counted:
            count(size - self._counted)
            self._counted = size


def _continues(response: HTTPResponse, place: int) -> bool:
    said = response.headers.get("Content-Range", "")
    return response.status == 206 and said.startswith(f"bytes {place}-")


def _open(transport: Transport, address: Address, headers: Mapping[str, str]) -> HTTPResponse:
    try:
        return transport.get(address, headers)
    except NETWORK_ERRORS as error:
        raise unreachable(address, error) from error


def _read(response: HTTPResponse, address: Address) -> bytes:
    try:
        return response.read1(_CHUNK)
    except NETWORK_ERRORS as error:
        raise unreachable(address, error) from error
