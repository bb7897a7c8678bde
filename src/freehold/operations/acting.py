"""Have one ready member carry out an action of its package, and wait for the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freehold.definition.package import Package
from freehold.engine.observed import ObservedMember
from freehold.engine.wish import Want, Wish
from freehold.foundation.errors import RefusedError, TransientFault
from freehold.foundation.member import ActionOrder, ActionPhase, ActionState
from freehold.observe.members import MemberState
from freehold.operations.desk import Desk
from freehold.operations.lookup import sight_of

POLL_S = (
    0.02,
    0.05,
    0.1,
    0.2,
)  # then the last one again: a check takes milliseconds, a user seconds


def ready_member(desk: Desk, wish: Wish, package: Package, action: str) -> ObservedMember:
    """Return the member to act on: the leader where there is one, else the first that is ready."""
    if wish.want is not Want.RUNNING:
        raise RefusedError(
            f"cannot {action} on {wish.service}: it is {wish.want}",
            next_command=f"freehold start {wish.service}",
        )
    spec = package.spec
    component = spec.actions[action].component or next(iter(spec.components))
    sight = sight_of(desk, wish)
    ready = [
        line.seen
        for line in sight.lines
        if line.seen and line.component == component and line.state is MemberState.READY
    ]
    if not ready or sight.blind:
        raise TransientFault(
            f"cannot {action} on {wish.service}: {sight.blind or 'no member is ready'}",
            next_command=f"freehold status {wish.service} --watch",
        )
    leads = spec.components[component].leader
    return next((each for each in ready if leads and each.role == leads), ready[0])


async def act(
    desk: Desk,
    service: str,
    member: str,
    *,
    action: str,
    key: str,
    arguments: Mapping[str, Any],
    within_s: float,
) -> ActionState:
    """Order the action and return its last state: done or failed.

    Raises TransientFault when it has not ended ``within_s``; the same key takes it up again.
    """
    order = ActionOrder(key=key, action=action, arguments=arguments)
    deadline = desk.clock.now() + within_s
    attempt = 0
    while True:
        state = await desk.place.client(service, member).act(order)
        if state.phase is not ActionPhase.RUNNING:
            return state
        if desk.clock.now() >= deadline:
            note = f": {state.note}" if state.note else ""
            raise TransientFault(f"cannot {action} on {member} within {within_s:g} s{note}")
        await desk.clock.sleep(POLL_S[min(attempt, len(POLL_S) - 1)])
        attempt += 1
