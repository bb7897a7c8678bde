"""Is a document shaped as the schema says? Every fault at once, each in words an author can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
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


def convert(document: Document) -> ServiceDefinition | tuple[Fault, ...]:
    """Return the definition, or all that is wrong with the document's shape."""
    data = document.data
    if isinstance(data, dict) and data.get("apiVersion", API_VERSION) != API_VERSION:
        named = f"{data['apiVersion']!r} is not known here, {API_VERSION} is"
        return (document.fault(("apiVersion",), f"{named}; a newer Freehold may read it"),)
    try:
        return msgspec.convert(data, ServiceDefinition)
    except msgspec.ValidationError as error:
        # msgspec stops at the first fault; the schema made from the same classes finds them all.
        faults = tuple(_shape_faults(document))
        return faults or (document.fault((), str(error)),)


def _shape_faults(document: Document) -> Iterator[Fault]:
    import jsonschema as library  # noqa: PLC0415  170 ms, needed only to explain a wrong document

    validator = library.Draft202012Validator(jsonschema.generated())
    for error in sorted(
        validator.iter_errors(document.data), key=lambda each: _order(document, each)
    ):
        for path, message in _explain(error):
            yield document.fault(path, message)


def _order(document: Document, error: Any) -> tuple[int, str]:
    path = tuple(error.absolute_path)
    return document.line(path), str(path)


def _explain(error: Any) -> Iterator[tuple[Path, str]]:
    path: Path = tuple(error.absolute_path)
    value, wanted = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {})
            for name in value:
                if name not in known:
                    yield (*path, name), f"unknown field {name!r}{_hint(name, list(known))}"
        case "required":
            for name in wanted:
                if name not in value:
                    # One error per missing field: this one's message names it.
                    if f"{name!r} is a required property" == error.message:
                        yield path, f"the field {name!r} is missing"
        case "type":
            yield (
                path,
                f"{_brief(value)} is not {_TYPES.get(wanted, wanted)}{_quote(value, wanted)}",
            )
        case "enum":
            names = [str(each) for each in wanted]
            close = _hint(str(value), names)
            yield path, f"{_brief(value)} is not one of {', '.join(names)}{close}"
        case (
            "pattern"
            | "maxLength"
            | "minLength"
            | "minItems"
            | "minProperties"
            | "maximum"
            | "minimum"
        ):
            yield _place(error), _unfit(error)
        case "anyOf":
            yield from _explain_alternatives(error)
        case _:
            yield path, error.message


def _place(error: Any) -> Path:
    path: Path = tuple(error.absolute_path)
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
        case _:
            return f"{value} is below {limit}"


def _explain_alternatives(error: Any) -> Iterator[tuple[Path, str]]:
    """Explain by the alternative of the value's own type; name all types when none is meant."""
    fitting = [
        inner
        for inner in error.context
        if not (inner.validator == "type" and not inner.relative_path)
    ]
    if fitting:
        for inner in fitting:
            yield from _explain(inner)
        return
    wanted = [str(inner.validator_value) for inner in error.context]
    names = [_TYPES.get(each, each) for each in wanted if each != "null"]
    yield tuple(error.absolute_path), f"{_brief(error.instance)} is not {' or '.join(names)}"


def _quote(value: Any, wanted: Any) -> str:
    scalar = isinstance(value, int | float)
    return "; put it in quotes" if wanted == "string" and scalar else ""


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


def _hint(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"
