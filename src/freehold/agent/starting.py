"""What has to hold before the main process may start: the death certificate, free addresses."""

from __future__ import annotations

import errno
import os
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
        if place.uid is not None and os.geteuid() == 0:
            # Only this service's software runs as its account: what holds the lock is ours,
            # even when it has written over its own tag, as some engines do.
            await processes.kill_holders(lock, place.uid)
        certificate = certificate_of(lock)
    if certificate is Certificate.HELD:
        holders = ", ".join(proc.describe(pid) for pid in proc.holders_of(lock)[:3])
        return "an earlier process of it still lives" + f": {holders}" * bool(holders)
    if certificate is Certificate.UNKNOWN:
        return f"alive.lock cannot be reached in {place.folder}"
    return _no_account(spec, place) or taken_listener(spec, place)


def _no_account(spec: MemberSpec, place: Place) -> str:
    """Software that looks its own user up fails strangely without a passwd line: say it here."""
    if not spec.account_named or place.uid is None or os.geteuid() != 0:
        return ""
    import pwd  # noqa: PLC0415

    try:
        pwd.getpwuid(place.uid)
    except KeyError:
        return f"its software needs a user name for uid {place.uid}, and this machine has none"
    return ""


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
