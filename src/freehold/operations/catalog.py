"""catalog: what can be installed from here, and one package in full."""

from __future__ import annotations

from typing import Any

from freehold.definition.knobs import default_preset
from freehold.definition.package import Package
from freehold.definition.schema import Component, Knob
from freehold.operations.desk import Desk
from freehold.operations.messages import CatalogEntry, KnobView, PackageView


def list_catalog(desk: Desk) -> list[CatalogEntry]:
    return [entry(package) for _, package in sorted(desk.packages.catalog().items())]


def show_package(desk: Desk, name: str) -> PackageView:
    package = desk.packages.named(name)
    spec = package.spec
    return PackageView(
        **_entry_fields(package),
        source=spec.source,
        maintainers=list(spec.maintainers),
        default_preset=default_preset(spec),
        knobs={each: knob_view(package, each, knob) for each, knob in spec.knobs.items()},
        rules=[
            {"rule": rule.rule, "message": rule.message, "because": rule.because}
            for rule in spec.rules
        ],
        components=[_component(each, component) for each, component in spec.components.items()],
        endpoints=list(spec.endpoints),
        notes={version.version: version.notes for version in spec.versions if version.notes},
        survives=spec.survives,
    )


def entry(package: Package) -> CatalogEntry:
    return CatalogEntry(**_entry_fields(package))


def _entry_fields(package: Package) -> dict[str, Any]:
    spec = package.spec
    return {
        "name": package.name,
        "title": spec.title,
        "does": spec.does,
        "category": spec.category,
        "license": spec.license,
        "maturity": spec.maturity,
        "versions": [version.version for version in spec.versions],
        "presets": list(spec.presets),
        "digest": package.digest,
        "verbs": {
            verb: {"support": support.support.value, "because": support.because}
            for verb, support in spec.verbs.items()
        },
    }


def knob_view(package: Package, name: str, knob: Knob) -> KnobView:
    presets = {
        preset: values[name] for preset, values in package.spec.presets.items() if name in values
    }
    return KnobView(
        name=name,
        type=knob.type.value,
        default=knob.default,
        title=knob.title,
        help=knob.help,
        unit=knob.unit,
        minimum=knob.minimum,
        maximum=knob.maximum,
        choices=_choices(knob),
        changes=knob.changes.value,
        grows_only=knob.grows_only,
        advanced=knob.advanced,
        presets=presets,
    )


def _choices(knob: Knob) -> dict[str, str]:
    if isinstance(knob.choices, dict):
        return {str(value): text for value, text in knob.choices.items()}
    return {str(value): "" for value in (knob.choices or knob.of or ())}


def _component(name: str, component: Component) -> dict[str, Any]:
    return {
        "name": name,
        "title": component.title,
        "members": component.members,
        "roles": list(component.roles),
        "listeners": {
            each: {
                "port": listener.port,
                "protocol": listener.protocol,
                "tls": listener.tls,
                "internal": listener.internal,
                "because": listener.because,
            }
            for each, listener in component.listeners.items()
        },
        "volumes": {
            each: {"kind": volume.kind, "size": volume.size}
            for each, volume in component.volumes.items()
        },
        "resources": {"memory": component.resources.memory, "cpu": component.resources.cpu},
    }
