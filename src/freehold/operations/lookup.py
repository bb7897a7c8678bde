"""Find what a verb is about, or say what to type to find it."""

from __future__ import annotations

import asyncio

from freehold.definition.package import Package
from freehold.engine.wish import Wish
from freehold.execution.records import Operation, OperationPhase
from freehold.execution.snapshot import Snapshot
from freehold.foundation.errors import DefinitionError, FreeholdError, NotFoundError
from freehold.foundation.names import fault_of_name
from freehold.observe.conditions import Sight
from freehold.operations.desk import Desk

FIRST_LOOK_S = 10.0


def check_name(name: str, what: str = "service") -> str:
    fault = fault_of_name(name)
    if fault is not None:
        raise DefinitionError(f"cannot use {name[:60]!r} as the name of a {what}: it {fault}")
    return name


def wish_of(desk: Desk, service: str) -> Wish:
    wish = desk.journal.wish(check_name(service))
    if wish is None:
        raise NotFoundError(
            f"cannot find the service {service!r}: there is none of that name",
            next_command="freehold list --all",
        )
    return wish


def package_of(desk: Desk, wish: Wish) -> Package | None:
    """Return the pinned package; None when it is lost, so that views still answer."""
    try:
        return desk.packages.by_digest(wish.definition)
    except FreeholdError:
        return None


def sight_of(desk: Desk, wish: Wish) -> Sight:
    snapshot, now = desk.engine.snapshot(wish.service), desk.clock.now()
    if snapshot is None or snapshot.wish.lineage != wish.lineage:
        return Sight(wish=wish, now=now)
    return Sight(
        wish=wish,
        desired=snapshot.desired,
        observed=snapshot.observed,
        observed_at=snapshot.observed_at,
        plan=snapshot.plan,
        waits=snapshot.waits,
        now=now,
    )


async def first_look(desk: Desk, service: str, within_s: float = FIRST_LOOK_S) -> Snapshot | None:
    """Return what is seen of the service, waiting for the first look after the daemon's start."""
    try:
        async with asyncio.timeout(within_s):
            async for _ in desk.engine.subscribe(service):
                snapshot = desk.engine.snapshot(service)
                if snapshot is not None:
                    return snapshot
    except TimeoutError:
        pass
    return None


def open_operation(desk: Desk, service: str) -> Operation | None:
    found = desk.journal.operations(service=service, open_only=True, limit=1)
    return found[0] if found else None


def operation_of(desk: Desk, operation_id: str) -> Operation:
    operation = desk.engine.live_operation(operation_id)
    if operation is None:
        raise NotFoundError(
            f"cannot find the operation {operation_id!r}", next_command="freehold operations list"
        )
    return operation


def has_ended(operation: Operation) -> bool:
    return operation.phase is not OperationPhase.RUNNING
