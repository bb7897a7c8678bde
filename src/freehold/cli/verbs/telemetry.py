"""logs, metrics, events."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from freehold.cli.client import connected
from freehold.cli.options import Output, OutputOption, Service
from freehold.cli.output import show, show_each
from freehold.cli.text import has_colours, say, width_of
from freehold.cli.verbs.application import Verbs
from freehold.cli.views.telemetry import event_line, log_line, metric_lines
from freehold.foundation.errors import DefinitionError
from freehold.foundation.quantities import parse_duration

app = Verbs()

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes next.")]
Since = Annotated[
    str, typer.Option("--since", metavar="DURATION", help="Only the last 90s, 10m, 2h.")
]
Tail = Annotated[
    int | None, typer.Option("--tail", metavar="N", help="Only the last N lines.", min=0)
]


@app.command(
    epilog="""\b
Examples:
  freehold logs orders
  freehold logs orders -f
  freehold logs orders --since 10m --level warn
  freehold logs orders --member orders-node-1 --tail 50
""",
)
def logs(
    service: Service,
    follow: Follow = False,
    since: Since = "",
    member: Annotated[
        str, typer.Option("--member", metavar="NAME", help="Only this member's.")
    ] = "",
    level: Annotated[
        str, typer.Option("--level", metavar="LEVEL", help="This level and worse: info, warn, …")
    ] = "",
    tail: Tail = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show log lines of a service's members, merged by time."""
    query = {"follow": follow, "since": _moment(since), "member": member, "level": level}
    lines = connected(say).stream(f"/v1/services/{service}/logs", query)
    colours = has_colours(sys.stdout)
    kept = _last(lines, tail, follow=follow)
    show_each(kept, output.value, lambda line: [log_line(line, colours=colours)])


@app.command(
    epilog="""\b
Examples:
  freehold metrics orders
  freehold metrics orders --since 1h -o json
  freehold metrics orders --prometheus
""",
)
def metrics(
    service: Service,
    since: Since = "",
    prometheus: Annotated[
        bool, typer.Option("--prometheus", help="As Prometheus text, for a scraper.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what is measured: the latest value of each metric and member."""
    client, path = connected(say), f"/v1/services/{service}/metrics"
    if prometheus:
        sys.stdout.write(client.text(path, {"format": "prometheus"}))
        return
    answer = client.get(path, {"format": "json", "since": _moment(since)})
    show(
        answer,
        output.value,
        lambda found: metric_lines(found, now=time.time(), width=width_of(sys.stdout)),
    )


@app.command(
    epilog="""\b
Examples:
  freehold events orders
  freehold events orders -f
  freehold events orders --since 1h -o json
""",
)
def events(
    service: Service,
    follow: Follow = False,
    since: Since = "",
    tail: Tail = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what happened to a service: starts, exits, operations, alerts."""
    query = {"follow": follow, "since": _moment(since)}
    found = connected(say).stream(f"/v1/services/{service}/events", query)
    colours = has_colours(sys.stdout)
    kept = _last(found, tail, follow=follow)
    show_each(kept, output.value, lambda event: [event_line(event, colours=colours)])


def _moment(since: str) -> float | None:
    if not since:
        return None
    try:
        return time.time() - parse_duration(since)
    except ValueError as error:
        raise DefinitionError(
            f"cannot use --since: {error}", next_command="the same command with --since 10m"
        ) from error


def _last(lines: Iterator[Any], tail: int | None, *, follow: bool) -> Iterable[Any]:
    if tail is None:
        return lines
    if follow:
        raise DefinitionError(
            "cannot follow a tail: a stream has no last lines yet",
            next_command="the same command with --since 1m instead of --tail",
        )
    return deque(lines, maxlen=tail)
