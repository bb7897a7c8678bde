"""Lines for a person: tables, colours, ages. Everything fits 80 columns or ends with an ellipsis.

Colours only where a terminal shows them, and never with NO_COLOR (no-color.org).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_OF_STATE = {
    "ready": "green",
    "running": "cyan",
    "done": "green",
    "ok": "green",
    "starting": "yellow",
    "joining": "yellow",
    "changing": "yellow",
    "leaving": "yellow",
    "stopping": "yellow",
    "backoff": "yellow",
    "degraded": "yellow",
    "warning": "yellow",
    "cancelled": "yellow",
    "superseded": "yellow",
    "unavailable": "red",
    "down": "red",
    "failed": "red",
    "fenced": "red",
    "problem": "red",
    "missing": "red",
    "unknown": "red",
}


def has_colours(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, colour: str, *, on: bool) -> str:
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if on and colour else text


def painted_state(state: str, *, on: bool, width: int = 0) -> str:
    return painted(f"{state:<{width}}", _OF_STATE.get(state, ""), on=on)


def width_of(stream: TextIO) -> int:
    """Return the terminal's columns; where there is none, lines are not cut."""
    if columns := os.environ.get("COLUMNS", ""):
        return int(columns) if columns.isdigit() and int(columns) > 20 else 80
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 10_000


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def wrapped(text: str, width: int, indent: str = "", hang: str = "  ") -> list[str]:
    """Return the words in lines of at most ``width`` columns. Not textwrap: it imports re, 7 ms."""
    lines, line = [], indent
    for word in text.split():
        if line.strip() and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = indent + hang
        line += word if not line.strip() else f" {word}"
    return [*lines, line] if line.strip() else lines


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, width: int, indent: str = ""
) -> list[str]:
    """Return aligned lines; the last column gives way when they would be wider than ``width``."""
    kept = [[str(cell) for cell in row] for row in rows]
    columns = [max(len(cell) for cell in column) for column in zip(head, *kept, strict=True)]
    lines = []
    for row in (list(head), *kept):
        padded = (f"{cell:<{size}}" for cell, size in zip(row, columns, strict=True))
        lines.append(cut(indent + "  ".join(padded).rstrip(), width))
    return lines


def age(seconds: float | None) -> str:
    """Return how long ago in one or two units: ``8s``, ``3m12s``, ``2h05m``, ``4d03h``."""
    if seconds is None:
        return "-"
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def amount(size: float | None) -> str:
    from freehold.foundation.quantities import format_bytes  # re: 7 ms

    return "-" if size is None else format_bytes(size)


def say(line: str) -> None:
    """Tell the person something that is no part of the answer."""
    print(line, file=sys.stderr, flush=True)
