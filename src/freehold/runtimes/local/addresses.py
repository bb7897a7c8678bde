"""Loopback addresses: a block of 127/8 per home, one address per member for life.

127.0.0.0/8 needs no set-up on Linux, so every member keeps its software's standard ports on an
address of its own. Homes choose their block by a hash of who and where they are, look whether
anybody listens in it, and record it; 16,384 blocks make a second home on the same one unlikely, and
while a daemon lives it holds the block's name as an abstract socket, which makes it impossible.
"""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.runtimes.local.files import write_json
from freehold.runtimes.local.sockets import listening_blocks

_FIRST_SECOND_OCTET, _SECOND_OCTETS = 64, 64  # 127.64.*.* to 127.127.*.*: clear of what people use
HOSTS = range(1, 255)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """``prefix`` is the first three octets: "127.70.12"."""

    prefix: str
    uid: int
    home: str

    def address(self, host: int) -> str:
        return f"{self.prefix}.{host}"

    def holds(self, address: str) -> bool:
        return address.startswith(f"{self.prefix}.")


def candidate_prefixes(uid: int, home: str) -> Iterator[str]:
    """Yield blocks in this home's own order: the same for every call, another for every home."""
    seed = int.from_bytes(hashlib.sha256(f"{uid}:{home}".encode()).digest()[:8])
    every = _SECOND_OCTETS * 256
    step = (seed >> 20) | 1  # odd, so that it visits each of the 2**14 blocks once
    for turn in range(every):
        second, third = divmod((seed + turn * step) % every, 256)
        yield f"127.{_FIRST_SECOND_OCTET + second}.{third}"


def allocate(
    block: Block, taken: Mapping[str, str], members: Sequence[str], *, reserved: Iterable[str] = ()
) -> Mapping[str, str]:
    """Return ``taken`` (member -> address) with the lowest free address for each new member.

    ``reserved`` are addresses of other services. Raises RefusedError when the block is used up.
    """
    given = dict(taken)
    used = {*reserved, *given.values()}
    free = (block.address(host) for host in HOSTS if block.address(host) not in used)
    for member in members:
        if member in given:
            continue
        address = next(free, None)
        if address is None:
            raise RefusedError(
                f"cannot give {member} an address: all {len(HOSTS)} of {block.prefix}.0/24 are taken",
                next_command="freehold list --all",
            )
        given[member] = address
    return given


class BlockClaim:
    """This home's block: read, or chosen and recorded; held while the daemon lives."""

    def __init__(self, file: Path, uid: int) -> None:
        self._file, self._uid = file, uid
        self._holder: socket.socket | None = None

    def read(self) -> Block | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Block)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise PermanentFault(
                f"cannot read {self._file}: {error}", next_command="freehold doctor"
            ) from error

    def take(self, *, busy: Callable[[], frozenset[str]] = listening_blocks) -> Block:
        """Return the recorded block, choosing one at the first call.

        ``busy`` tells in which blocks anybody listens now.
        """
        block = self.read()
        if block is not None:
            if self._holder is None:
                self._holder = _hold(block.prefix)  # None: our own former daemon still goes away
            return block
        home = os.path.realpath(self._file.parent)
        taken = busy()
        for prefix in candidate_prefixes(self._uid, home):
            if prefix in taken:
                continue
            holder = _hold(prefix)
            if holder is None:
                continue
            self._holder = holder
            block = Block(prefix=prefix, uid=self._uid, home=home)
            write_json(self._file, block)
            return block
        raise RefusedError("cannot find a free block of loopback addresses: all 16384 are in use")

    def release(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None


def _hold(prefix: str) -> socket.socket | None:
    """Bind the block's name in the abstract namespace; None when another daemon holds it."""
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0freehold-block-{prefix}")
    except OSError:
        holder.close()
        return None
    return holder
