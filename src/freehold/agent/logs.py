"""Serve and bound the files that the software logs into.

The software appends to files, never to a pipe: a slow or dead agent cannot stall it. A file over
its bound loses its oldest bytes in place (a hole is punched under the writer), so nothing is
copied, renamed or raced with. How much was dropped is the offset of the first byte still there.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from freehold.agent.events import Events
from freehold.agent.logparse import LineReader, rank
from freehold.agent.rendering import Filling
from freehold.foundation.member import LogSource, MemberSpec, Place

OWN_BYTES = 32 * 2**20  # stdout and stderr of the software
AGENT_BYTES = 4 * 2**20
LARGEST_OFFSET = 2**40  # holes keep a file's length growing: begin anew before it meets a limit
_HISTORY = 2**20  # bytes of each file that a reader gets at most
_LOOK_S = 1.0
_FLOOD_S = 0.1
_FOLLOW_S = 0.25
_BATCH = 500
_PUNCH_HOLE_KEEP_SIZE = 0x03
_BLOCK = 4096


class Source(msgspec.Struct, frozen=True):
    name: str
    path: str
    rule: LogSource
    owner: int | None  # refuse a file of anybody else: the folder is the account's


class Logs:
    def __init__(
        self, *, definition: Callable[[], tuple[MemberSpec, Place]], events: Events
    ) -> None:
        self._definition = definition
        self._events = events
        self._told_at: dict[str, float] = {}
        self.lines_dropped = 0

    async def run(self) -> None:
        """Bound every file for ever; look more often while one floods."""
        while True:
            flooded = False
            for source in self.sources():
                flooded |= self._bound(source)
            await asyncio.sleep(_FLOOD_S if flooded else _LOOK_S)

    def sources(self) -> list[Source]:
        spec, place = self._definition()
        names = ["main", *(companion.name for companion in spec.companions)]
        own = [
            *((name, OWN_BYTES) for name in names),
            *((name, AGENT_BYTES) for name in ("worker", "reload", "agent")),
        ]
        sources = []
        for name, keep in own:
            path = f"{place.log_folder}/{name}.log"
            rule = LogSource(file=path, keep_bytes=keep)
            sources.append(Source(name, path, rule, None))
        filling = Filling(place)
        owner = place.uid if os.geteuid() == 0 else None
        for rule in spec.logs:
            path = filling.fill(rule.file)
            sources.append(Source(os.path.basename(path), path, rule, owner))  # noqa: PTH119
        return sources

    async def read(
        self, *, since: float, level: str, source: str, follow: bool
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Yield batches of lines, oldest first; with ``follow`` go on with what is appended."""
        least = rank(level)
        readers: dict[str, tuple[LineReader, _Tail]] = {}

        def fresh() -> list[dict[str, Any]]:
            lines: list[dict[str, Any]] = []
            for item in self.sources():
                if source and item.name != source:
                    continue
                if item.name not in readers:
                    member = self._definition()[0].name
                    readers[item.name] = (
                        LineReader(item.name, member, item.rule),
                        _Tail(item.path, item.owner),
                    )
                reader, tail = readers[item.name]
                lines += reader.lines(*tail.more())
            kept = [x for x in lines if x["at"] >= since and rank(x["level"]) >= least]
            return sorted(kept, key=lambda line: float(line["at"]))

        while True:
            lines = fresh()
            for start in range(0, len(lines), _BATCH):
                yield lines[start : start + _BATCH]
            if not follow:
                return
            await asyncio.sleep(_FOLLOW_S)

    def _bound(self, source: Source) -> bool:
        descriptor = open_log(source.path, source.owner, os.O_RDWR)
        if descriptor is None:
            return False
        try:
            dropped, lines = bound(descriptor, source.rule.keep_bytes)
            self.lines_dropped += lines
        finally:
            os.close(descriptor)
        if dropped and time.monotonic() - self._told_at.get(source.name, -60.0) >= 60.0:
            self._told_at[source.name] = time.monotonic()
            self._events.add(
                "drop", f"{source.name}: dropped {dropped} bytes of old log", "warning"
            )
        return dropped > 0


class _Tail:
    """Reads what was appended to a file since the last look."""

    def __init__(self, path: str, owner: int | None) -> None:
        self._path = path
        self._owner = owner
        self._file: tuple[int, int] | None = None  # device and inode
        self._at = 0
        self._read = 0

    def more(self) -> tuple[bytes, int, float]:
        """Return new bytes, how many before them were dropped, and the file's time."""
        descriptor = open_log(self._path, self._owner, os.O_RDONLY)
        if descriptor is None:
            return b"", 0, 0.0
        try:
            seen = os.fstat(descriptor)
            if self._file != (seen.st_dev, seen.st_ino) or seen.st_size < self._at:
                first = self._file is None
                self._file = (seen.st_dev, seen.st_ino)
                self._at = max(0, seen.st_size - _HISTORY) if first else 0
            first_byte = _first_byte(descriptor)
            dropped = first_byte if self._at == 0 else max(0, first_byte - self._at)
            jumped = self._at > 0 and (dropped > 0 or self._read == 0)
            self._at = max(self._at, first_byte)
            data = os.pread(descriptor, min(seen.st_size - self._at, 4 * _HISTORY), self._at)
            self._at += len(data)
            self._read += len(data)
            if jumped or dropped:  # in the middle of a line
                data = data[data.find(b"\n") + 1 :]
            return data, dropped, seen.st_mtime
        finally:
            os.close(descriptor)


def open_log(path: str, owner: int | None, flags: int) -> int | None:
    """Open a log, None when there is none, or when it is not a plain file of ``owner``."""
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError:
        return None
    seen = os.fstat(descriptor)
    if seen.st_mode & 0o170000 != 0o100000 or (owner is not None and seen.st_uid != owner):
        os.close(descriptor)
        return None
    return descriptor


def bound(descriptor: int, keep_bytes: int) -> tuple[int, int]:
    """Drop the oldest bytes of a file over its bound; return how many bytes and lines."""
    seen = os.fstat(descriptor)
    if seen.st_blocks * 512 <= keep_bytes and seen.st_size <= LARGEST_OFFSET:
        return 0, 0
    first = _first_byte(descriptor)
    end = max(0, seen.st_size - keep_bytes // 2) // _BLOCK * _BLOCK
    if end <= first:
        return 0, 0
    lines = _count_lines(descriptor, first, end)
    if seen.st_size > LARGEST_OFFSET or not _punch(descriptor, end):
        lines += _count_lines(descriptor, end, seen.st_size)
        os.ftruncate(descriptor, 0)  # appending writers go on at the new end
        return seen.st_size - first, lines
    return end - first, lines


def _count_lines(descriptor: int, first: int, end: int) -> int:
    lines = 0
    while first < end:
        piece = os.pread(descriptor, min(_HISTORY, end - first), first)
        if not piece:
            break
        lines += piece.count(b"\n")
        first += len(piece)
    return lines


def _first_byte(descriptor: int) -> int:
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError:  # empty, or nothing but a hole
        return os.fstat(descriptor).st_size


def _punch(descriptor: int, end: int) -> bool:
    import ctypes  # noqa: PLC0415  only a file over its bound needs it

    libc = ctypes.CDLL(None, use_errno=True)
    arguments = (ctypes.c_int(descriptor), ctypes.c_int(_PUNCH_HOLE_KEEP_SIZE))
    return bool(libc.fallocate(*arguments, ctypes.c_int64(0), ctypes.c_int64(end)) == 0)
