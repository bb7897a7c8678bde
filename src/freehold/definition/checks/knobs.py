"""Knobs, presets and the rules between them: is every declared value one that would be accepted?"""

from __future__ import annotations

import re
from typing import Any

from freehold.definition.checks.report import Report, known_names
from freehold.definition.document import Path
from freehold.definition.expressions import ExpressionError, names_in
from freehold.definition.knobs import ORDERED, parse_value
from freehold.definition.rules import RULE_NAMES, broken_rules
from freehold.definition.schema import Knob, KnobType

KNOBS: Path = ("spec", "knobs")


def check_knobs(report: Report) -> None:
    for name, knob in report.spec.knobs.items():
        _check_knob(report, (*KNOBS, name), knob)


def _check_knob(report: Report, path: Path, knob: Knob) -> None:
    if knob.type is KnobType.CHOICE and not knob.choices:
        report.add(path, "a choice needs choices")
        return
    if knob.of is not None and knob.type is not KnobType.LIST:
        report.add((*path, "of"), f"only a list has items, this is of type {knob.type}")
    if knob.grows_only and knob.type not in ORDERED:
        report.add((*path, "grows_only"), f"a value of type {knob.type} cannot grow")
    for bound in ("minimum", "maximum"):
        _check_bound(report, path, knob, bound)
    if knob.pattern is not None:
        try:
            re.compile(knob.pattern)
        except re.error as error:
            report.add((*path, "pattern"), f"is not a regular expression: {error}")
            return
    if not any(
        fault.path.startswith(report.document.fault(path, "").path) for fault in report.faults
    ):
        _accepts(report, (*path, "default"), knob, knob.default)


def _check_bound(report: Report, path: Path, knob: Knob, bound: str) -> None:
    value = getattr(knob, bound)
    if value is None:
        return
    if knob.type not in ORDERED:
        report.add((*path, bound), f"a value of type {knob.type} has no {bound}")
        return
    _accepts(report, (*path, bound), Knob(type=knob.type, default=value), value)


def _accepts(report: Report, path: Path, knob: Knob, value: Any) -> Any:
    try:
        return parse_value(knob, value)
    except ValueError as error:
        report.add(path, str(error))
        return None


def check_presets(report: Report) -> None:
    for preset, values in report.spec.presets.items():
        for name, value in values.items():
            path: Path = ("spec", "presets", preset, name)
            knob = report.spec.knobs.get(name)
            if knob is None:
                known = known_names(name, report.spec.knobs)
                report.add(path, f"there is no knob {name!r}{known}", about=(*KNOBS, name))
            else:
                _accepts(report, path, knob, value)
    for number, name in enumerate(report.spec.protected_presets):
        if name not in report.spec.presets:
            report.add(
                ("spec", "protected_presets", number),
                f"there is no preset {name!r}{known_names(name, report.spec.presets)}",
                about=("spec", "presets", name),
            )


def resolved(report: Report, preset: str) -> dict[str, Any] | None:
    """Return the knobs an install with this preset would have; None when they are at fault."""
    knobs: dict[str, Any] = {}
    for name, knob in report.spec.knobs.items():
        try:
            value = report.spec.presets.get(preset, {}).get(name, knob.default)
            knobs[name] = parse_value(knob, value)
        except ValueError:
            return None
    return knobs


def check_rules(report: Report) -> None:
    for number, each in enumerate(report.spec.rules):
        path: Path = ("spec", "rules", number, "rule")
        try:
            strange = names_in(each.rule) - RULE_NAMES
        except ExpressionError as error:
            report.add(path, f"is not CEL: {error}")
            continue
        for name in sorted(strange):
            report.add(path, f"a rule sees knobs and previous.knobs, not {name!r}")
        for name in unknown_knobs(report, each.rule):
            _unknown_knob(report, path, name)
        if not strange:
            _try_rule(report, path, number)


def _try_rule(report: Report, path: Path, number: int) -> None:
    rule = report.spec.rules[number]
    for preset in ("", *report.spec.presets):
        knobs = resolved(report, preset)
        if knobs is None:
            continue
        named = f"the preset {preset}" if preset else "the defaults"
        try:
            for message in broken_rules([rule], knobs, knobs):
                report.add(path, f"{named} would be refused: {message}")
        except ExpressionError as error:
            if not list(unknown_knobs(report, rule.rule)):
                report.add(path, f"cannot be evaluated: {error}", about=KNOBS)
            return


def unknown_knobs(report: Report, expression: str) -> list[str]:
    return sorted(used_in_expression(expression) - set(report.spec.knobs))


def used_in_expression(expression: str) -> set[str]:
    return set(re.findall(r"\bknobs\.([A-Za-z_]\w*)", expression))


def _unknown_knob(report: Report, path: Path, name: str) -> None:
    known = known_names(name, report.spec.knobs)
    report.add(path, f"there is no knob {name!r}{known}", about=(*KNOBS, name))
