"""Is a document shaped as the schema says? Every fault at once, each in words an author can act on.

A document with faults is read as far as it can be: parts that are wrong are left out, so that
the checks of the rest can run and an author sees all in one go.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from freehold.definition import jsonschema
from freehold.definition.document import Document, Path
from freehold.definition.schema import API_VERSION, ServiceDefinition
from freehold.foundation.errors import Fault

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "empty",
}
_ROUNDS = 6  # of leaving parts out: each may make the part around it incomplete


@dataclass(frozen=True, slots=True)
class Shaped:
    """``definition`` is None when too little is left; ``unread`` are the parts left out."""

    definition: ServiceDefinition | None
    faults: tuple[Fault, ...] = ()
    unread: tuple[Path, ...] = ()
    data: Any = None  # what was read, without the parts left out


@dataclass(frozen=True, slots=True)
class _Problem:
    path: Path
    message: str
    meant: str = ""  # an unknown field: the known one that it resembles
    missing: str = ""  # a missing field
    stand_in: Any = None  # for a missing field, so that the rest can be read; None: there is none


def convert(document: Document) -> Shaped:
    """Return the definition, or all that is wrong with the document's shape and what is left of it."""
    data = document.data
    if isinstance(data, dict) and data.get("apiVersion", API_VERSION) != API_VERSION:
        told = f"{data['apiVersion']!r} is not known here, {API_VERSION} is; a newer Freehold may read it"
        return Shaped(None, (document.fault(("apiVersion",), told),))
    try:
        return Shaped(msgspec.convert(data, ServiceDefinition), data=data)
    except msgspec.ValidationError as error:
        # msgspec stops at the first fault; the schema made from the same classes finds them all.
        problems = list(_problems(data))
        if not problems:
            return Shaped(None, (document.fault((), str(error)),))
    faults = tuple(document.fault(problem.path, problem.message) for problem in problems)
    left, unread = _without(data, problems)
    try:
        return Shaped(msgspec.convert(left, ServiceDefinition), faults, unread, left)
    except msgspec.ValidationError:
        return Shaped(None, faults)


def _without(data: Any, problems: list[_Problem]) -> tuple[Any, tuple[Path, ...]]:
    """Return the data without the parts that have problems, and their paths."""
    left, unread = copy.deepcopy(data), []
    for _ in range(_ROUNDS):
        for problem in problems:
            if problem.meant:
                unread.append((*problem.path[:-1], problem.meant))
            if problem.stand_in is not None:
                unread.append((*problem.path, problem.missing))
                _put(left, problem)
            else:
                unread.append(problem.path)
                _remove(left, problem.path)
        problems = list(_problems(left))
        if not problems:
            break
    return left, tuple(unread)


def _remove(data: Any, path: Path) -> None:
    """Remove the innermost mapping entry on the path; items of lists keep their numbers."""
    inside: list[tuple[dict[str, Any], str]] = []
    value = data
    for part in path:
        if isinstance(value, dict) and isinstance(part, str) and part in value:
            inside.append((value, part))
            value = value[part]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return  # gone already, with a part around it
    if inside:
        mapping, key = inside[-1]
        del mapping[key]


def _put(data: Any, problem: _Problem) -> None:
    try:
        for part in problem.path:
            data = data[part]
    except (KeyError, IndexError):
        return  # the part around it is gone
    data[problem.missing] = problem.stand_in


def _problems(data: Any) -> Iterator[_Problem]:
    import jsonschema as library  # noqa: PLC0415  170 ms, needed only to explain a wrong document

    validator = library.Draft202012Validator(jsonschema.generated())
    for error in validator.iter_errors(data):
        yield from _explain(error)


def _explain(error: Any) -> Iterator[_Problem]:
    path: Path = tuple(error.absolute_path)
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            yield from _unknown_fields(error, path)
        case "required":
            # The library gives one error per missing field; its message alone says which.
            name = next(name for name in wanted if error.message.startswith(f"{name!r} "))
            stand_in = _stand_in(error.schema["properties"][name])
            told = f"the field {name!r} is missing"
            yield _Problem(path, told, missing=name, stand_in=stand_in)
        case "type":
            quotes = "; put it in quotes" if wanted == "string" and _is_number(value) else ""
            yield _Problem(path, f"{_brief(value)} is not {_TYPES.get(wanted, wanted)}{quotes}")
        case "enum":
            names = [str(each) for each in wanted]
            close = difflib.get_close_matches(str(value), names, n=1)
            meant = f", did you mean {close[0]!r}?" if close else ""
            yield _Problem(path, f"{_brief(value)} is not one of {', '.join(names)}{meant}")
        case "anyOf":
            yield from _explain_alternatives(error, path)
        case _:
            yield _Problem(_place(error, path), _unfit(error))


def _unknown_fields(error: Any, path: Path) -> Iterator[_Problem]:
    known = list(error.schema.get("properties", {}))
    for name in error.instance:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f", did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
            yield _Problem(
                (*path, name), f"unknown field {name!r}{hint}", close[0] if close else ""
            )


def _stand_in(shape: dict[str, Any]) -> Any:
    if shape.get("type") == "string" and "pattern" not in shape:
        return "(missing)"
    if shape.get("type") == "object" and "minProperties" not in shape:
        return {}
    return None


def _place(error: Any, path: Path) -> Path:
    in_a_key = "propertyNames" in error.absolute_schema_path
    return (*path, error.instance) if in_a_key and isinstance(error.instance, str) else path


def _unfit(error: Any) -> str:
    value, limit = _brief(error.instance), error.validator_value
    match error.validator:
        case "pattern":
            return f"{value} is not {error.schema.get('description', f'of the form {limit}')}"
        case "maxLength":
            return f"{value} is longer than {limit} characters"
        case "minLength" | "minItems" | "minProperties":
            return "is empty"
        case "maximum":
            return f"{value} is above {limit}"
        case "minimum":
            return f"{value} is below {limit}"
    return str(error.message)


def _explain_alternatives(error: Any, path: Path) -> Iterator[_Problem]:
    """Explain by the alternative of the value's own type; name all types when none is meant."""
    fitting = [each for each in error.context if each.validator != "type" or each.relative_path]
    if fitting:
        for inner in fitting:
            yield from _explain(inner)
        return
    wanted = [str(inner.validator_value) for inner in error.context]
    names = [_TYPES.get(each, each) for each in wanted if each != "null"]
    yield _Problem(path, f"{_brief(error.instance)} is not {' or '.join(names)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _brief(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…'"
