"""Knob values: parse and check them by type; put defaults, preset and the consumer's values together.

All faults at once. A text that is wrong is a DefinitionError; values that are well formed but
contradict each other, or would shrink what only grows, are a RefusedError.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from freehold.definition.expressions import ExpressionError
from freehold.definition.package import Package
from freehold.definition.rules import broken_rules
from freehold.definition.schema import Knob, KnobType, Spec
from freehold.foundation import quantities
from freehold.foundation.errors import DefinitionError, Fault, RefusedError

_TRUE, _FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
ORDERED = frozenset(
    {KnobType.INTEGER, KnobType.NUMBER, KnobType.BYTES, KnobType.CPU, KnobType.DURATION}
)


def default_preset(spec: Spec) -> str:
    """Return the preset an install takes when none is named: ``ha`` where there is one."""
    return "ha" if "ha" in spec.presets else ""


def resolve(
    package: Package,
    preset: str,
    values: Mapping[str, Any],
    previous: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the complete knobs: defaults, then the preset, then the consumer's values.

    Args:
        package: whose knobs they are.
        preset: "" takes plain defaults.
        values: native values, or texts as typed (``512Mi``, ``a,b``).
        previous: the complete knobs of the wish before; None at install.

    Raises:
        DefinitionError: unknown preset or knob, wrong type, unit, range or choice; every fault.
        RefusedError: a rule does not hold, or a knob that only grows would shrink.
    """
    spec = package.spec
    faults: list[Fault] = []
    if preset and preset not in spec.presets:
        named = f"there is no preset {preset!r}{_hint(preset, spec.presets)}"
        faults.append(Fault("preset", "", 0, named))
    asked = {**spec.presets.get(preset, {}), **values}
    knobs: dict[str, Any] = {}
    for name, knob in spec.knobs.items():
        try:
            knobs[name] = parse_value(knob, asked.get(name, knob.default))
        except ValueError as error:
            faults.append(Fault("values", name, 0, str(error)))
    faults.extend(
        Fault("values", name, 0, f"there is no such knob{_hint(name, spec.knobs)}")
        for name in asked
        if name not in spec.knobs
    )
    if faults:
        message = f"cannot configure {package.name}: {_count(len(faults), 'value is', 'values are')} wrong"
        raise DefinitionError(
            message, faults=tuple(faults), next_command=f"freehold explain {package.name}"
        )
    _refuse_contradictions(package, knobs, previous)
    return knobs


def _refuse_contradictions(
    package: Package, knobs: Mapping[str, Any], previous: Mapping[str, Any] | None
) -> None:
    spec = package.spec
    reasons = [
        f"{name} only grows: {shown(spec.knobs[name], previous[name])} now, "
        f"{shown(spec.knobs[name], knobs[name])} asked"
        for name, knob in spec.knobs.items()
        if previous is not None and knob.grows_only and previous.get(name, 0) > knobs[name]
    ]
    try:
        reasons.extend(broken_rules(spec.rules, knobs, previous))
    except ExpressionError as error:
        raise DefinitionError(f"cannot check the rules of {package.name}: {error}") from error
    if reasons:
        raise RefusedError(
            f"cannot configure {package.name}: {'; '.join(reasons)}",
            next_command=f"freehold explain {package.name}",
        )


def check_settings(spec: Spec, settings: Mapping[str, Any]) -> None:
    """Raise RefusedError when free-form settings are not taken, or name what the package owns."""
    if not settings:
        return
    if spec.settings is None:
        raise RefusedError(
            f"cannot pass settings to {spec.title}: the package takes only its knobs"
        )
    owned = [
        key
        for key in settings
        if any(fnmatch.fnmatchcase(key, pattern) for pattern in spec.settings.refuses)
    ]
    if owned:
        raise RefusedError(f"cannot pass settings to {spec.title}: it owns {', '.join(owned)}")


def parse_value(knob: Knob, value: Any) -> Any:
    """Return the value in the knob's own type (bytes int, cpu float, duration float seconds).

    Raises ValueError; its text reads on after the knob's name.
    """
    try:
        parsed = _PARSERS[knob.type](knob, value)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"{value!r} is not {_ARTICLE[knob.type]}") from error
    _check_choices(knob, parsed)
    _check_bounds(knob, parsed)
    _check_pattern(knob, parsed)
    return parsed


def shown(knob: Knob, value: Any) -> str:
    """Return a resolved value as a person would write it: ``512Mi``, ``10s``, ``a,b``."""
    match knob.type:
        case KnobType.BYTES:
            return written_bytes(int(value))
        case KnobType.DURATION:
            return quantities.format_duration(float(value))
        case KnobType.BOOLEAN:
            return "true" if value else "false"
        case KnobType.LIST:
            return ",".join(str(item) for item in value)
        case KnobType.CPU:
            return f"{value:g}"
        case _:
            return str(value)


def written_bytes(amount: int) -> str:
    """Return bytes exactly, in the largest unit that divides them: ``512Mi``."""
    for unit, size in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if amount and amount % size == 0:
            return f"{amount // size}{unit}"
    return str(amount)


def _integer(_knob: Knob, value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"[-+]?\d{1,18}", str(value).strip()):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _number(_knob: Knob, value: Any) -> float:
    text = str(value).strip()
    if isinstance(value, bool) or not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", text):
        raise ValueError(f"{value!r} is not a number")
    return float(text)


def _boolean(_knob: Knob, value: Any) -> bool:
    text = str(value).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    raise ValueError(f"{value!r} is neither true nor false")


def _string(_knob: Knob, value: Any) -> str:
    if isinstance(value, list | Mapping) or value is None:
        raise ValueError(f"{value!r} is not a text")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if "\0" in text or "\n" in text:
        raise ValueError("holds a line break")  # it would end up in a configuration file
    return text


def _bytes(_knob: Knob, value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError
    return quantities.parse_bytes(value)


def _cpu(_knob: Knob, value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return quantities.parse_cpu(value)


def _duration(_knob: Knob, value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return quantities.parse_duration(value)


def _list(knob: Knob, value: Any) -> list[str]:
    if isinstance(value, str):
        value = _list_from_text(value)
    if not isinstance(value, list | tuple):
        raise TypeError
    items = [_string(knob, item) for item in value]
    unknown = [item for item in items if knob.of is not None and item not in knob.of]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: not among {', '.join(knob.of or ())}")
    if len(set(items)) < len(items):
        raise ValueError(f"{','.join(items)!r} names an item twice")
    return items


def _list_from_text(text: str) -> list[Any]:
    if text.strip().startswith("["):
        try:
            items = json.loads(text)
        except json.JSONDecodeError:  # [a, b] as YAML has it
            items = [item.strip() for item in text.strip().strip("[]").split(",")]
        return [item for item in items if item != ""]
    return [item.strip() for item in text.split(",") if item.strip()]


_PARSERS: Mapping[KnobType, Callable[[Knob, Any], Any]] = {
    KnobType.INTEGER: _integer,
    KnobType.NUMBER: _number,
    KnobType.BOOLEAN: _boolean,
    KnobType.STRING: _string,
    KnobType.BYTES: _bytes,
    KnobType.CPU: _cpu,
    KnobType.DURATION: _duration,
    KnobType.CHOICE: _string,
    KnobType.LIST: _list,
}
_ARTICLE: Mapping[KnobType, str] = {
    KnobType.INTEGER: "a whole number",
    KnobType.NUMBER: "a number",
    KnobType.BOOLEAN: "true or false",
    KnobType.STRING: "a text",
    KnobType.BYTES: "an amount of bytes such as 512Mi or 10Gi",
    KnobType.CPU: "an amount of CPU such as 2, 0.5 or 500m",
    KnobType.DURATION: "a duration such as 10s, 5m or 1h30m",
    KnobType.CHOICE: "one of the choices",
    KnobType.LIST: "a list",
}


def _check_choices(knob: Knob, value: Any) -> None:
    if knob.choices is None:
        return
    parse = _PARSERS[knob.type]
    allowed = [parse(knob, choice) for choice in knob.choices]
    if value not in allowed:
        names = ", ".join(str(choice) for choice in knob.choices)
        hint = _hint(str(value), [str(choice) for choice in knob.choices])
        raise ValueError(f"{value!r} is not one of {names}{hint}")


def _check_pattern(knob: Knob, value: Any) -> None:
    if knob.pattern is None:
        return
    try:
        matches = re.fullmatch(knob.pattern, str(value)) is not None
    except re.error as error:  # lint tells the author; a pinned definition may be older than that
        raise ValueError(f"cannot be checked: {knob.pattern!r} is no pattern: {error}") from error
    if not matches:
        raise ValueError(f"{value!r} does not match {knob.pattern}")


def _check_bounds(knob: Knob, value: Any) -> None:
    if knob.type not in ORDERED:
        return
    parse = _PARSERS[knob.type]
    unit = f" {knob.unit}" if knob.unit else ""
    if knob.minimum is not None and value < parse(knob, knob.minimum):
        raise ValueError(f"{shown(knob, value)}{unit} is below the least, {knob.minimum}{unit}")
    if knob.maximum is not None and value > parse(knob, knob.maximum):
        raise ValueError(f"{shown(knob, value)}{unit} is above the most, {knob.maximum}{unit}")


def _hint(name: str, known: Mapping[str, Any] | list[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]}?" if close else ""


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
