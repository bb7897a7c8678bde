"""Where clients find a service: the ready members that play an endpoint's role.

Pure. Addresses of members that are not known to be ready are not given out, except for a binding,
which has to hold still while members come and go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from freehold.definition.schema import Component, Endpoint, Listener, Spec
from freehold.observe.members import MemberLine, MemberState


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    name: str
    protocol: str
    tls: str
    port: int
    hosts: tuple[str, ...]

    @property
    def addresses(self) -> list[str]:
        return [
            f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}" for host in self.hosts
        ]


def endpoints(spec: Spec, lines: Sequence[MemberLine]) -> list[Reachable]:
    """Return every endpoint with the hosts that serve it now."""
    found = []
    for name, endpoint in spec.endpoints.items():
        component, listener = listener_of(spec, endpoint)
        found.append(
            Reachable(
                name=name,
                protocol=listener.protocol,
                tls=listener.tls,
                port=listener.port,
                hosts=_hosts(endpoint, component, lines),
            )
        )
    return found


def listener_of(spec: Spec, endpoint: Endpoint) -> tuple[str, Listener]:
    """Return the endpoint's component and listener. Raises KeyError: lint has refused those."""
    name = endpoint.component or _component_with(spec.components, endpoint.listener)
    return name, spec.components[name].listeners[endpoint.listener]


def _component_with(components: Mapping[str, Component], listener: str) -> str:
    return next(name for name, each in components.items() if listener in each.listeners)


def _hosts(endpoint: Endpoint, component: str, lines: Sequence[MemberLine]) -> tuple[str, ...]:
    serving = [
        line.seen
        for line in lines
        if line.component == component and line.state is MemberState.READY and line.seen
    ]
    role = endpoint.role
    playing = [seen for seen in serving if not role or seen.role == role]
    if not playing and endpoint.otherwise:
        playing = [seen for seen in serving if seen.role == endpoint.otherwise]
    return tuple(seen.address for seen in playing if seen.address)
