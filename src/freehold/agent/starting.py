"""What has to hold before the main process may start: the death certificate, free addresses."""

from __future__ import annotations

import errno
import socket

from freehold.agent import proc
from freehold.agent.processes import Processes, certificate_of
from freehold.foundation.member import Certificate, MemberSpec, Place


async def obstacle(spec: MemberSpec, place: Place, processes: Processes) -> str:
    """Return why the software cannot start now, "" when it can.

    Leftovers of an earlier run that carry our tag are killed; whoever else holds the lock is named.
    """
    lock = f"{place.folder}/alive.lock"
    certificate = certificate_of(lock)
    if certificate is Certificate.HELD:
        await processes.kill_all("main", within_s=5.0)
        certificate = certificate_of(lock)
    if certificate is Certificate.HELD:
        holder = proc.holder_of(lock)
        return "an earlier process of it still lives" + f": {holder}" * bool(holder)
    if certificate is Certificate.UNKNOWN:
        return f"alive.lock cannot be reached in {place.folder}"
    return taken_listener(spec, place)


def taken_listener(spec: MemberSpec, place: Place) -> str:
    """Return which address is taken and by whom, "" when all are free."""
    for listener in spec.listeners:
        if (
            listener.wait_free
            and listener.protocol != "udp"
            and _is_taken(place.bind, listener.port)
        ):
            holder = proc.listener_of(place.bind, listener.port)
            by = f" by {holder}" if holder else ""
            return f"address {place.bind}:{listener.port} ({listener.name}) is taken{by}"
    return ""


def _is_taken(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
