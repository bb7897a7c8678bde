"""Conditions between knobs, in CEL: the same text refuses a wish here and, later, on Kubernetes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from freehold.definition import expressions
from freehold.definition.schema import Rule

RULE_NAMES = frozenset({"knobs", "previous"})


def broken_rules(
    rules: list[Rule], knobs: Mapping[str, Any], previous: Mapping[str, Any] | None
) -> Iterator[str]:
    """Yield the message of each rule that does not hold.

    ``previous.knobs`` are the knobs of the wish before. At install there are none: rules that
    speak of them have nothing to say then.
    """
    context: dict[str, Any] = {"knobs": dict(knobs)}
    if previous is not None:
        context["previous"] = {"knobs": dict(previous)}
    for each in rules:
        if previous is None and "previous" in expressions.names_in(each.rule):
            continue
        if not expressions.holds(each.rule, context):
            yield f"{each.message}, because {each.because}" if each.because else each.message
