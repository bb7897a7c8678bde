"""Logs, metrics, events, alerts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from freehold.foundation.errors import DefinitionError
from freehold.operations import watching
from freehold.operations.messages import EventView, LogLine, Series
from freehold.serve.door import FOLLOW, SINCE, Call, Door, Lines, Query, Text


async def _logs(call: Call) -> Lines:
    return watching.read_logs(call.desk, call.service, **call.query)


async def _metrics(call: Call) -> list[Series] | Text:
    wanted = call.query.get("format", "json")
    if wanted == "prometheus":
        text = await watching.read_prometheus(call.desk, call.service)
        return Text(text, "text/plain; version=0.0.4")
    if wanted != "json":
        raise DefinitionError(f"cannot use format={wanted[:40]!r}: it is json or prometheus")
    return await watching.read_metrics(call.desk, call.service, call.query.get("since", 0.0))


async def _events(call: Call) -> Lines:
    return watching.read_events(call.desk, call.service, **call.query)


async def _alerts(call: Call) -> list[dict[str, Any]]:
    return [asdict(verdict) for verdict in await watching.judge_alerts(call.desk, call.service)]


DOORS = (
    Door(
        method="GET",
        path="/v1/services/{service}/logs",
        handler=_logs,
        summary="Read the members' logs",
        gives=LogLine,
        streams=True,
        query={
            "follow": FOLLOW,
            "since": SINCE,
            "member": Query(help="one member's only"),
            "level": Query(help="this level and worse"),
        },
    ),
    Door(
        method="GET",
        path="/v1/services/{service}/metrics",
        handler=_metrics,
        summary="Read what the members measured",
        gives=list[Series],
        query={"format": Query(help="json or prometheus"), "since": SINCE},
    ),
    Door(
        method="GET",
        path="/v1/services/{service}/events",
        handler=_events,
        summary="Read what happened to a service",
        gives=EventView,
        streams=True,
        query={"follow": FOLLOW, "since": SINCE},
    ),
    Door(
        method="GET",
        path="/v1/services/{service}/alerts",
        handler=_alerts,
        summary="Evaluate the package's alerts now",
        gives=list[dict[str, Any]],
    ),
)
