"""Is an address free, and who has it? Binding is the only proof; /proc tells the name."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from pathlib import Path

from freehold.agent import proc

_LISTEN = "0A"


def parse_listening_blocks(table: str) -> frozenset[str]:
    """Return the first three octets of every address listened on, from /proc/net/tcp's text."""
    found = set()
    for line in table.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 3 and columns[3] == _LISTEN:
            octets = bytes.fromhex(columns[1].partition(":")[0])[::-1]
            found.add(".".join(map(str, octets[:3])))
    return frozenset(found)


def listening_blocks() -> frozenset[str]:
    with suppress(OSError):
        return parse_listening_blocks(Path("/proc/net/tcp").read_text())
    return frozenset()


def why_not_bindable(address: str, port: int) -> str | None:
    """Return why nobody could listen on ``address:port`` now, None when it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: past TIME_WAIT
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                who = proc.listener_of(address, port) or "a process of another user"
                return f"{who} listens there"
            if error.errno == errno.EACCES:
                return "ports below 1024 are root's here"
            return error.strerror or str(error)
    return None
