"""logs, metrics, events: what members and the engine said and measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from freehold.engine.wish import Want
from freehold.execution.records import Event
from freehold.foundation.errors import NotFoundError
from freehold.foundation.quantities import parse_duration
from freehold.observe.alerts import ABSENT_AFTER_S, Samples, Verdict, evaluate
from freehold.operations.desk import Desk
from freehold.operations.lookup import package_of, sight_of, wish_of
from freehold.operations.messages import EventView, LogLine, Series

EVENTS_AT_ONCE = 1000


async def read_logs(
    desk: Desk,
    service: str,
    *,
    member: str = "",
    since: float | None = None,
    level: str = "",
    follow: bool = False,
) -> AsyncIterator[LogLine]:
    """Yield lines of all members, or one, by time; a silent agent is named in the stream."""
    _members(desk, service, member)
    filters: dict[str, Any] = {"since": since or 0.0, "level": level}
    async for raw in desk.place.logs(service, member=member, follow=follow, **filters):
        yield LogLine(
            at=float(raw.get("at", 0.0)),
            member=str(raw.get("member", "")),
            source=str(raw.get("source", "")),
            level=str(raw.get("level", "")),
            message=str(raw.get("message", "")),
        )


async def read_metrics(desk: Desk, service: str, since: float = 0.0) -> list[Series]:
    """Return the samples kept by every agent that answers."""
    found = await _measured(desk, service, since)
    return [
        Series(member=member, metric=metric, samples=list(samples))
        for member, metrics in found.items()
        for metric, samples in sorted(metrics.items())
    ]


async def read_prometheus(desk: Desk, service: str) -> str:
    """Return the agents' own texts, one after the other; each already carries its member's name."""
    answers = await asyncio.gather(
        *(desk.place.client(service, each).prometheus() for each in _members(desk, service, "")),
        return_exceptions=True,
    )
    return _merged([each for each in answers if isinstance(each, str)])


def _merged(texts: Sequence[str]) -> str:
    """HELP and TYPE may stand once for each metric: keep the first."""
    seen: set[str] = set()
    kept = []
    for line in "\n".join(texts).splitlines():
        if line.startswith("#"):
            if line in seen:
                continue
            seen.add(line)
        if line:
            kept.append(line)
    return "\n".join(kept) + "\n"


async def judge_alerts(desk: Desk, service: str) -> list[Verdict]:
    """Return the package's alerts over what the agents measured, for as long as they look back."""
    wish = wish_of(desk, service)
    package = package_of(desk, wish)
    if package is None or not package.spec.alerts:
        return []
    if wish.want is not Want.RUNNING:
        return []
    now = desk.clock.now()
    longest = max(parse_duration(alert.for_) for alert in package.spec.alerts)
    since = now - longest - ABSENT_AFTER_S
    return evaluate(package.spec.alerts, await _measured(desk, service, since), now)


async def _measured(desk: Desk, service: str, since: float) -> Mapping[str, Mapping[str, Samples]]:
    wish_of(desk, service)
    answers = await desk.place.metrics(service, since)
    return {member: _samples(answer) for member, answer in answers.items()}


def _samples(answer: Mapping[str, Any]) -> dict[str, Samples]:
    """Read an agent's series: metric -> [[at, value], …], bare or under ``series``."""
    series = answer.get("series", answer)
    if not isinstance(series, Mapping):
        return {}
    return {
        str(metric): [(float(at), float(value)) for at, value in samples]
        for metric, samples in series.items()
        if isinstance(samples, list)
    }


async def read_events(
    desk: Desk, service: str | None, *, since: float = 0.0, follow: bool = False
) -> AsyncIterator[EventView]:
    """Yield the journal's events, oldest first; while following, each new one."""
    if service is not None:
        wish_of(desk, service)
    last = 0
    for event in desk.journal.events(service, limit=EVENTS_AT_ONCE):
        last = event.number
        if event.at >= since:
            yield event_view(event)
    if not follow or service is None:
        return
    async for _ in desk.engine.subscribe(service):
        for event in desk.journal.events(service, after=last, limit=EVENTS_AT_ONCE):
            last = event.number
            yield event_view(event)


def event_view(event: Event) -> EventView:
    return EventView(**asdict(event))


def _members(desk: Desk, service: str, member: str) -> list[str]:
    wish = wish_of(desk, service)
    observed = sight_of(desk, wish).observed
    known = list(observed.members) if observed else []
    if not member:
        return known
    if member not in known:
        raise NotFoundError(
            f"cannot find the member {member!r}: {service} has {', '.join(known) or 'none now'}",
            next_command=f"freehold status {service}",
        )
    return [member]
