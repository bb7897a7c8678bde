"""catalog, explain."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from freehold.cli.client import connected
from freehold.cli.completing import packages
from freehold.cli.options import Output, OutputOption
from freehold.cli.output import show
from freehold.cli.text import say, width_of
from freehold.cli.verbs.application import Verbs
from freehold.cli.views.catalog import entry_lines, explain_lines, package_lines

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold catalog
  freehold catalog PACKAGE
  freehold catalog PACKAGE -o yaml
""",
)
def catalog(
    package: Annotated[
        str, typer.Argument(metavar="[PACKAGE]", help="One in full.", autocompletion=packages)
    ] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List what can be installed, or show one package in full."""
    client, width = connected(say), width_of(sys.stdout)
    if package:
        show(
            client.get(f"/v1/catalog/{package}"),
            output.value,
            lambda found: package_lines(found, width=width),
        )
    else:
        show(client.get("/v1/catalog"), output.value, lambda found: entry_lines(found, width=width))


@app.command(
    epilog="""\b
Examples:
  freehold explain PACKAGE                all knobs
  freehold explain PACKAGE.memory         one knob
  freehold explain PACKAGE.presets
  freehold explain PACKAGE -o json
""",
)
def explain(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE[.PATH]",
            help="A package, or a path in it.",
            autocompletion=packages,
            show_default=False,
        ),
    ],
    output: OutputOption = Output.TEXT,
) -> None:
    """Explain a package's knobs: type, default, bounds, what a change costs."""
    package, _, path = subject.partition(".")
    answer = connected(say).get(f"/v1/explain/{package}" + (f"/{path}" if path else ""))
    show(answer, output.value, lambda found: explain_lines(found, width=width_of(sys.stdout)))
