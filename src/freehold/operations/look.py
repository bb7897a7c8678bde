"""list, status, describe: how services are now."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

from msgspec.structs import replace

from freehold.engine.wish import Want
from freehold.observe.alerts import Verdict
from freehold.operations.desk import Desk
from freehold.operations.lookup import open_operation, package_of, sight_of, wish_of
from freehold.operations.messages import ServiceView
from freehold.operations.views import service_view
from freehold.operations.watching import judge_alerts

FRESH_S = 1.0  # a status is true within 2 s: older ones are looked at again first
LOOK_WITHIN_S = 1.0
LIST_WITHIN_S = 0.05  # of all services together: a list answers at once and shows ages
ALERTS_WITHIN_S = 0.5  # a frozen agent does not hold the view back


async def list_services(desk: Desk, *, everything: bool = False) -> list[ServiceView]:
    """Return services by name; uninstalled ones only when ``everything`` is asked for."""
    names = [
        wish.service
        for wish in desk.journal.wishes()
        if everything or wish.want is not Want.UNINSTALLED
    ]
    await asyncio.gather(*(_look_again(desk, name, LIST_WITHIN_S) for name in names))
    return [_view(desk, name) for name in names]


async def describe(desk: Desk, service: str) -> ServiceView:
    """Return the service with its alerts, as far as its agents say in time what they measured."""
    await _look_again(desk, service, LOOK_WITHIN_S)
    alerts: Sequence[Verdict] = ()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ALERTS_WITHIN_S):
            alerts = await judge_alerts(desk, service)
    return replace(_view(desk, service), alerts=[asdict(verdict) for verdict in alerts])


async def watch_service(desk: Desk, service: str) -> AsyncIterator[ServiceView]:
    """Yield the service now and whenever something about it changed; ends when it is purged."""
    wish_of(desk, service)
    async for _ in desk.engine.subscribe(service):
        if desk.journal.wish(service) is None:
            return
        yield _view(desk, service)


async def _look_again(desk: Desk, service: str, within_s: float) -> None:
    await desk.engine.refresh(service, at_most_s=FRESH_S, within_s=within_s)


def _view(desk: Desk, service: str) -> ServiceView:
    wish = wish_of(desk, service)
    return service_view(sight_of(desk, wish), package_of(desk, wish), open_operation(desk, service))
