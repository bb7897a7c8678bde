"""The OpenAPI 3.1 document of the API, made from the doors and the messages' own classes.

``python -m freehold.serve.openapi`` prints what is published as docs/reference/openapi.json; a test
holds the two together.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from freehold import __version__
from freehold.foundation.errors import (
    DefinitionError,
    FreeholdError,
    NotFoundError,
    PermanentFault,
    RefusedError,
    TransientFault,
)
from freehold.operations.messages import Refusal
from freehold.serve.door import Door

_REF = "#/components/schemas/{name}"
_KINDS: dict[type, str] = {str: "string", float: "number", bool: "boolean"}
_ERRORS: tuple[type[FreeholdError], ...] = (
    NotFoundError,
    RefusedError,
    DefinitionError,
    PermanentFault,
    TransientFault,
)


def document(doors: Sequence[Door]) -> dict[str, Any]:
    types = [Refusal]
    for door in doors:
        types += [each for each in (door.gives, door.takes, *door.also.values()) if each]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    shapes = {repr(kind): shape for kind, shape in zip(types, schemas, strict=True)}
    paths: dict[str, Any] = {}
    for door in doors:
        paths.setdefault(_plain(door.path), {})[door.method.lower()] = _operation(door, shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Freehold",
            "version": __version__,
            "summary": "The daemon's API on its unix socket",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": components},
    }


def published(doors: Sequence[Door]) -> str:
    return json.dumps(document(doors), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _plain(path: str) -> str:
    return path.replace(":path}", "}")


def _operation(door: Door, shapes: dict[str, Any]) -> dict[str, Any]:
    media = "application/x-ndjson" if door.streams else "application/json"
    answers = {door.status: door.gives, **door.also}
    operation: dict[str, Any] = {
        "operationId": _identifier(door),
        "summary": door.summary,
        "parameters": _parameters(door),
        "responses": {
            **{
                str(status): {
                    "description": "one line each" if door.streams else "done",
                    "content": {media: {"schema": shapes[repr(kind)]}},
                }
                for status, kind in answers.items()
            },
            **{str(error.http_status): _refusal(error, shapes) for error in _ERRORS},
        },
    }
    if door.takes is not None:
        content = {"application/json": {"schema": shapes[repr(door.takes)]}}
        operation["requestBody"] = {"content": content}
    return operation


def _refusal(error: type[FreeholdError], shapes: dict[str, Any]) -> dict[str, Any]:
    why = (error.__doc__ or "").splitlines()[0]
    content = {"application/json": {"schema": shapes[repr(Refusal)]}}
    return {"description": f"{error.__name__}: {why}", "content": content}


def _parameters(door: Door) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)", door.path)
    ]
    in_query = [
        {
            "name": name,
            "in": "query",
            "description": query.help,
            "schema": {"type": _KINDS[query.kind]},
        }
        for name, query in door.query.items()
    ]
    return [*in_path, *in_query]


def _identifier(door: Door) -> str:
    words = re.findall(r"\w+", door.path.removeprefix("/v1/").replace(":path", ""))
    return "_".join([door.method.lower(), *words])


if __name__ == "__main__":
    from freehold.serve.doors import DOORS

    sys.stdout.write(published(DOORS))
