"""Desired values built by hand, so that these tests do not depend on the renderer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from freehold.engine.desired import Desired, DesiredComponent, DesiredMember, Duty
from freehold.engine.incarnations import incarnations
from freehold.engine.observed import Observed
from freehold.engine.wish import Want, Wish
from freehold.foundation.member import MemberSpec, Process
from freehold.foundation.names import member_name


@dataclass(frozen=True, kw_only=True)
class Part:
    """A component of a made-up package."""

    name: str = "node"
    quorum: int | None = None  # default: the majority of a group
    down_at_once: int = 1
    groups: int = 1
    leader: str = ""
    start_after: tuple[str, ...] = ()
    joins_in_parallel: bool = False
    first_start_ordered: bool = False
    leaves: bool = True  # has an action to hand over with
    switches: bool = False
    duties: tuple[str, ...] = ()  # formed, members-changed, joined, settled


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a consumer asked for: stands for the wish and its package."""

    parts: tuple[Part, ...] = (Part(),)
    members: Mapping[str, int] = field(default_factory=lambda: {"node": 3})
    founders: Mapping[str, int] = field(default_factory=lambda: {"node": 3})
    version: str = "1.0"
    restart_text: str = "a"  # a change of it needs a restart
    live_text: str = "a"  # a change of it does not
    want: Want = Want.RUNNING
    restart: str = ""
    rebuild: Mapping[str, int] = field(default_factory=dict)
    generation: int = 1
    service: str = "db"
    lineage: str = "L1"
    secrets: tuple[str, ...] = ("superuser",)

    def but(self, **changes: object) -> Order:
        return replace(self, **{"generation": self.generation + 1, **changes})  # type: ignore[arg-type]


def wish_of(order: Order) -> Wish:
    return Wish(
        service=order.service,
        lineage=order.lineage,
        package="made-up",
        version=order.version,
        definition="sha256:0",
        preset="",
        knobs={"members": dict(order.members)},
        site="local",
        want=order.want,
        restart=order.restart,
        rebuild=order.rebuild,
        founders=order.founders,
        generation=order.generation,
    )


def desired_of(order: Order, observed: Observed) -> Desired:
    """Return what the order means to a world that looks like ``observed``."""
    numbers, _ = incarnations(wish_of(order), observed)
    return Desired(
        service=order.service,
        lineage=order.lineage,
        want=order.want,
        version=order.version,
        generation=order.generation,
        restart=order.restart,
        components=tuple(_component(order, part, numbers) for part in order.parts),
        secrets=order.secrets,
        duties=tuple(
            Duty(action=f"do-{when}", component=part.name, when=when)
            for part in order.parts
            for when in part.duties
        ),
        leave={part.name: "leave" for part in order.parts if part.leaves},
        switchover={part.name: "switchover" for part in order.parts if part.switches},
    )


def _component(order: Order, part: Part, numbers: Mapping[str, int]) -> DesiredComponent:
    count = order.members.get(part.name, 0)
    majority = count // part.groups // 2 + 1
    return DesiredComponent(
        name=part.name,
        members=tuple(_member(order, part, ordinal, numbers) for ordinal in range(count)),
        quorum=majority if part.quorum is None else part.quorum,
        down_at_once=part.down_at_once,
        leader=part.leader,
        start_after=part.start_after,
        joins_in_parallel=part.joins_in_parallel,
        first_start_ordered=part.first_start_ordered,
    )


def _member(order: Order, part: Part, ordinal: int, numbers: Mapping[str, int]) -> DesiredMember:
    name = member_name(order.service, part.name, ordinal)
    incarnation = numbers.get(name, 0)
    founder = ordinal < order.founders.get(part.name, 0) and incarnation == 0
    spec = spec_of(order, part.name, ordinal, part.groups, incarnation)
    return DesiredMember(
        name=name,
        component=part.name,
        group=ordinal % part.groups,
        ordinal=ordinal,
        incarnation=incarnation,
        spec=spec,
        founder=founder,
    )


def spec_of(
    order: Order, component: str, ordinal: int, groups: int = 1, incarnation: int = 0
) -> MemberSpec:
    restart_hash = _digest(order.version, order.restart_text)
    return MemberSpec(
        service=order.service,
        lineage=order.lineage,
        component=component,
        group=ordinal % groups,
        ordinal=ordinal,
        name=member_name(order.service, component, ordinal),
        site="local",
        incarnation=incarnation,
        version=order.version,
        definition="sha256:0",
        main=Process(argv=("serve",)),
        facts={"text": (order.restart_text, order.live_text)},
        restart_hash=restart_hash,
        reload_hash="",
        revision=_digest(restart_hash, order.live_text, component, str(ordinal), str(incarnation)),
    )


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
