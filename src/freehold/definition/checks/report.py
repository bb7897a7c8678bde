"""Where checks put what they find, and what they all look things up in."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.definition.document import Document, Path
from freehold.definition.schema import Component, MetricSource, Probe, Spec
from freehold.foundation.errors import Fault


@dataclass(slots=True)
class Report:
    """Collects faults; keeps silent about what follows from a part that could not be read.

    ``unread`` are the paths of parts that the shape check threw out: a knob that is "unknown"
    only because its own declaration was wrong is not a second fault.
    """

    spec: Spec
    document: Document
    files: Mapping[str, bytes]
    unread: tuple[Path, ...] = ()
    digest: str = ""  # of the files; "" when they cannot be archived
    faults: list[Fault] = field(default_factory=list)

    def add(self, path: Path, message: str, *, about: Path = ()) -> None:
        """Note a fault of service.yaml.

        Args:
            path: where.
            message: reads on after the path.
            about: the part of the document whose absence it claims.
        """
        if self._was_read(about):
            self.note(self.document.fault(path, message))

    def add_in(
        self, file: str, line: int, message: str, *, path: str = "", about: Path = ()
    ) -> None:
        """Note a fault of another file."""
        if self._was_read(about):
            self.note(Fault(file, path, line, message))

    def _was_read(self, about: Path) -> bool:
        return not (about and any(_overlap(about, unread) for unread in self.unread))

    def note(self, fault: Fault) -> None:
        if fault not in self.faults:
            self.faults.append(fault)

    def components(self) -> Iterator[tuple[Path, str, Component]]:
        for name, component in self.spec.components.items():
            yield ("spec", "components", name), name, component

    def component_of(self, name: str) -> Component | None:
        """Return the named component; "" is the first."""
        return self.spec.components.get(name or next(iter(self.spec.components)))

    def needs_file(self, path: Path, file: str, what: str = "file") -> bool:
        if file in self.files:
            return True
        self.add(path, f"there is no {what} {file!r} in the package{hint(file, self.files)}")
        return False


def hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {close[0]!r}?" if close else ""


def known_names(name: str, known: Iterable[str]) -> str:
    """Return ", did you mean …" or ", known: …" for a message."""
    names = list(known)
    return hint(name, names) or (f"; known: {', '.join(names)}" if names else "; none is declared")


def probes_of(component: Component) -> Iterator[tuple[str, Probe]]:
    for name in ("alive", "ready", "role"):
        probe: Probe | None = getattr(component.probes, name)
        if probe is not None:
            yield name, probe


def metric_sources_of(spec: Spec) -> Iterator[tuple[Path, MetricSource]]:
    for name, component in spec.components.items():
        for number, source in enumerate(component.metrics):
            yield ("spec", "components", name, "metrics", number), source


def strings_of(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text in a part of the document."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from strings_of(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from strings_of(inner, (*path, number))


def _overlap(one: Path, other: Path) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]
