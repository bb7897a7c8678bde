"""The JSON Schema of ``service.yaml``, generated from the classes that read it.

``published()`` is docs/reference/service-definition.schema.json; the notes beside the fields in
schema.py become descriptions, so they are written once.
"""

from __future__ import annotations

import functools
import inspect
import io
import json
import tokenize
from collections.abc import Iterator
from typing import Any

import msgspec

from freehold.definition import schema

_WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}
_ID = "https://freehold.dev/schema/v1alpha1/service-definition.schema.json"


@functools.cache
def generated() -> dict[str, Any]:
    """Return the schema that validates; plain, without notes."""
    return msgspec.json.schema(schema.ServiceDefinition)


def published() -> str:
    """Return the schema as published: with an id and the notes of every field."""
    described: dict[str, Any] = json.loads(json.dumps(generated()))
    for (name, field), note in field_notes().items():
        properties = described["$defs"].get(name, {}).get("properties", {})
        if field in properties:
            properties[field].setdefault("description", note)
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": _ID, **described}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


@functools.cache
def field_notes() -> dict[tuple[str, str], str]:
    """Return the comment behind each field of the schema's classes: (class, field) → note."""
    notes: dict[tuple[str, str], str] = {}
    for name, value in vars(schema).items():
        if isinstance(value, type) and value.__module__ == schema.__name__:
            for field, note in _comments(inspect.getsource(value)):
                notes[name, "for" if field == "for_" else field] = note
    return notes


def _comments(source: str) -> Iterator[tuple[str, str]]:
    field = ""
    depth = 0
    fresh = True
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and fresh and depth == 0:
            field = token.string
        elif token.type == tokenize.COMMENT and field and "noqa" not in token.string:
            yield field, token.string.lstrip("# ").strip()
        depth += token.string in ("(", "[", "{")
        depth -= token.string in (")", "]", "}")
        fresh = token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)


def reference_page() -> str:
    """Return docs/reference/service-definition.md: every field of every part."""
    lines = [
        "# service.yaml",
        "",
        "Every field of a definition. Generated from `src/freehold/definition/schema.py`; unknown fields are errors.",
        "The same as a [JSON Schema](service-definition.schema.json) for editors: begin the file with",
        "`# yaml-language-server: $schema=<its path>`.",
        "",
        "Texts between `${` and `}` are CEL over " + ", ".join(sorted(_context_names())) + ".",
        "",
    ]
    for name, part in generated()["$defs"].items():
        if part.get("type") == "object":
            lines.extend(_section(name, part))
    return "\n".join(lines)


def _context_names() -> Iterator[str]:
    from freehold.definition.expressions import NAMES  # noqa: PLC0415  only the page needs it

    return (f"`{name}`" for name in NAMES)


def _section(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    if part.get("description"):
        yield part["description"].replace("``", "`")
        yield ""
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for field, shape in part.get("properties", {}).items():
        default = "required" if field in part.get("required", ()) else _default(shape)
        note = field_notes().get((name, field), shape.get("description", ""))
        yield f"| `{field}` | {_type(shape)} | {default} | {_escaped(note)} |"
    yield ""


def _escaped(note: str) -> str:
    return note.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def _default(shape: dict[str, Any]) -> str:
    if "default" not in shape:
        return ""
    return f"`{json.dumps(shape['default'], ensure_ascii=False)}`".replace("|", "\\|")


def _type(shape: dict[str, Any]) -> str:
    if "$ref" in shape:
        name = shape["$ref"].removeprefix("#/$defs/")
        target = generated()["$defs"][name]
        return _type(target) if "enum" in target else f"[{name}](#{name.lower()})"
    if "enum" in shape:
        return " \\| ".join(f"`{value}`" for value in shape["enum"])
    if "anyOf" in shape:
        return " or ".join(_type(each) for each in shape["anyOf"] if each.get("type") != "null")
    return _plain_type(shape)


def _plain_type(shape: dict[str, Any]) -> str:
    match shape.get("type"):
        case "array":
            return f"list of {_type(shape.get('items', {}))}"
        case "object":
            return f"map of {_type(shape.get('additionalProperties', {}))}"
        case "string" if shape.get("title"):
            return str(shape["title"])
        case str(kind):
            return _WORDS.get(kind, kind)
    return "anything"
