"""A folder's files → a :class:`Package`, or every fault in them at once. Pure: reading is an adapter's."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.definition import archive
from freehold.definition.document import read_yaml
from freehold.definition.lint import lint_definition
from freehold.definition.package import Package
from freehold.definition.schema import ServiceDefinition
from freehold.definition.structure import convert
from freehold.foundation.errors import DefinitionError, Fault

DEFINITION = "service.yaml"


def load_package(files: Mapping[str, bytes], origin: str) -> Package:
    """Return the package whose files these are.

    Args:
        files: path inside the package → bytes; caches and hidden files are left out.
        origin: where they come from, for messages ("catalog/echo").

    Raises:
        DefinitionError: with every fault found.
    """
    kept = {path: content for path, content in files.items() if archive.belongs(path)}
    definition, faults = _read(kept)
    if definition is None or faults:
        raise DefinitionError(
            f"cannot load {origin}: {len(faults)} fault{'s'[: len(faults) != 1]}",
            faults=faults,
            next_command=f"freehold lint {origin}",
        )
    return Package(
        name=definition.metadata.name,
        digest=archive.digest(kept),
        definition=definition,
        files=kept,
    )


def read_pinned(content: bytes) -> Package:
    """Return the package in a canonical archive. Lint is not asked: what was accepted, stays.

    Raises:
        DefinitionError: not a canonical archive, or its definition has no shape we can read.
    """
    files = archive.unarchive(content)
    document = read_yaml(files.get(DEFINITION, b""), DEFINITION)
    definition = tuple(document.faults) or convert(document)
    if isinstance(definition, tuple):
        raise DefinitionError("cannot read the pinned definition", faults=definition)
    name = definition.metadata.name
    return Package(name=name, digest=archive.digest(files), definition=definition, files=files)


def lint(files: Mapping[str, bytes], origin: str) -> tuple[Fault, ...]:
    """Return every fault in a package's files; their paths are as in the package."""
    del origin  # the faults' files are relative to it
    return _read({path: content for path, content in files.items() if archive.belongs(path)})[1]


def _read(files: Mapping[str, bytes]) -> tuple[ServiceDefinition | None, tuple[Fault, ...]]:
    bad_paths = tuple(
        Fault(path, "", 0, reason)
        for path in sorted(files)
        if (reason := archive.fault_of_path(path))
    )
    if DEFINITION not in files:
        return None, (*bad_paths, Fault(DEFINITION, "", 0, "there is no such file"))
    document = read_yaml(files[DEFINITION], DEFINITION)
    if document.data is None or not isinstance(document.data, dict):
        missing = () if document.faults else (document.fault((), "is not a mapping"),)
        return None, (*bad_paths, *document.faults, *missing)
    definition = convert(document)
    if isinstance(definition, tuple):
        return None, (*bad_paths, *document.faults, *definition)
    faults = lint_definition(definition, document, files)
    return definition, (*bad_paths, *document.faults, *faults)
