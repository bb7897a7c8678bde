"""A loaded package: its definition and all its files, as values, named by a digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from freehold.definition.schema import ServiceDefinition, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """``files`` maps the path inside the package to its bytes; ``digest`` is "sha256:…" of the canonical archive."""

    name: str
    digest: str
    definition: ServiceDefinition
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def spec(self) -> Spec:
        return self.definition.spec

    def text(self, path: str) -> str:
        return self.files[path].decode()
