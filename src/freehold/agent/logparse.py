"""Turn a log's bytes into lines with time and level. Pure but for the local time zone."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from freehold.foundation.member import LogSource

_LEVELS = {
    "trace": 0,
    "debug": 1,
    "info": 2,
    "notice": 2,
    "log": 2,
    "warn": 3,
    "warning": 3,
    "error": 4,
    "err": 4,
    "severe": 4,
    "critical": 5,
    "fatal": 5,
    "panic": 5,
}
_LONGEST_LINE = 16384


def rank(level: str) -> int:
    """Order levels; a line without one counts as information."""
    return _LEVELS.get(level.lower(), 2) if level else 0


class LineReader:
    """Cuts one source into lines; a line that does not match belongs to the one before it."""

    def __init__(self, source: str, member: str, rule: LogSource) -> None:
        self._source = source
        self._member = member
        self._format = rule.time_format
        self._pattern = _compiled(rule.pattern)
        self._left = b""
        self._at = 0.0
        self._level = ""

    def lines(self, data: bytes, dropped: int, written_at: float) -> list[dict[str, Any]]:
        """Return the lines that ``data`` completes."""
        found = []
        if dropped:
            self._left = b""
            note = f"{dropped} bytes of older lines were dropped"
            found.append(self._line(self._at or written_at, "warning", note))
        *whole, self._left = (self._left + data).split(b"\n")
        if len(self._left) > _LONGEST_LINE:
            whole.append(self._left)
            self._left = b""
        for raw in whole:
            text = raw[:_LONGEST_LINE].decode(errors="replace").rstrip("\r")
            if text:
                found.append(self._parsed(text, written_at))
        return found

    def _parsed(self, text: str, written_at: float) -> dict[str, Any]:
        if text.startswith("{") and self._pattern is None:
            known = _json_line(text)
            if known is not None:
                self._at, self._level = known[0] or written_at, known[1]
                return self._line(self._at, self._level, known[2])
        match = self._pattern.match(text) if self._pattern is not None else None
        if match is None:
            return self._line(self._at or written_at, self._level, text)
        groups = match.groupdict()
        at = _time_of(groups.get("time") or "", self._format)
        self._at = at if at is not None else self._at or written_at
        self._level = (groups.get("level") or "").lower()
        return self._line(self._at, self._level, groups.get("message") or text)

    def _line(self, at: float, level: str, message: str) -> dict[str, Any]:
        return {
            "at": at,
            "source": self._source,
            "level": level,
            "message": message,
            "member": self._member,
        }


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error:  # the definition's loader refuses it; an old one must not stop the agent
        return None


def _time_of(text: str, time_format: str) -> float | None:
    """Return unix seconds. ``%f`` takes three digits too; a time without a zone is local."""
    if not text or not time_format:
        return None
    from datetime import datetime  # noqa: PLC0415  only members with a format need it

    try:
        return datetime.strptime(text, time_format).timestamp()  # noqa: DTZ007
    except (ValueError, OverflowError):
        return None


def _json_line(text: str) -> tuple[float | None, str, str] | None:
    """Read a line of JSON with the usual names, as the agent itself writes."""
    try:
        line = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return None
    message = line.get("message", line.get("msg"))
    if not isinstance(message, str):
        return None
    at = line.get("at", line.get("ts"))
    level = str(line.get("level", line.get("severity", ""))).lower()
    return (float(at) if isinstance(at, int | float) else None), level, message
