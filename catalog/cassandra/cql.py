"""A small CQL client: enough for the package's own actions, on the standard library alone.

The hook worker has no packages, and a driver would cost it 41 ms and 14 MB a start. So this
speaks native protocol v4 over TLS, one connection to one member, one request at a time.
Refuses: paging (answers of the actions are short), prepared statements, compression.

    with cql.connect("127.43.1.1", ca="ca.crt", user="a", password="b") as session:
        rows = session.run("SELECT role FROM system_auth.roles", consistency=cql.QUORUM)
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

ONE, QUORUM, LOCAL_QUORUM, LOCAL_ONE = 0x0001, 0x0004, 0x0006, 0x000A
BAD_CREDENTIALS = 0x0100
PORT = 9042

_STARTUP, _OPTIONS, _QUERY, _AUTH_RESPONSE = 0x01, 0x05, 0x07, 0x0F
_ERROR, _READY, _AUTHENTICATE, _SUPPORTED, _RESULT, _AUTH_SUCCESS = 0, 2, 3, 6, 8, 0x10
_ROWS = 0x0002

Row = dict[str, Any]


class CqlError(Exception):
    """The member answered with an error; ``code`` is the protocol's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unanswered(OSError):
    """No connection, or it broke before the answer: whether the request took effect is unknown."""


def literal(text: str) -> str:
    """Return a CQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted CQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclass
class Session:
    _stream: ssl.SSLSocket

    def __enter__(self) -> Session:  # noqa: PYI034  Self is not in the worker's oldest Python
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()

    def run(self, statement: str, *, consistency: int = LOCAL_QUORUM) -> list[Row]:
        """Run one statement; rows come back as dictionaries."""
        text = statement.encode()
        body = struct.pack(">I", len(text)) + text + struct.pack(">HB", consistency, 0)
        _, answer = self._ask(_QUERY, body)
        return _rows(_Reader(answer))

    def log_in(self, user: str, password: str) -> None:
        kind, _ = self._ask(_STARTUP, _string_map({"CQL_VERSION": "3.0.0"}))
        if kind == _AUTHENTICATE:
            token = b"\0" + user.encode() + b"\0" + password.encode()
            self._ask(_AUTH_RESPONSE, struct.pack(">i", len(token)) + token)

    def _ask(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        try:
            self._stream.sendall(struct.pack(">BBhBI", 4, 0, 0, opcode, len(body)) + body)
            _, flags, _, kind, length = struct.unpack(">BBhBI", self._read(9))
            answer = self._read(length)
        except OSError as error:
            raise Unanswered(str(error)) from error
        reader = _Reader(answer)
        if flags & 0x08:  # warnings come ahead of the body
            for _ in range(reader.number(">H")):
                reader.string()
        if kind == _ERROR:
            code = reader.number(">i")
            raise CqlError(code, reader.string())
        return kind, answer[reader.at :]

    def _read(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            part = self._stream.recv(length - len(parts))
            if not part:
                raise ConnectionResetError("the member closed the connection")
            parts += part
        return bytes(parts)


def connect(
    address: str, *, ca: str, user: str, password: str, port: int = PORT, timeout_s: float = 4.0
) -> Session:
    """Open a connection and log in.

    Raises:
        CqlError: the member refused; ``code`` is BAD_CREDENTIALS for a wrong user or password.
        Unanswered: nobody answers there.
    """
    context = ssl.create_default_context(cafile=ca)
    try:
        plain = socket.create_connection((address, port), timeout_s)
        session = Session(context.wrap_socket(plain, server_hostname=address))
    except OSError as error:
        raise Unanswered(f"{address}:{port}: {error}") from error
    try:
        session.log_in(user, password)
    except BaseException:
        session.close()
        raise
    return session


def _string_map(pairs: dict[str, str]) -> bytes:
    texts = [text.encode() for pair in pairs.items() for text in pair]
    return struct.pack(">H", len(pairs)) + b"".join(
        struct.pack(">H", len(text)) + text for text in texts
    )


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, length: int) -> bytes:
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def string(self) -> str:
        return self.take(self.number(">H")).decode()

    def value(self) -> bytes | None:
        length = self.number(">i")
        return None if length < 0 else self.take(length)


_Decode = Callable[[bytes], Any]
_PLAIN: dict[int, _Decode] = {
    0x01: bytes.decode,
    0x02: lambda raw: int.from_bytes(raw, "big", signed=True),
    0x03: bytes,
    0x04: lambda raw: raw != b"\0",
    0x05: lambda raw: int.from_bytes(raw, "big", signed=True),
    0x07: lambda raw: struct.unpack(">d", raw)[0],
    0x08: lambda raw: struct.unpack(">f", raw)[0],
    0x09: lambda raw: int.from_bytes(raw, "big", signed=True),
    0x0B: lambda raw: int.from_bytes(raw, "big", signed=True),
    0x0C: lambda raw: uuid.UUID(bytes=raw),
    0x0D: bytes.decode,
    0x0F: lambda raw: uuid.UUID(bytes=raw),
    0x10: lambda raw: str(ipaddress.ip_address(raw)),
    0x13: lambda raw: int.from_bytes(raw, "big", signed=True),
    0x14: lambda raw: int.from_bytes(raw, "big", signed=True),
}


def _type(reader: _Reader) -> _Decode:
    kind = reader.number(">H")
    if kind in (0x20, 0x22):
        item = _type(reader)
        return lambda raw: _items(raw, (item,))
    if kind == 0x21:
        key, value = _type(reader), _type(reader)
        return lambda raw: dict(zip(*[iter(_items(raw, (key, value)))] * 2, strict=True))
    if kind == 0:
        reader.string()
    return _PLAIN.get(kind, bytes)


def _items(raw: bytes, decoders: tuple[_Decode, ...]) -> list[Any]:
    reader = _Reader(raw)
    found = []
    for _ in range(reader.number(">i")):
        for decode in decoders:
            value = reader.value()
            found.append(None if value is None else decode(value))
    return found


def _rows(reader: _Reader) -> list[Row]:
    if reader.number(">i") != _ROWS:
        return []
    flags, columns = reader.number(">i"), reader.number(">i")
    if flags & 0x01:
        reader.string(), reader.string()
    names: list[tuple[str, _Decode]] = []
    for _ in range(columns):
        if not flags & 0x01:
            reader.string(), reader.string()
        names.append((reader.string(), _type(reader)))
    rows = []
    for _ in range(reader.number(">i")):
        values = [(name, decode, reader.value()) for name, decode in names]
        rows.append({name: None if raw is None else decode(raw) for name, decode, raw in values})
    return rows
