"""Expectations, metrics and log lines: what an engine's texts mean."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from freehold.agent.expectations import MISSING, picked, unmet, value_at
from freehold.agent.logparse import LineReader, rank
from freehold.agent.readings import from_json, from_mapping, from_prometheus
from freehold.foundation.member import LogSource, MetricSpec

DOCUMENT: dict[str, Any] = {
    "value": {"mode": "NORMAL", "live": ["a", "b"], "a.b": {"c": 1}, "ok": True, "n": 0},
    "list": [{"x": 1}, {"x": 2}],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("value.mode", "NORMAL"),
        ("value.live.*", 2),
        ("value.live.1", "b"),
        ("value.live.-1", "b"),
        ("value.live.7", MISSING),
        ("list.1.x", 2),
        ("value.a.b.c", MISSING),
        ("value.a.b", {"c": 1}),
        ("nothing.at.all", MISSING),
    ],
)
def test_a_dotted_path_finds_its_value(path: str, value: object) -> None:
    assert value_at(DOCUMENT, path) == value


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"value.mode": "NORMAL", "value.live.*": 2}, ""),
        ({"value.mode": "LEAVING"}, "value.mode is 'NORMAL', expected 'LEAVING'"),
        ({"value.gone": 1}, "the answer has no value.gone"),
        ({"value.live.*": {"min": 3}}, "value.live.* is 2, expected {'min': 3}"),
        ({"value.live.*": {"max": 2}, "value.mode": {"in": ["NORMAL", "x"]}}, ""),
        ({"value.mode": {"not": "DRAINED"}}, ""),
        ({"value.n": False}, "value.n is 0, expected False"),
        ({"value.mode": "*"}, ""),
    ],
)
def test_an_answer_is_judged_with_the_reason(expect: dict[str, Any], reason: str) -> None:
    assert unmet(DOCUMENT, expect) == reason


def test_a_star_picks_the_role() -> None:
    assert picked({"role": "leader", "ok": 1}, {"ok": 1, "role": "*"}) == "leader"
    assert picked({}, {"role": "*"}) == ""


def test_json_metrics_are_scaled_and_a_missing_one_is_absent_not_zero() -> None:
    metrics = [
        MetricSpec(name="live", path="value.live.*"),
        MetricSpec(name="ms", path="list.1.x", scale=0.5),
        MetricSpec(name="gone", path="value.gone"),
        MetricSpec(name="text", path="value.mode"),
    ]
    assert from_json(DOCUMENT, metrics) == {"live": 2.0, "ms": 1.0}


PROMETHEUS = """
# HELP requests_total Requests
# TYPE requests_total counter
requests_total{code="200",path="/a,b}"} 3 1700000000
requests_total{code="500",path="/"} 4
up 1
broken
nan_value NaN
other{x="1"} 9
"""


def test_prometheus_series_are_selected_by_label_and_summed() -> None:
    metrics = [
        MetricSpec(name="all", path="requests_total"),
        MetricSpec(name="bad", path='requests_total{code="500"}'),
        MetricSpec(name="up"),
        MetricSpec(name="nan_value"),
        MetricSpec(name="none", path='other{x="2"}'),
    ]
    assert from_prometheus(PROMETHEUS, metrics) == {"all": 7.0, "bad": 4.0, "up": 1.0}


def test_a_hook_gives_only_declared_numbers() -> None:
    metrics = [MetricSpec(name="a"), MetricSpec(name="b")]
    assert from_mapping({"a": 1, "c": 2, "b": "x"}, metrics) == {"a": 1.0}
    assert from_mapping(["a"], metrics) == {}


def reader(pattern: str = "", time_format: str = "") -> LineReader:
    rule = LogSource(file="x", pattern=pattern, time_format=time_format)
    return LineReader("x", "db-node-0", rule)


def told(lines: list[dict[str, Any]]) -> list[tuple[float, str, str]]:
    return [(line["at"], line["level"], line["message"]) for line in lines]


def test_lines_are_parsed_by_pattern_and_others_belong_to_the_line_before() -> None:
    lines = reader(
        r"(?P<level>[A-Z]+)\s+(?P<time>\S+ \S+) (?P<message>.*)", "%Y-%m-%d %H:%M:%S.%f"
    ).lines(b"WARN  2026-01-02 03:04:05.250 slow\r\n  at line 1\nINFO 2026-01-02 bad\n", 0, 9.0)
    at = datetime(2026, 1, 2, 3, 4, 5, 250000).timestamp()  # noqa: DTZ001  the log has local times
    assert told(lines) == [
        (at, "warn", "slow"),
        (at, "warn", "  at line 1"),
        (at, "warn", "INFO 2026-01-02 bad"),
    ]


def test_a_line_in_two_pieces_is_one_line_and_a_gap_is_told() -> None:
    lines = reader()
    assert told(lines.lines(b"first\nsec", 0, 5.0)) == [(5.0, "", "first")]
    assert told(lines.lines(b"ond\n", 0, 6.0)) == [(6.0, "", "second")]
    assert told(lines.lines(b"x\n", 4096, 7.0)) == [
        (7.0, "warning", "4096 bytes of older lines were dropped"),
        (7.0, "", "x"),
    ]


def test_json_lines_are_understood_without_a_pattern() -> None:
    line = b'{"at": 12.5, "level": "ERROR", "message": "m"}\n{"odd": 1}\n'
    assert told(reader().lines(line, 0, 1.0)) == [
        (12.5, "error", "m"),
        (12.5, "error", '{"odd": 1}'),
    ]


def test_a_broken_pattern_and_an_endless_line_do_no_harm() -> None:
    assert told(reader("(").lines(b"a\n", 0, 1.0)) == [(1.0, "", "a")]
    (line,) = reader().lines(b"x" * 100_000, 0, 1.0)
    assert len(line["message"]) == 16384


def test_levels_are_ordered() -> None:
    ordered = ["debug", "INFO", "Warning", "ERROR", "fatal"]
    assert sorted(ordered, key=rank) == ordered
