"""Short ways to say what is seen, for tests that compare plans as text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.property.worlds import Order, Part, desired_of, spec_of

from freehold.engine.observed import KeptVolumes, Observed, ObservedMember, Reach, Retirement
from freehold.engine.planner import plan
from freehold.foundation.member import ActionPhase, ActionState, Certificate, Phase

NOW = 1_800_000_000.0
MADE = {"phase": Phase.STOPPED, "run": False, "certificate": Certificate.FREE, "ready": False}
STOPPED = {**MADE, "initialised": True, "revision_running": ""}
STARTING = {"phase": Phase.STARTING, "ready": False}
DOWN = {"phase": Phase.BACKOFF, "ready": False, "revision_running": ""}
SILENT = {"reach": Reach.SILENT, "phase": None, "run": None, "ready": None}
LONE = Order(members={"node": 1}, founders={"node": 1})


def member(order: Order, ordinal: int, component: str = "node", **differs: Any) -> ObservedMember:
    """Return a ready member on the order's revision, but for what differs."""
    incarnation = differs.get("incarnation", 0)
    groups = next((part.groups for part in order.parts if part.name == component), 1)
    spec = spec_of(order, component, ordinal, groups, incarnation)
    healthy = ObservedMember(
        name=spec.name,
        component=component,
        group=spec.group,
        ordinal=ordinal,
        uid=f"uid-{ordinal}",
        incarnation=incarnation,
        reach=Reach.ANSWERS,
        certificate=Certificate.HELD,
        phase=Phase.RUNNING,
        run=True,
        revision_accepted=spec.revision,
        revision_running=spec.revision,
        restart_hash=spec.restart_hash,
        ready=True,
        initialised=True,
    )
    return replace(healthy, **differs)


def sight(*members: ObservedMember, **differs: Any) -> Observed:
    """Return an observation with software and secrets in place."""
    there = Observed(
        members={each.name: each for each in members},
        software=frozenset({"1.0", "2.0"}),
        secrets=frozenset({"superuser"}),
    )
    return replace(there, **differs)


def all_ready(order: Order, count: int | None = None) -> list[ObservedMember]:
    return [member(order, n) for n in range(order.members["node"] if count is None else count)]


def acted(
    key: str, phase: ActionPhase = ActionPhase.DONE, **differs: Any
) -> dict[str, ActionState]:
    state = ActionState(key=key, action=key.partition(":")[0], phase=phase, started_at=NOW - 60)
    if phase is not ActionPhase.RUNNING:
        state = replace(state, ended_at=NOW - 1)
    return {key: replace(state, **differs)}


def kept(name: str, incarnation: int = 0, how: Retirement = Retirement.NONE) -> KeptVolumes:
    return KeptVolumes(
        member=name, uid=f"uid-of-{name}-{incarnation}", incarnation=incarnation, retirement=how
    )


def planned(order: Order, observed: Observed, now: float = NOW) -> str:
    return str(plan(desired_of(order, observed), observed, now))


def parts(**differs: Any) -> tuple[Part, ...]:
    return (Part(**differs),)
