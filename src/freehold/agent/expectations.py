"""Judge an answer against what a definition expects of it. Pure.

A path is dotted (``value.LiveNodes.0``); ``*`` as a step counts the items there. The wanted value
is compared as JSON, or one of a few words: ``"*"`` anything at all, ``{"not": x}``, ``{"in": […]}``,
``{"min": n}``, ``{"max": n}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MISSING = object()
ANYTHING = "*"


def value_at(document: Any, path: str) -> Any:
    """Return what lies at a dotted path, MISSING when nothing does."""
    here = document
    steps = path.split(".") if path else []
    for number, step in enumerate(steps):
        if step == "*":
            return len(here) if isinstance(here, list | dict) else MISSING
        if isinstance(here, Mapping):
            # A key may itself hold dots: the longest spelling that exists wins.
            rest = ".".join(steps[number:])
            if rest in here:
                return here[rest]
            here = here.get(step, MISSING)
        elif isinstance(here, list) and step.lstrip("-").isdigit():
            here = here[int(step)] if -len(here) <= int(step) < len(here) else MISSING
        else:
            return MISSING
        if here is MISSING:
            return MISSING
    return here


def unmet(document: Any, expect: Mapping[str, Any]) -> str:
    """Return why the document is not as expected, "" when it is."""
    for path, wanted in expect.items():
        found = value_at(document, path)
        if found is MISSING:
            return f"the answer has no {path}"
        if not _matches(found, wanted):
            return f"{path} is {_short(found)}, expected {_short(wanted)}"
    return ""


def picked(document: Any, expect: Mapping[str, Any]) -> str:
    """Return the text at the path whose wanted value is ``"*"``: a role's name."""
    for path, wanted in expect.items():
        if wanted == ANYTHING:
            found = value_at(document, path)
            return "" if found is MISSING else str(found)
    return ""


def _matches(found: Any, wanted: Any) -> bool:
    if wanted == ANYTHING:
        return True
    if isinstance(wanted, Mapping) and len(wanted) == 1:
        ((word, operand),) = wanted.items()
        match word:
            case "not":
                return not _matches(found, operand)
            case "in":
                return any(_matches(found, item) for item in operand)
            case "min":
                return isinstance(found, int | float) and found >= operand
            case "max":
                return isinstance(found, int | float) and found <= operand
    return bool(found == wanted and isinstance(found, bool) == isinstance(wanted, bool))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
