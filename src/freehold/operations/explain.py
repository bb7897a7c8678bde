"""explain: a package's knobs, and every field of the definition format, as kubectl explains kinds.

``explain PACKAGE`` lists its knobs, ``explain PACKAGE/memory`` is one of them,
``explain PACKAGE/spec.components.stop`` is the field of the definition that authors write.
"""

from __future__ import annotations

from typing import Any

from freehold.definition.jsonschema import field_notes, generated
from freehold.definition.package import Package
from freehold.foundation.errors import NotFoundError
from freehold.operations.catalog import knob_view
from freehold.operations.desk import Desk
from freehold.operations.install import find_package
from freehold.operations.messages import ExplainView


def explain(desk: Desk, package_name: str, path: str = "") -> ExplainView:
    package = find_package(desk, package_name)
    if not path or path == "knobs":
        return _knobs(package)
    first, _, rest = path.replace("/", ".").partition(".")
    if first == "spec":
        return _field(package, path.replace("/", "."))
    name = rest if first == "knobs" else first
    knob = package.spec.knobs.get(name)
    if knob is None or (first != "knobs" and rest):
        raise NotFoundError(
            f"cannot explain {path!r}: {package.name} has no such knob",
            next_command=f"freehold explain {package.name}",
        )
    view = knob_view(package, name, knob)
    return ExplainView(
        path=f"{package.name}.{name}",
        type=view.type,
        help=knob.help,
        default=knob.default,
        knob=view,
    )


def _knobs(package: Package) -> ExplainView:
    spec = package.spec
    return ExplainView(
        path=package.name,
        type="knobs",
        help=spec.does,
        fields={name: knob.help or knob.title for name, knob in spec.knobs.items()},
    )


def _field(package: Package, path: str) -> ExplainView:
    """Walk the schema; keys of mappings (names of components, …) may be left out or written."""
    kind, node, help_text = "ServiceDefinition", _definition("ServiceDefinition"), ""
    has_names = False  # the field before is a mapping: a name of the author's may follow
    for part in path.split("."):
        properties = node.get("properties", {})
        if part in properties:
            help_text = field_notes().get((kind, part), "")
            has_names = "additionalProperties" in properties[part]
            kind, node = _below(properties[part])
        elif has_names:
            has_names = False
        else:
            raise NotFoundError(
                f"cannot explain {path!r}: {kind} has no field {part!r}",
                next_command=f"freehold explain {package.name} spec",
            )
    return ExplainView(
        path=path,
        type=kind,
        help=help_text or str(node.get("description", "")),
        default=node.get("default"),
        fields={name: field_notes().get((kind, name), "") for name in node.get("properties", {})},
    )


def _definition(name: str) -> dict[str, Any]:
    found: dict[str, Any] = generated()["$defs"][name]
    return found


def _below(node: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the class and schema a field leads to, through lists, mappings and alternatives."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        return name, _definition(name)
    for inner in (node.get("items"), node.get("additionalProperties"), *node.get("anyOf", ())):
        if isinstance(inner, dict):
            name, below = _below(inner)
            if "properties" in below:
                return name, below
    return str(node.get("type", "any")), node
