"""What all threads of one job share on the network: TLS contexts and looked-up addresses.

One look-up per host and job: eight threads that ask for A and AAAA at once lose answers with
some resolvers, and glibc waits 5 s then (seen in every third cold fetch).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from freehold.foundation.errors import PermanentFault

_Found = list[tuple[socket.AddressFamily, tuple[str, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How registries are reached: trust, proxies, patience."""

    trust: Mapping[str, str] = field(default_factory=dict)  # registry kind -> CA bundle or folder
    # Registry kind (the client's own proxy), scheme, "all" or "no" -> address.
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 30.0


class Network:
    """Safe for use by several threads."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._guard = Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._found: dict[tuple[str, int], _Found] = {}

    def context(self, kind: str) -> ssl.SSLContext:
        """Return the TLS context of a registry kind, made once: making one costs 20 ms."""
        bundle = self.access.trust.get(kind, "")
        with self._guard:
            if bundle not in self._contexts:
                self._contexts[bundle] = _context(bundle)
            return self._contexts[bundle]

    def dial(self, place: tuple[str, int], timeout: float, _source: object = None) -> socket.socket:
        """Connect as ``socket.create_connection`` does, without a look-up of its own."""
        failed: OSError | None = None
        for family, address in self._addresses(place):
            dialled = socket.socket(family, socket.SOCK_STREAM)
            try:
                dialled.settimeout(timeout)
                dialled.connect(address)
            except OSError as error:
                dialled.close()
                failed = error
            else:
                return dialled
        with self._guard:
            self._found.pop(place, None)  # it may have moved
        raise failed or OSError(f"{place[0]} has no address")

    def _addresses(self, place: tuple[str, int]) -> _Found:
        with self._guard:
            if place not in self._found:
                answers = socket.getaddrinfo(*place, type=socket.SOCK_STREAM)
                self._found[place] = [
                    (family, address)  # type: ignore[misc]  # IPv6 addresses have four parts
                    for family, _, _, _, address in answers
                ]
            return self._found[place]


def _context(bundle: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context()
        if bundle.endswith("/"):
            context.load_verify_locations(capath=bundle)
        elif bundle:
            context.load_verify_locations(cafile=bundle)
    except (OSError, ssl.SSLError) as error:
        raise PermanentFault(f"cannot use the certificates in {bundle}: {error}") from error
    return context
