"""``${…}`` in a definition's texts: CEL, filled in here; the agent's placeholders pass through.

``$${`` stays as it is: the agent, the last to touch a text, turns it into ``${``. So a text
may be filled any number of times and means the same.

CEL never converts a type: ``knobs.cpu * 2.0``, not ``* 2``.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

NAMES = frozenset(
    {"knobs", "settings", "member", "service", "site", "version", "component", "members"}
    | {"founders", "preset"}
)

_AGENT = re.compile(
    r"(secret|secret_file|address):[A-Za-z0-9._@-]+"
    r"|bind|advertise|failure_domain|conf|software|derived|run|member|secrets|python"
    r"|volume\.[a-z]([-a-z0-9]*[a-z0-9])?"
)
_LITERALS: Mapping[str, Any] = {"true": True, "false": False}
_LOOKUP = re.compile(r"[a-z_][A-Za-z0-9_]*(\.[a-z_][A-Za-z0-9_]*)*")
_CEL_FAULTS = (ValueError, KeyError, TypeError, RuntimeError, ArithmeticError, IndexError)


class ExpressionError(ValueError):
    """An expression cannot be read or evaluated; the text says why, without a place."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text: literal, agent placeholder (kept as it is), or expression."""

    text: str
    expression: bool = False
    placeholder: bool = False


def is_agent_placeholder(inner: str) -> bool:
    """Whether ``${inner}`` is filled in by the agent."""
    return _AGENT.fullmatch(inner) is not None


@functools.lru_cache(maxsize=4096)
def split(text: str) -> tuple[Part, ...]:
    """Return the parts of a text. Raises ExpressionError when a ``${`` has no end."""
    return tuple(_parts(text))


def _parts(text: str) -> Iterator[Part]:
    start = position = 0
    while (found := text.find("${", position)) >= 0:
        if text[found - 1 : found] == "$" and found > start:
            position = found + 2  # "$${": a literal
            continue
        if found > start:
            yield Part(text[start:found])
        end = _end_of(text, found + 2)
        inner = text[found + 2 : end].strip()
        if is_agent_placeholder(inner):
            yield Part("${" + inner + "}", placeholder=True)
        else:
            yield Part(inner, expression=True)
        start = position = end + 1
    if start < len(text):
        yield Part(text[start:])


def _end_of(text: str, start: int) -> int:
    """Return the index of the brace that closes; braces in strings and nested maps don't."""
    depth, quote, index = 0, "", start
    while index < len(text):
        character = text[index]
        if quote:
            if character == "\\":
                index += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return index
            depth -= 1
        index += 1
    raise ExpressionError(f"{text!r}: a ${{ is never closed")


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """Return the value of a CEL expression. Raises ExpressionError."""
    stripped = expression.strip()
    if stripped in _LITERALS:
        return _LITERALS[stripped]
    if _LOOKUP.fullmatch(stripped):  # most expressions: a name needs no CEL (nor its import)
        return _look_up(stripped, context)
    try:
        return _compiled(stripped)(dict(context))
    except _CEL_FAULTS as error:
        raise ExpressionError(f"{stripped!r}: {_reason(error)}") from error


def _look_up(path: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    walked = ""
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            where = f"{walked} has no {name!r}" if walked else f"there is no {name!r}"
            raise ExpressionError(f"{path!r}: {where}")
        value, walked = value[name], f"{walked}.{name}".lstrip(".")
    return value


def holds(expression: str, context: Mapping[str, Any]) -> bool:
    """Return whether a condition is true. Raises ExpressionError, also when it is no condition."""
    value = evaluate(expression, context)
    if not isinstance(value, bool):
        raise ExpressionError(f"{expression!r}: is {value!r}, neither true nor false")
    return value


def fill(text: str, context: Mapping[str, Any]) -> str:
    """Return the text with its expressions evaluated and agent placeholders kept."""
    parts = split(text)
    return "".join(
        written(evaluate(part.text, context)) if part.expression else part.text for part in parts
    )


def fill_value(value: str | float, context: Mapping[str, Any]) -> Any:
    """Return the value of a field that is a number or ``${…}``, keeping the expression's type."""
    if not isinstance(value, str):
        return value
    parts = split(value)
    if len(parts) == 1 and parts[0].expression:
        return evaluate(parts[0].text, context)
    return fill(value, context)


def fill_arguments(arguments: list[str], context: Mapping[str, Any]) -> tuple[str, ...]:
    """Return an argv. An item that is one expression may give a list (spliced) or "" (dropped)."""
    filled: list[str] = []
    for argument in arguments:
        parts = split(argument)
        if not (len(parts) == 1 and parts[0].expression):
            filled.append(fill(argument, context))
            continue
        value = evaluate(parts[0].text, context)
        if isinstance(value, list | tuple):
            filled.extend(written(item) for item in value)
        elif value not in ("", None):
            filled.append(written(value))
    return tuple(filled)


def written(value: Any) -> str:
    """Return a value as software reads it: ``true``, ``3``, ``0.5``, ``a,b``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list | tuple):
        return ",".join(written(item) for item in value)
    if isinstance(value, Mapping) or value is None:
        raise ExpressionError(f"{value!r} cannot be written into a text")
    return str(value)


@functools.lru_cache(maxsize=2048)
def names_in(expression: str) -> frozenset[str]:
    """Return the outer names an expression refers to. Raises ExpressionError when it is no CEL."""
    stripped = expression.strip()
    if stripped in _LITERALS:
        return frozenset()
    if _LOOKUP.fullmatch(stripped):
        return frozenset({stripped.split(".")[0]})
    try:
        return frozenset(_cel().compile(stripped).variables())
    except _CEL_FAULTS as error:
        raise ExpressionError(f"{stripped!r}: {_reason(error)}") from error


@functools.lru_cache(maxsize=2048)
def _compiled(expression: str) -> Callable[[dict[str, Any]], Any]:
    execute: Callable[[dict[str, Any]], Any] = _cel().compile(expression).execute
    return execute


@functools.cache
def _cel() -> Any:
    """Return the CEL library's compiled module alone: its package would import a CLI, 0.3-0.5 s."""
    package = importlib.util.find_spec("cel")
    folders = list(package.submodule_search_locations or ()) if package else []
    spec = importlib.machinery.PathFinder.find_spec("cel", folders)
    if spec is None or spec.loader is None:
        return importlib.import_module("cel")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r}" if error.args else "a key is missing"
    lines = str(error).splitlines() or [type(error).__name__]
    text = re.sub(r"^Failed to parse expression .*?: ERROR: <input>:\d+:", "column ", lines[0])
    return re.sub(r" Check that the variable is defined.*", "", text)
