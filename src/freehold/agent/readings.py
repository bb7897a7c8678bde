"""Read metrics out of an engine's answers: JSON by dotted path, Prometheus text by name. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from freehold.agent.expectations import MISSING, value_at
from freehold.foundation.member import MetricSpec

MOST_SERIES = 20_000  # lines of one answer that are looked at: a cardinality bomb stops here
_LINE = r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)"
_LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"'


def from_json(document: Any, metrics: Iterable[MetricSpec]) -> dict[str, float]:
    """Return what could be read; a missing path is a missing value, never a zero."""
    found = {}
    for metric in metrics:
        value = number(value_at(document, metric.path or metric.name))
        if value is not None:
            found[metric.name] = value * metric.scale
    return found


def from_prometheus(text: str, metrics: Iterable[MetricSpec]) -> dict[str, float]:
    """Return the sum of the series that each metric's path selects: ``name{label="value"}``."""
    wanted: dict[str, list[tuple[MetricSpec, dict[str, str]]]] = {}
    for metric in metrics:
        match = re.fullmatch(r"([^{]+)(?:\{(.*)\})?", metric.path or metric.name)
        if match:
            selector = dict(re.findall(_LABEL, match[2] or ""))
            wanted.setdefault(match[1], []).append((metric, selector))
    found: dict[str, float] = {}
    for line in text.split("\n", MOST_SERIES)[:MOST_SERIES]:
        match = re.match(_LINE, line) if line[:1] != "#" else None
        if match is None or match[1] not in wanted:
            continue
        value = number(match[3])
        labels = dict(re.findall(_LABEL, match[2] or ""))
        for metric, selector in wanted[match[1]]:
            if value is not None and selector.items() <= labels.items():
                found[metric.name] = found.get(metric.name, 0.0) + value * metric.scale
    return found


def from_mapping(answer: Any, metrics: Iterable[MetricSpec]) -> dict[str, float]:
    """Return a hook's numbers, only those that the definition declares."""
    if not isinstance(answer, Mapping):
        return {}
    values = ((metric, number(answer.get(metric.name))) for metric in metrics)
    return {metric.name: value * metric.scale for metric, value in values if value is not None}


def number(value: Any) -> float | None:
    """Return a finite float, None for anything else."""
    if value is MISSING or value is None:
        return None
    try:
        read = float(value)
    except (TypeError, ValueError):
        return None
    return read if math.isfinite(read) else None
