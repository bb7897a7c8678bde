"""What an alert may watch without declaring it is what every agent measures."""

from __future__ import annotations

from freehold.agent import metrics
from freehold.definition.checks.metrics import AGENT_METRICS


def test_both_lists_are_one():
    assert {metric.name for metric in metrics.BUILT_IN} == AGENT_METRICS
