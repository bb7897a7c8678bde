"""Options that mean the same on every command; the names are those of helm and kubectl."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from freehold.cli.completing import packages, services


class Output(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="Form of the answer.", show_choices=True)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, change nothing.")]
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Follow the operation to its end, or return.")
]
Timeout = Annotated[
    str,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="Deadline of the operation: 90s, 10m. Default: by verb.",
        show_default=False,
    ),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", "--auto-approve", "-y", help="Do not ask before a plan that destroys."),
]
Project = Annotated[
    str,
    typer.Option("--project", "-n", metavar="NAME", help="Project that the service belongs to."),
]
Service = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE", help="The service's name.", autocompletion=services, show_default=False
    ),
]
Package = Annotated[
    str,
    typer.Argument(
        metavar="PACKAGE",
        help="A package of the catalog, or a package's folder.",
        autocompletion=packages,
        show_default=False,
    ),
]
