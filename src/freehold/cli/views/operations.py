"""How operations look."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freehold.cli.text import age, cut, painted, painted_state, table, wrapped

View = Mapping[str, Any]


def list_lines(
    operations: Sequence[View], *, now: float, width: int, colours: bool
) -> Iterator[str]:
    if not operations:
        yield "no operations"
        return
    rows = [
        (
            operation["id"],
            operation["service"],
            operation["verb"],
            operation["phase"],
            age(now - operation["created_at"]),
            operation.get("reason") or "; ".join(operation.get("waits") or ()),
        )
        for operation in operations
    ]
    head = ("ID", "SERVICE", "VERB", "PHASE", "AGE", "BECAUSE")
    lines = table(head, rows, width=width)
    yield lines[0]
    start = lines[0].index("PHASE")
    for line, row in zip(lines[1:], rows, strict=True):
        phase = painted_state(row[3], on=colours)
        yield line[:start] + phase + line[start + len(row[3]) :]


def show_lines(operation: View, *, now: float, width: int, colours: bool) -> Iterator[str]:
    name = painted(f"{operation['verb']} {operation['service']}", "bold", on=colours)
    end = operation.get("ended_at")
    took = age((end or now) - operation["created_at"])
    yield f"{name}: {painted_state(operation['phase'], on=colours)}, {took}"
    if operation.get("reason"):
        yield from wrapped(operation["reason"], width, "  ")
    yield cut(f"  id:       {operation['id']}", width)
    yield cut(f"  asked by: {operation['actor']}, project {operation['project']}", width)
    yield f"  asked at: {_date(operation['created_at'])}"
    yield f"  deadline: {_date(operation['deadline_at'])}"
    if operation.get("after"):
        yield cut(f"  edits:    {_edits(operation['after'])}", width)
    for number, step in enumerate(operation.get("steps") or (), 1):
        if number == 1:
            yield ""
            yield "Steps:"
        yield cut(f"  {_step(step)}", width)
    waits = operation.get("waits") or ()
    if waits:
        yield ""
        yield "Waits:"
        for wait in waits:
            yield from wrapped(wait, width, "  ")
    if operation["phase"] == "running":
        yield ""
        yield f"next: freehold operations wait {operation['id']}"
        yield f"      freehold operations cancel {operation['id']}"


def _step(step: View) -> str:
    outcome = step.get("outcome") or "…"
    seconds = ""
    if step.get("started_at") and step.get("ended_at"):
        seconds = f" {step['ended_at'] - step['started_at']:.1f}s"
    shown = {"done": "✓", "…": "·"}.get(outcome, "✗")
    failed = f": {outcome}" if shown == "✗" else ""
    return f"{shown} {step['step']}{seconds}{failed}: {step['because']}"


def _edits(after: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in after.items())


def _date(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
