"""Worlds for the views' tests: a service of three members, as its runtime sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from freehold.engine.desired import Desired, DesiredComponent, DesiredMember
from freehold.engine.observed import Observed, ObservedMember, Reach
from freehold.engine.plan import Plan
from freehold.engine.wish import Want, Wish
from freehold.foundation.member import Certificate, MemberSpec, Phase, Process
from freehold.observe.conditions import Sight

NOW = 1000.0
WISH = Wish(
    service="db",
    lineage="l",
    package="echo",
    version="1",
    definition="sha256:d",
    preset="ha",
    knobs={},
    site="here",
)


def member(ordinal: int) -> DesiredMember:
    name = f"db-node-{ordinal}"
    spec = MemberSpec(
        service="db",
        lineage="l",
        component="node",
        group=0,
        ordinal=ordinal,
        name=name,
        site="here",
        incarnation=0,
        version="1",
        definition="sha256:d",
        main=Process(argv=("true",)),
        revision="r1",
    )
    return DesiredMember(
        name=name,
        component="node",
        group=0,
        ordinal=ordinal,
        incarnation=0,
        spec=spec,
        founder=True,
    )


def seen(ordinal: int, **fields: Any) -> ObservedMember:
    ready = ObservedMember(
        name=f"db-node-{ordinal}",
        component="node",
        group=0,
        ordinal=ordinal,
        uid=f"u{ordinal}",
        incarnation=0,
        reach=Reach.ANSWERS,
        certificate=Certificate.HELD,
        phase=Phase.RUNNING,
        run=True,
        ready=True,
        ready_since=500.0 + ordinal,
        initialised=True,
        revision_accepted="r1",
        revision_running="r1",
        address=f"127.0.9.{ordinal + 1}",
    )
    return replace(ready, **fields)


def sight(*members: ObservedMember, want: Want = Want.RUNNING, wanted: int = 3) -> Sight:
    desired = Desired(
        service="db",
        lineage="l",
        want=want,
        version="1",
        generation=4,
        restart="",
        components=(
            DesiredComponent(
                name="node",
                members=tuple(member(ordinal) for ordinal in range(wanted)),
                quorum=2 if wanted > 1 else 1,
                down_at_once=1,
            ),
        ),
        secrets=(),
    )
    return Sight(
        wish=replace(WISH, want=want, generation=4),
        desired=desired,
        observed=Observed(members={each.name: each for each in members}),
        observed_at=NOW,
        plan=Plan(),
        now=NOW,
    )
