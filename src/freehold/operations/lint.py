"""lint: every fault of a package at once, with file, path and line. Needs no daemon."""

from __future__ import annotations

from pathlib import Path

from freehold.adapters.catalog import read_folder
from freehold.definition.loader import lint as lint_files
from freehold.foundation.errors import DefinitionError, Fault


def lint(folder: Path) -> tuple[Fault, ...]:
    """Return all faults; empty when the package is sound.

    Raises NotFoundError when there is no package at all.
    """
    try:
        files = read_folder(folder)
    except DefinitionError as error:
        return error.faults
    return lint_files(files, str(folder))
