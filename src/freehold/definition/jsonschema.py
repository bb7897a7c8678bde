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
_HEAD = """\
# service.yaml

Every field of a definition. Generated from `src/freehold/definition/schema.py`; unknown fields are
errors. The same as a [JSON Schema](service-definition.schema.json) for editors: begin the file with
`# yaml-language-server: $schema=<its path>`. `freehold lint PATH` tells every fault at once.

## What texts may say

| where | what is filled in | by whom |
|---|---|---|
| any text of a component | `${…}`: CEL over `knobs`, `settings`, `member`, `component`, `members`, `founders`, `service`, `site`, `version`, `preset` | Freehold |
| `when` | CEL, without `${}` | Freehold |
| `rule` | CEL over `knobs` and `previous.knobs` (the wish before; such rules are silent at install) | Freehold |
| any text of a component, any template | the placeholders below | the agent, beside the member |
| a binding's `entries` and `client` | `${user}`, `${password}` (entries only), `${host}`, `${port}`, `${hosts}`, `${addresses}`, `${endpoint.NAME.hosts}`, `${ca}`, `${folder}`, … | at `bind` |

CEL converts no types: `knobs.cpu * 2.0`, not `* 2`. Amounts of bytes are whole numbers, cores and durations (in
seconds) are fractions. An item of `run` that is one `${…}` may give a list (one argument each) or
nothing (no argument). `member` has `name`, `ordinal`, `group`, `component`, `incarnation`, `founder`
and `replaces`; `component` has `name`, `members` and `groups`.

| placeholder | value |
|---|---|
| `${bind}`, `${advertise}` | the address to listen on; the one that others use |
| `${address:MEMBER}` | another member's address; it may change at any start |
| `${failure_domain}` | members with the same one may be lost together |
| `${volume.NAME}`, `${conf}`, `${run}`, `${secrets}` | folders of this member |
| `${software}` | the laid-out software of its version, read-only |
| `${derived}` | a folder of the account for what a hook makes from that software (a cache); empty where there is none |
| `${secret:NAME}` | a secret's value: in files and HTTP calls, never in a command or an environment |
| `${secret_file:NAME}` | path of a 0600 file with it; a certificate `tls` is `tls.key`, `tls.crt`, `tls.pem`, the CA `ca.crt` |
| `${python}` | an interpreter that the member's account may run |
| `$${` | a literal `${` |

Templates are Jinja (sandboxed; an undefined name is an error) with the same names as values, and with the functions
`software(folder)` (sorted file names of a folder of the lock), `address(member)`, `secret(name)`,
`secret_file(name)`, `ring_tokens(ordinal, each=16, low, high)` and the filters `bytes`, `KiB`, `MiB`, `GiB`, `text`.

## What a change costs

A file's `changes` says what it takes for the software to see a new content: `live` (nothing), `reload`,
`restart`. Commands, environments, versions, listeners, memory and CPU always cost a restart;
probes, hooks, logs and metrics never do. Name peers only in `live` or `reload` files: a restart file that
lists the members restarts all of them whenever one comes.
"""
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
    lines = [_HEAD]
    for name, part in generated()["$defs"].items():
        if part.get("type") == "object":
            lines.extend(_section(name, part))
    return "\n".join(lines)


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
