"""Read Maven POM texts into effective models: parents, properties, management, imported BOMs.

Pure: POM texts come from a port. What is understood is what decides the files of a released
library. Refused or left out on purpose: version ranges (a lock must not depend on the day it was
made), profiles switched on by a JDK, an OS or a file (a lock must not depend on the machine
either), repositories named in POMs (addresses come from the user's own settings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from xml.etree.ElementTree import Element, ParseError, fromstring

from freehold.foundation.errors import PermanentFault

_PLACEHOLDER = re.compile(r"\$\{([^${}]+)\}")
_DEEPEST_PARENT = 32
_DEEPEST_PROPERTY = 16
_EXTENSIONS = {
    "bundle": "jar",
    "maven-plugin": "jar",
    "test-jar": "jar",
    "ejb": "jar",
    "eclipse-plugin": "jar",
}


@dataclass(frozen=True, slots=True, order=True)
class Coordinate:
    """One artifact in a Maven repository."""

    group: str
    artifact: str
    version: str
    classifier: str = ""
    extension: str = "jar"

    @property
    def name(self) -> str:
        """The name a lock gives it: ``group:artifact[:classifier]``."""
        parts = (self.group, self.artifact, self.classifier)
        return ":".join(part for part in parts if part)

    @property
    def file(self) -> str:
        tail = f"-{self.classifier}" if self.classifier else ""
        return f"{self.artifact}-{self.version}{tail}.{self.extension}"

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What two versions of the same thing have in common."""
        return (self.group, self.artifact, self.extension, self.classifier)

    @property
    def path(self) -> str:
        """Where a repository keeps it, below its address."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"

    def pom(self) -> Coordinate:
        return Coordinate(self.group, self.artifact, self.version, "", "pom")

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


class PomSource(Protocol):
    """Hands out POM texts by coordinate."""

    def pom_text(self, coordinate: Coordinate) -> str:
        """Raise PermanentFault when no repository has it, TransientFault when none answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    group: str
    artifact: str
    version: str = ""
    type: str = ""
    classifier: str = ""
    scope: str = ""
    optional: str = ""  # "true", "false", or left open
    exclusions: frozenset[tuple[str, str]] = frozenset()

    @property
    def extension(self) -> str:
        return _EXTENSIONS.get(self.type, self.type) or "jar"

    @property
    def key(self) -> tuple[str, str, str, str]:
        return (self.group, self.artifact, self.extension, self.classifier)

    def under(self, managed: Dependency | None) -> Dependency:
        """Return it with what it leaves open filled in from the management section."""
        if managed is None:
            return self
        return replace(
            self,
            version=self.version or managed.version,
            scope=self.scope or managed.scope,
            optional=self.optional or managed.optional,
            exclusions=self.exclusions or managed.exclusions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An effective POM: parents merged, properties filled in."""

    coordinate: Coordinate
    dependencies: tuple[Dependency, ...]
    managed: Mapping[tuple[str, str, str, str], Dependency]
    relocation: Coordinate | None = None


@dataclass(slots=True)
class _Raw:
    """A POM chain merged from the outermost parent inward, placeholders still in it."""

    properties: dict[str, str] = field(default_factory=dict)
    dependencies: dict[tuple[str, ...], Element] = field(default_factory=dict)
    managed: dict[tuple[str, ...], Element] = field(default_factory=dict)


class Models:
    """Effective models, each built once."""

    def __init__(self, source: PomSource) -> None:
        self._source = source
        self._roots: dict[Coordinate, Element] = {}
        self._models: dict[Coordinate, Model] = {}

    def model(self, coordinate: Coordinate) -> Model:
        wanted = coordinate.pom()
        if wanted not in self._models:
            self._models[wanted] = self._build(wanted, frozenset())
        return self._models[wanted]

    def _root(self, coordinate: Coordinate) -> Element:
        if coordinate not in self._roots:
            self._roots[coordinate] = parse_pom(self._source.pom_text(coordinate), coordinate)
        return self._roots[coordinate]

    def _chain(self, coordinate: Coordinate) -> list[Element]:
        """Return the POM and its parents, innermost first."""
        chain = [self._root(coordinate)]
        while (parent := chain[-1].find("parent")) is not None:
            if len(chain) > _DEEPEST_PARENT:
                raise PermanentFault(
                    f"cannot resolve {coordinate}: it has more than {_DEEPEST_PARENT} parents"
                )
            chain.append(
                self._root(
                    Coordinate(
                        _text(parent, "groupId"),
                        _text(parent, "artifactId"),
                        _text(parent, "version"),
                        "",
                        "pom",
                    )
                )
            )
        return chain

    def _build(self, coordinate: Coordinate, importing: frozenset[Coordinate]) -> Model:
        chain = self._chain(coordinate)
        raw = _Raw()
        for root in reversed(chain):  # the inner one is read last and wins
            _merge(raw, root)
        values = raw.properties | _project_values(chain, coordinate)

        def filled(text: str) -> str:
            return interpolate(text, values)

        managed: dict[tuple[str, str, str, str], Dependency] = {}
        imports: list[Coordinate] = []
        for element in raw.managed.values():
            entry = _dependency(element, filled)
            if entry.scope == "import" and entry.type == "pom":
                imports.append(Coordinate(entry.group, entry.artifact, entry.version, "", "pom"))
            else:
                managed[entry.key] = entry
        for wanted in imports:  # what a POM declares itself wins, then the first import
            if wanted in importing:
                raise PermanentFault(f"cannot resolve {coordinate}: {wanted} imports itself")
            for key, entry in self._build(wanted, importing | {wanted}).managed.items():
                managed.setdefault(key, entry)
        declared = (_dependency(element, filled) for element in raw.dependencies.values())
        return Model(
            coordinate=coordinate,
            dependencies=tuple(entry.under(managed.get(entry.key)) for entry in declared),
            managed=managed,
            relocation=_relocation(chain[0], coordinate, filled),
        )


def parse_pom(text: str, coordinate: Coordinate) -> Element:
    """Return the POM's root with namespaces taken off its names."""
    if "<!ENTITY" in text:
        raise PermanentFault(f"cannot read the POM of {coordinate}: it declares entities")
    try:
        root = fromstring(text)  # noqa: S314  entities are refused above
    except ParseError as error:
        raise PermanentFault(f"cannot read the POM of {coordinate}: {error}") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Fill in ``${name}``, also inside values; an unknown name stays as it is, as Maven does."""
    for _ in range(_DEEPEST_PROPERTY):
        filled = _PLACEHOLDER.sub(lambda m: values.get(m[1].strip(), m[0]), text)
        if filled == text:
            break
        text = filled
    return text


def _merge(raw: _Raw, root: Element) -> None:
    sections = [root, *(p for p in root.iterfind("profiles/profile") if _is_active(p))]
    for section in sections:
        properties = section.find("properties")
        for element in properties if properties is not None else ():
            raw.properties[element.tag] = (element.text or "").strip()
        for target, place in (
            (raw.managed, "dependencyManagement/dependencies/dependency"),
            (raw.dependencies, "dependencies/dependency"),
        ):
            fresh = {_raw_key(element): element for element in section.iterfind(place)}
            # An inner entry replaces the outer one; its place in the order is the inner one's.
            kept = {key: value for key, value in target.items() if key not in fresh}
            target.clear()
            target.update(fresh | kept)


def _is_active(profile: Element) -> bool:
    """Only what is on for everybody: by default, or by the absence of a property."""
    activation = profile.find("activation")
    if activation is None:
        return False
    if _text(activation, "activeByDefault") == "true":
        return True
    others = {child.tag for child in activation} - {"property", "activeByDefault"}
    return not others and _text(activation, "property/name").startswith("!")


def _project_values(chain: list[Element], coordinate: Coordinate) -> dict[str, str]:
    own = {
        "groupId": coordinate.group,
        "artifactId": coordinate.artifact,
        "version": coordinate.version,
    }
    parent = chain[0].find("parent")
    if parent is not None:
        own |= {f"parent.{child.tag}": (child.text or "").strip() for child in parent}
    return {f"{prefix}{key}": own[key] for prefix in ("project.", "pom.", "") for key in own}


def _dependency(element: Element, filled: _Fill) -> Dependency:
    kind = filled(_text(element, "type"))
    return Dependency(
        group=filled(_text(element, "groupId")),
        artifact=filled(_text(element, "artifactId")),
        version=filled(_text(element, "version")),
        type=kind,
        classifier=filled(_text(element, "classifier")) or ("tests" if kind == "test-jar" else ""),
        scope=filled(_text(element, "scope")),
        optional=filled(_text(element, "optional")),
        exclusions=frozenset(
            (filled(_text(e, "groupId")), filled(_text(e, "artifactId")) or "*")
            for e in element.iterfind("exclusions/exclusion")
        ),
    )


def _relocation(root: Element, coordinate: Coordinate, filled: _Fill) -> Coordinate | None:
    moved = root.find("distributionManagement/relocation")
    if moved is None:
        return None
    return Coordinate(
        filled(_text(moved, "groupId")) or coordinate.group,
        filled(_text(moved, "artifactId")) or coordinate.artifact,
        filled(_text(moved, "version")) or coordinate.version,
    )


class _Fill(Protocol):
    def __call__(self, text: str) -> str: ...


def _raw_key(element: Element) -> tuple[str, ...]:
    return tuple(_text(element, name) for name in ("groupId", "artifactId", "type", "classifier"))


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()
