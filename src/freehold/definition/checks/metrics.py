"""Metrics, alerts and thresholds: whoever watches a number must find it declared."""

from __future__ import annotations

from msgspec import UNSET

from freehold.definition.checks.report import Report, known_names, metric_sources_of
from freehold.definition.document import Path
from freehold.definition.schema import Alert

# What every agent measures by itself, whatever the software.
AGENT_METRICS = frozenset(
    {"up", "ready", "restarts_total", "log_lines_dropped_total"}
    | {"memory_bytes", "memory_used_ratio", "cpu_cores", "cpu_used_ratio"}
    | {"data_used_bytes", "data_used_ratio"}
)


def declared_metrics(report: Report) -> set[str]:
    return {
        metric.name for _, source in metric_sources_of(report.spec) for metric in source.metrics
    }


def check_metrics(report: Report) -> None:
    for path, source in metric_sources_of(report.spec):
        for number, metric in enumerate(source.metrics):
            place = (*path, "metrics", number)
            if metric.name in AGENT_METRICS:
                report.add((*place, "name"), f"{metric.name!r} is measured by every agent already")
            if source.http is not None and source.format == "json" and not metric.path:
                report.add(place, "needs the path of its value in the answer")
    for name, threshold in report.spec.thresholds.items():
        _needs_metric(report, threshold.metric, ("spec", "thresholds", name, "metric"))
    for number, alert in enumerate(report.spec.alerts):
        _check_alert(report, alert, ("spec", "alerts", number))
    names = [alert.name for alert in report.spec.alerts]
    for name in sorted({name for name in names if names.count(name) > 1}):
        report.add(("spec", "alerts"), f"{name!r} is declared twice")


def _needs_metric(report: Report, name: str, path: Path) -> None:
    known = declared_metrics(report) | AGENT_METRICS
    if name not in known:
        told = f"no component declares the metric {name!r}{known_names(name, sorted(known))}"
        report.add(path, told, about=("spec", "components"))


def _check_alert(report: Report, alert: Alert, path: Path) -> None:
    _needs_metric(report, alert.metric, (*path, "metric"))
    given = [value for value in (alert.above, alert.below, alert.absent) if value is not UNSET]
    if len(given) != 1:
        report.add(path, "exactly one of above, below and absent is needed")
    report.needs_file((*path, "runbook"), alert.runbook.partition("#")[0], "runbook")
