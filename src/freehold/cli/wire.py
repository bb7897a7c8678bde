"""One HTTP/1.1 exchange with the daemon over its unix socket.

Written by hand because importing ``http.client`` (email, ssl, urllib) costs four times what the
whole exchange does, and every command pays it: ``bench/cli.py`` prints both. The daemon is the
only peer; what it may send is small: a status line, headers, and a body framed by length, by
chunks or by the end of the connection.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable, Iterator
from io import BufferedReader

_LONGEST_LINE = 1 << 16
_PATIENCE_S = 5.0
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class BrokenAnswerError(OSError):
    """The peer went away in the middle of its answer, or speaks something else."""


class DeafError(TimeoutError):
    """The peer accepts connections and does not answer: it is frozen."""


class Answer:
    """Status and headers are read; the body comes when asked for. Close it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file: BufferedReader = connection.makefile("rb")
        try:
            self.status = self._read_status()
            self.headers = self._read_headers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()
        self._connection.close()

    def read(self) -> bytes:
        try:
            return b"".join(self._pieces())
        finally:
            self.close()

    def lines(self) -> Iterator[bytes]:
        """Yield each line as it arrives, without its end; blank ones only keep the connection alive."""
        rest = b""
        try:
            for piece in self._pieces():
                *whole, rest = (rest + piece).split(b"\n")
                yield from (line for line in whole if line.strip())
            if rest.strip():
                yield rest
        finally:
            self.close()

    def _line(self) -> bytes:
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BrokenAnswerError("the answer ended early")
        return line.strip()

    def _read_status(self) -> int:
        parts = self._line().split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise BrokenAnswerError("the answer is not HTTP")
        return int(parts[1])

    def _read_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            yield from self._chunks()
        elif "content-length" in self.headers:
            yield self._exactly(int(self.headers["content-length"]))
        else:
            while piece := self._file.read1(_LONGEST_LINE):
                yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().split(b";")[0], 16):
            yield self._exactly(size)
            self._line()
        while self._line():  # trailers
            pass

    def _exactly(self, size: int) -> bytes:
        piece = self._file.read(size)
        if len(piece) != size:
            raise BrokenAnswerError("the answer ended early")
        return piece


def open_socket(path: str, timeout_s: float | None) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def listening_pid(path: str) -> int:
    """Return the process that listens there: the kernel knows it even when it does not answer."""
    with open_socket(path, 1.0) as connection:
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[0])


def exchange(
    path: str,
    method: str,
    target: str,
    body: bytes = b"",
    *,
    timeout_s: float,
    is_worth_waiting: Callable[[], bool] = lambda: True,
) -> Answer:
    """Send one request; return when the head of its answer is there.

    Args:
        timeout_s: longest silence of the peer.
        is_worth_waiting: asked every few seconds of silence before the first word.

    Raises:
        OSError: nobody listens; TimeoutError: silence; BrokenAnswerError: an answer cut short.
    """
    head = f"{method} {target} HTTP/1.1\r\nHost: freehold\r\nConnection: close\r\n"
    if body or method != "GET":
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    connection = open_socket(path, timeout_s)
    try:
        connection.sendall(f"{head}\r\n".encode("ascii") + body)
        _await_first_word(connection, timeout_s, is_worth_waiting)
        return Answer(connection)
    except BaseException:
        connection.close()
        raise


def _await_first_word(
    connection: socket.socket, timeout_s: float, is_worth_waiting: Callable[[], bool]
) -> None:
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    waited = 0.0
    while not poll.poll(min(_PATIENCE_S, timeout_s - waited) * 1000):
        waited += _PATIENCE_S
        if waited >= timeout_s:
            raise TimeoutError("no answer")
        if not is_worth_waiting():
            raise DeafError("no answer to anything")
