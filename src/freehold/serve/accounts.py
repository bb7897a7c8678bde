"""Who asks: the kernel's word for the process at the other end of the socket."""

from __future__ import annotations

import pwd
import socket
import struct
from functools import lru_cache

_UCRED = struct.Struct("3i")  # pid, uid, gid


def peer_uid(connection: socket.socket) -> int | None:
    """Return the uid of the peer, None when this is not a unix socket."""
    if connection.family != socket.AF_UNIX:
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(credentials)[1])


@lru_cache(maxsize=64)
def actor_of(uid: int | None) -> str:
    """Return ``uid 1000 (ann)``, as operations and audit lines name the one who asked."""
    if uid is None:
        return "unknown"
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"
