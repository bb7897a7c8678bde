"""lint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from freehold.cli.options import Output, OutputOption
from freehold.cli.output import show
from freehold.cli.verbs.application import Verbs
from freehold.foundation.errors import DefinitionError, Fault

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold lint ./my-package
  freehold lint catalog/*
  freehold lint ./my-package -o json

\b
Needs no daemon. Exit code 2: at least one fault.
""",
)
def lint(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Package folders.", show_default=False)
    ],
    output: OutputOption = Output.TEXT,
) -> None:
    """Find every fault of a package at once: file, line, path and what to do."""
    from freehold.operations.lint import lint as faults_of  # schema, templates, CEL: heavy

    found = {str(path): faults_of(path) for path in paths}
    answer = [
        {"package": path, "faults": [_shape(fault) for fault in faults]}
        for path, faults in found.items()
    ]
    show(answer, output.value, lambda _: _lines(found))
    count = sum(map(len, found.values()))
    if count:
        raise DefinitionError(f"cannot accept {_packages(found)}: {count} fault(s)")


def _lines(found: dict[str, tuple[Fault, ...]]) -> list[str]:
    return [
        line
        for path, faults in found.items()
        for line in ([str(fault) for fault in faults] or [f"{path}: no faults"])
    ]


def _packages(found: dict[str, tuple[Fault, ...]]) -> str:
    return ", ".join(path for path, faults in found.items() if faults)


def _shape(fault: Fault) -> dict[str, str | int]:
    return {
        "file": fault.file,
        "path": fault.path,
        "line": fault.line,
        "message": fault.message,
    }
