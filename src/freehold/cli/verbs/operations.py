"""operations list | show | cancel | wait."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from freehold.cli.client import connected
from freehold.cli.completing import services
from freehold.cli.follow import follow, judge
from freehold.cli.options import Output, OutputOption
from freehold.cli.output import show
from freehold.cli.text import has_colours, say, width_of
from freehold.cli.verbs.application import Verbs
from freehold.cli.views.operations import list_lines, show_lines

app = Verbs()
operations = Verbs(
    no_args_is_help=True,
    help="What was asked of the services and how far it is.",
    epilog="""\b
Examples:
  freehold operations list
  freehold operations show ID
  freehold operations cancel ID
  freehold operations wait ID
""",
)
app.add_typer(operations, name="operations")

Id = Annotated[str, typer.Argument(metavar="ID", help="The operation's id.", show_default=False)]


@operations.command(
    "list",
    epilog="\b\nExamples:\n  freehold operations list --open\n  freehold operations list orders\n",
)
def list_operations(
    service: Annotated[
        str, typer.Argument(metavar="[SERVICE]", help="Only its.", autocompletion=services)
    ] = "",
    is_open: Annotated[
        bool, typer.Option("--open", help="Only those that have not ended.")
    ] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """List operations, newest first."""
    found = connected(say).get("/v1/operations", {"service": service, "open": is_open})
    width, colours = width_of(sys.stdout), has_colours(sys.stdout)
    show(
        found,
        output.value,
        lambda answer: list_lines(answer, now=time.time(), width=width, colours=colours),
    )


@operations.command(
    "show",
    epilog="\b\nExamples:\n  freehold operations show ID\n  freehold operations show ID -o yaml\n",
)
def show_operation(operation: Id, output: OutputOption = Output.TEXT) -> None:
    """Show one operation: who asked, each step with its reason, what it waits for."""
    show(connected(say).get(f"/v1/operations/{operation}"), output.value, _one)


@operations.command(
    epilog="""\b
Examples:
  freehold operations cancel ID

\b
The edited fields go back to what they were, and the engine plans from what it
finds: half a scale-out is undone, not left.
"""
)
def cancel(operation: Id, output: OutputOption = Output.TEXT) -> None:
    """Cancel an operation: what it edited goes back."""
    answer = connected(say).send("POST", f"/v1/operations/{operation}/cancel")
    show(answer, output.value, lambda back: _cancelled(operation, back))


@operations.command(
    epilog="""\b
Examples:
  freehold operations wait ID
  freehold operations wait ID && echo done

\b
Exit code 0: done. 70: failed. 3: cancelled, or superseded by a newer wish.
"""
)
def wait(operation: Id, output: OutputOption = Output.TEXT) -> None:
    """Follow an operation to its end."""
    client = connected(say)
    first = client.get(f"/v1/operations/{operation}")
    last = follow(client, first, silent=output is not Output.TEXT)
    if output is not Output.TEXT:
        show(last, output.value, _one)
    judge(last)
    if output is Output.TEXT:
        print(f"{last['verb']} {last['service']}: done")


def _cancelled(operation: str, back: Any) -> Iterator[str]:
    yield f"operation {operation} is cancelled: its edits go back"
    if back["id"] != operation and back["phase"] == "running":
        yield f"next: freehold operations wait {back['id']}"


def _one(answer: Any) -> Iterator[str]:
    return show_lines(
        answer, now=time.time(), width=width_of(sys.stdout), colours=has_colours(sys.stdout)
    )
