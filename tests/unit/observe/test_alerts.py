"""Alerts count their time over the samples, so that anybody's question has the same answer."""

import pytest

from freehold.definition.schema import Alert
from freehold.observe.alerts import evaluate

LAG = Alert(
    name="lagging",
    metric="lag",
    summary="${member} is ${value} behind",
    runbook="docs/lag.md",
    above=30.0,
    for_="1m",
    severity="warning",
)
LOST = Alert(
    name="silent", metric="beat", summary="no beat", runbook="", absent=True, severity="critical"
)


def series(*values: float, start: float = 0.0, every: float = 10.0) -> list[tuple[float, float]]:
    return [(start + number * every, value) for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([1, 2, 3], None),
        ([1, 40, 40], "pending"),
        ([40] * 8, "firing"),
        ([40] * 5 + [3], None),
        ([40] * 3 + [3] + [40] * 2, "pending"),
    ],
)
def test_a_bound_has_to_be_broken_without_a_break(values: list[float], state: str | None) -> None:
    samples = series(*values)
    found = evaluate([LAG], {"db-0": {"lag": samples}}, now=samples[-1][0])
    assert [each.state for each in found] == ([state] if state else [])


def test_a_summary_names_the_member_and_the_value() -> None:
    found = evaluate([LAG], {"db-0": {"lag": series(*[42] * 9)}}, now=80.0)
    assert found[0].summary == "db-0 is 42 behind"


def test_a_metric_without_samples_is_absent_and_the_worst_comes_first() -> None:
    measured = {
        "db-0": {"lag": series(*[40] * 9), "beat": series(1, 1)},
        "db-1": {"lag": series(1)},
    }
    found = evaluate([LAG, LOST], measured, now=200.0)
    assert [(each.alert, each.member) for each in found] == [
        ("silent", "db-0"),
        ("silent", "db-1"),
        ("lagging", "db-0"),
    ]


def test_a_member_that_has_measured_nothing_yet_is_not_absent() -> None:
    assert evaluate([LOST], {"db-0": {}}, now=200.0) == []
    assert evaluate([LOST], {"db-0": {"lag": series(1, start=190.0)}}, now=200.0)[0].state == (
        "pending"
    )
