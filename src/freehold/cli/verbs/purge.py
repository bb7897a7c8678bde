"""purge: the only command that removes data, so the only one that has the name typed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from freehold.cli.changing import Manner, Wanted, answer_of, carry_out, show_plan
from freehold.cli.client import connected
from freehold.cli.options import Service
from freehold.cli.text import say
from freehold.cli.verbs.application import Verbs
from freehold.cli.verbs.manner import changing
from freehold.foundation.errors import RefusedError

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold purge orders                          asks you to type the name
  freehold purge orders --dry-run
  freehold purge orders --yes --confirm orders   for scripts
  freehold purge orders --unprotect              lifts the protection of ha

\b
Never silently: without a terminal both --yes and --confirm are needed.
""",
)
@changing
def purge(
    service: Service,
    confirm: Annotated[
        str, typer.Option("--confirm", metavar="NAME", help="The service's name, once more.")
    ] = "",
    unprotect: Annotated[
        bool, typer.Option("--unprotect", help="Lift the protection against purge first.")
    ] = False,
    *,
    manner: Manner,
) -> None:
    """Remove a service with its data, credentials and addresses, for good."""
    path = f"/v1/services/{service}/purge"
    body = {"unprotect": unprotect}
    typed = confirm
    if not manner.dry_run and not (manner.yes and confirm):
        typed = _typed(service, path, body, manner)
    wanted = Wanted(path=path, body={**body, "confirm": typed}, asks=False)
    if carry_out(wanted, manner):
        print(f"{service} and its data are gone")


def _typed(service: str, path: str, body: Mapping[str, object], manner: Manner) -> str:
    if not sys.stdin.isatty():
        raise RefusedError(
            f"cannot purge {service} without a confirmation: nobody can be asked here",
            next_command=f"freehold purge {service} --yes --confirm {service}",
        )
    plan = connected(say).send(
        "POST", path, {**body, "confirm": service, "dry_run": True, "project": manner.project}
    )
    show_plan(plan, manner)
    typed = answer_of(f"This removes the data of {service} for good. Type its name to go on: ")
    if typed != service:
        raise RefusedError(f"cannot purge {service}: {typed!r} is not its name; nothing was done")
    return typed
