"""A folder's files → a :class:`Package`, or every fault in them at once. Pure: reading is an adapter's."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.definition import archive
from freehold.definition.document import read_yaml
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
    shaped = convert(document)
    faults = (*document.faults, *shaped.faults)
    if shaped.definition is None or faults:
        raise DefinitionError("cannot read the pinned definition", faults=faults)
    name = shaped.definition.metadata.name
    digest = archive.digest(files)
    return Package(name=name, digest=digest, definition=shaped.definition, files=files)


def lint(files: Mapping[str, bytes], origin: str) -> tuple[Fault, ...]:
    """Return every fault in a package's files; their paths are as in the package."""
    del origin  # the faults' files are relative to it
    return _read({path: content for path, content in files.items() if archive.belongs(path)})[1]


def _read(files: Mapping[str, bytes]) -> tuple[ServiceDefinition | None, tuple[Fault, ...]]:
    from freehold.definition.lint import lint_definition  # noqa: PLC0415  brings Jinja, 100 ms

    if DEFINITION not in files:
        return None, (Fault(DEFINITION, "", 0, "there is no such file"),)
    document = read_yaml(files[DEFINITION], DEFINITION)
    if not isinstance(document.data, dict):
        missing = () if document.faults else (document.fault((), "is not a mapping"),)
        return None, (*document.faults, *missing)
    shaped = convert(document)
    found = (*document.faults, *shaped.faults)
    if shaped.definition is not None:
        document.data = shaped.data
        found += lint_definition(shaped.definition, document, files, shaped.unread)
    return shaped.definition, tuple(sorted(set(found), key=_order))


def _order(fault: Fault) -> tuple[bool, str, int, str]:
    """Service.yaml by line first, then the other files."""
    return fault.file != DEFINITION, fault.file, fault.line, fault.path
