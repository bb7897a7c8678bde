"""How log lines, events and metrics look."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freehold.cli.text import age, painted, table

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


def metric_lines(found: Sequence[View], *, now: float, width: int) -> Iterator[str]:
    """Yield the latest value of each metric and member, and its range since the first sample."""
    rows = []
    for series in found:
        values = [value for _, value in series["samples"]]
        if values:
            at = series["samples"][-1][0]
            spread = f"{_number(min(values))} … {_number(max(values))}"
            latest = _number(values[-1])
            rows.append(
                (series["metric"], series["member"], latest, f"{age(now - at)} ago", spread)
            )
    if not rows:
        yield "nothing is measured yet"
        return
    yield from table(("METRIC", "MEMBER", "LATEST", "AGE", "RANGE"), rows, width=width)


def _number(value: float) -> str:
    """Whole below a billion, then four digits: ``523 MB`` would need a unit nobody declared."""
    return str(int(value)) if value == int(value) and abs(value) < 1e9 else f"{value:.4g}"


def _clock(at: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(at))}.{int(at % 1 * 1000):03d}"
