"""A day of metrics in a file of fixed size.

A sample's slot follows from its time, so there is no head to keep and nothing to repair: a slot
whose own time is not what it should be is simply old or empty.
"""

from __future__ import annotations

import binascii
import math
import os
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

EVERY_S = 10
SLOTS = 24 * 3600 // EVERY_S
RECENT_SLOTS = 3600 // EVERY_S
_OLD_FILES = 3


class Ring:
    """Samples of one set of names; another set gets another file."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self.names = tuple(names)
        digest = f"{binascii.crc32(chr(10).join(self.names).encode()):08x}-{len(self.names)}"
        self._slot = struct.Struct(f"<{1 + len(self.names)}d")
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{digest}.ring"
        (folder / f"{digest}.json").write_bytes(msgspec.json.encode(self.names))
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _forget_old(folder, keep=digest)

    def add(self, at: float, values: Mapping[str, float]) -> None:
        """Store one sample. Raises OSError when the disk is full."""
        sample = self._slot.pack(at, *(values.get(name, math.nan) for name in self.names))
        os.pwrite(self._descriptor, sample, int(at // EVERY_S) % SLOTS * self._slot.size)

    def since(self, since: float, step: int = 1) -> Iterator[tuple[float, dict[str, float]]]:
        return read_slots(self._descriptor, self._slot, self.names, since, step)

    def close(self) -> None:
        os.close(self._descriptor)


def read_slots(
    descriptor: int, slot: struct.Struct, names: Sequence[str], since: float, step: int = 1
) -> Iterator[tuple[float, dict[str, float]]]:
    """Yield samples, oldest first: all of the last hour, every ``step``-th of what is older."""
    now = time.time()
    last = int(now // EVERY_S)
    first = int(max(since, now - SLOTS * EVERY_S) // EVERY_S)
    recent = max(first, last - RECENT_SLOTS)
    thinned = range(first + -first % step, recent, step)  # the same ones whenever it is asked
    for number in (*thinned, *range(recent, last + 1)):
        data = os.pread(descriptor, slot.size, number % SLOTS * slot.size)
        if len(data) < slot.size:
            continue
        at, *values = slot.unpack(data)
        if int(at // EVERY_S) == number and at >= since:
            yield at, {n: v for n, v in zip(names, values, strict=True) if not math.isnan(v)}


def old_rings(
    folder: Path, *, but: Sequence[str]
) -> Iterator[tuple[int, struct.Struct, list[str]]]:
    """Yield the rings of other sets of names, open for reading; the reader closes them."""
    for path in sorted(folder.glob("*.ring"), key=lambda p: p.stat().st_mtime):
        try:
            names = msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=list[str])
            if tuple(names) == tuple(but):
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, msgspec.MsgspecError):
            continue
        yield descriptor, struct.Struct(f"<{1 + len(names)}d"), names


def _forget_old(folder: Path, *, keep: str) -> None:
    others = [path for path in folder.glob("*.ring") if path.stem != keep]
    others.sort(key=lambda path: path.stat().st_mtime)
    day_ago = time.time() - SLOTS * EVERY_S
    for number, path in enumerate(reversed(others)):
        if number >= _OLD_FILES or path.stat().st_mtime < day_ago:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)
