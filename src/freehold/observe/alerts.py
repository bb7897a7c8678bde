"""Evaluate a package's alerts over measured samples.

Pure: samples in, verdicts out; ``for`` is counted over the samples themselves, so that the same
series always gives the same verdict, whoever asks and however often.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from msgspec import UNSET

from freehold.definition.schema import Alert
from freehold.foundation.quantities import parse_duration

Samples = Sequence[tuple[float, float]]  # (unix seconds, value), oldest first
ABSENT_AFTER_S = 60.0  # a metric without a sample for so long is absent


class AlertState(StrEnum):
    PENDING = "pending"  # the condition holds, not yet for long enough
    FIRING = "firing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    alert: str
    member: str
    state: AlertState
    severity: str
    summary: str
    runbook: str
    value: float | None
    since: float  # unix seconds: when the condition began to hold


def evaluate(
    alerts: Sequence[Alert], series: Mapping[str, Mapping[str, Samples]], now: float
) -> list[Verdict]:
    """Return what is pending or firing, critical first.

    Args:
        alerts: of the definition.
        series: member -> metric -> samples.
        now: unix seconds.
    """
    verdicts = [
        verdict
        for alert in alerts
        for member, metrics in sorted(series.items())
        if (verdict := _judge(alert, member, metrics, now))
    ]
    rank = {"critical": 0, "warning": 1, "info": 2}
    return sorted(verdicts, key=lambda each: (rank[each.severity], each.alert, each.member))


def _judge(alert: Alert, member: str, metrics: Mapping[str, Samples], now: float) -> Verdict | None:
    samples = metrics.get(alert.metric, ())
    if alert.absent is True:
        since = _absent_since(samples, metrics, now)
    else:
        since = _holds_since(alert, samples)
    if since is None:
        return None
    value = samples[-1][1] if samples else None
    fires = now - since >= parse_duration(alert.for_)
    shown = "nothing" if value is None else f"{value:g}"
    summary = alert.summary.replace("${member}", member).replace("${value}", shown)
    return Verdict(
        alert=alert.name,
        member=member,
        state=AlertState.FIRING if fires else AlertState.PENDING,
        severity=alert.severity,
        summary=summary,
        runbook=alert.runbook,
        value=value,
        since=since,
    )


def _absent_since(samples: Samples, metrics: Mapping[str, Samples], now: float) -> float | None:
    """Never measured counts from when anything of the member was: a fresh one gets its time."""
    if samples:
        return samples[-1][0] if now - samples[-1][0] > ABSENT_AFTER_S else None
    return min((others[0][0] for others in metrics.values() if others), default=None)


def _holds_since(alert: Alert, samples: Samples) -> float | None:
    """Since when every sample has been beyond the bound; None when the last one is not."""
    since: float | None = None
    for at, value in reversed(samples):
        if not _is_beyond(alert, value):
            break
        since = at
    return since


def _is_beyond(alert: Alert, value: float) -> bool:
    above = alert.above is not UNSET and value > alert.above
    below = alert.below is not UNSET and value < alert.below
    return above or below
