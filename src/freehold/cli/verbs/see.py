"""list, status, describe."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from freehold.cli import looking
from freehold.cli.client import connected
from freehold.cli.completing import services
from freehold.cli.options import Output, OutputOption, Service
from freehold.cli.output import show
from freehold.cli.text import has_colours, say, width_of
from freehold.cli.verbs.application import Verbs
from freehold.cli.views.services import describe_lines

app = Verbs()


@app.command(
    "list",
    epilog="""\b
Examples:
  freehold list
  freehold list --all            uninstalled ones too, whose data is kept
  freehold list -o json
""",
)
def list_services(
    everything: Annotated[
        bool, typer.Option("--all", "-a", help="Also uninstalled services whose data is kept.")
    ] = False,
    project: Annotated[
        str, typer.Option("--project", "-n", metavar="NAME", help="Only this project's.")
    ] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """List the services: state, members, where they answer."""
    looking.show_list(everything=everything, project=project, output=output.value)


@app.command(
    epilog="""\b
Examples:
  freehold status                all services
  freehold status orders
  freehold status orders --watch
  freehold status orders -o json

\b
A star after a member's state: it has not got its newest revision yet. PROBED
is how long ago the state was measured; unknown is a state of its own.
""",
)
def status(
    service: Annotated[
        str,
        typer.Argument(metavar="[SERVICE]", help="The service's name.", autocompletion=services),
    ] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show again on change.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show how a service is: its members, endpoints and what it waits for."""
    looking.show_status(service, watch=watch, output=output.value)


@app.command(
    epilog="""\b
Examples:
  freehold describe orders
  freehold describe orders -o yaml
""",
)
def describe(service: Service, output: OutputOption = Output.TEXT) -> None:
    """Show everything about a service: knobs, conditions, revisions, processes."""
    width, colours = width_of(sys.stdout), has_colours(sys.stdout)
    show(
        connected(say).get(f"/v1/services/{service}"),
        output.value,
        lambda view: describe_lines(view, now=time.time(), width=width, colours=colours),
    )
