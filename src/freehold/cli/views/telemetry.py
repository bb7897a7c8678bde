"""How log lines, events and metrics look."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from freehold.cli.text import painted, table

View = Mapping[str, Any]
_OF_LEVEL = {
    "error": "red",
    "fatal": "red",
    "critical": "red",
    "warn": "yellow",
    "warning": "yellow",
}


def log_line(line: View, *, colours: bool) -> str:
    level = str(line.get("level") or "")
    shown = painted(f"{level.lower():<5}", _OF_LEVEL.get(level.lower(), "dim"), on=colours)
    return f"{_clock(line['at'])} {line['member']} {shown} {line['message']}".rstrip()


def event_line(event: View, *, colours: bool) -> str:
    severity = str(event.get("severity") or "")
    message = painted(str(event["message"]), _OF_LEVEL.get(severity, ""), on=colours)
    who = event.get("member") or event.get("service") or "-"
    return f"{_clock(event['at'])} {who} {event.get('kind', '')}: {message}"


def metric_lines(answer: Any, *, width: int) -> Iterator[str]:
    rows = [
        (
            str(series.get("name", "")),
            str(series.get("member", "")),
            _latest(series),
            str(series.get("unit") or ""),
            str(series.get("help") or ""),
        )
        for series in (answer.get("series", ()) if isinstance(answer, Mapping) else answer)
    ]
    if not rows:
        yield "nothing is measured yet"
        return
    yield from table(("METRIC", "MEMBER", "LATEST", "UNIT", "MEANS"), rows, width=width)


def _latest(series: View) -> str:
    points = series.get("points") or ()
    value = points[-1][1] if points else series.get("value")
    return "-" if value is None else f"{value:.6g}"


def _clock(at: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at % 1 * 1000):03d}"
