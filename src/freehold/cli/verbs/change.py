"""scale, start, stop, restart, rebuild, protect, uninstall: edits of one service's wish."""

from __future__ import annotations

from typing import Annotated

import typer

from freehold.cli.changing import Manner, Wanted, carry_out
from freehold.cli.options import Service
from freehold.cli.verbs.application import Verbs
from freehold.cli.verbs.manner import changing
from freehold.foundation.errors import DefinitionError

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold scale orders 4
  freehold scale orders --members 4 --dry-run
  freehold scale orders --replicas 3        kubectl's word is understood

\b
A member that goes hands its data to the others first. Below what the software
needs to keep every row, scaling is refused with the reason.
""",
)
@changing
def scale(
    service: Service,
    count: Annotated[
        int | None, typer.Argument(metavar="[MEMBERS]", help="How many there shall be.", min=0)
    ] = None,
    members: Annotated[
        int | None,
        typer.Option("--members", "--replicas", metavar="N", help="The same, as an option.", min=0),
    ] = None,
    component: Annotated[
        str, typer.Option("--component", metavar="NAME", help="Default: the first component.")
    ] = "",
    *,
    manner: Manner,
) -> None:
    """Change the number of members."""
    wanted = count if count is not None else members
    if wanted is None or (count is not None and members is not None):
        raise DefinitionError(
            "cannot scale: say how many members once", next_command=f"freehold scale {service} 3"
        )
    _edit(service, "scale", {"members": wanted, "component": component}, manner)


@app.command(epilog="\b\nExamples:\n  freehold start orders\n  freehold start orders --no-wait\n")
@changing
def start(
    service: Service,
    *,
    manner: Manner,
) -> None:
    """Start a stopped service."""
    _edit(service, "start", {}, manner)


@app.command(
    epilog="""\b
Examples:
  freehold stop orders
  freehold stop orders --dry-run

\b
Stopping never waits for health: it is also the way out of a stuck service.
The data stays; freehold start brings the service back as it was.
""",
)
@changing
def stop(
    service: Service,
    *,
    manner: Manner,
) -> None:
    """Stop a service gracefully; its data stays."""
    _edit(service, "stop", {}, manner)


@app.command(
    epilog="""\b
Examples:
  freehold restart orders
  freehold restart orders --no-wait

\b
One member after another, each waiting for the one before to be ready, so that
the service answers all the time (when it has more than one member).
""",
)
@changing
def restart(
    service: Service,
    *,
    manner: Manner,
) -> None:
    """Restart the members, one after another."""
    _edit(service, "restart", {}, manner)


@app.command(
    epilog="""\b
Examples:
  freehold rebuild orders orders-node-1 --dry-run
  freehold rebuild orders orders-node-1

\b
The member gets new volumes and takes its data from the others; the old ones
are kept until purge. The old member never starts again.
""",
)
@changing
def rebuild(
    service: Service,
    member: Annotated[
        str, typer.Argument(metavar="MEMBER", help="The member's name.", show_default=False)
    ],
    *,
    manner: Manner,
) -> None:
    """Make one member anew from the others' data."""
    _edit(service, "rebuild", {"member": member}, manner)


@app.command(
    epilog="""\b
Examples:
  freehold protect orders
  freehold protect orders --off

\b
Protection concerns purge only: it is refused until lifted.
""",
)
@changing
def protect(
    service: Service,
    off: Annotated[bool, typer.Option("--off", help="Lift the protection.")] = False,
    *,
    manner: Manner,
) -> None:
    """Switch a service's protection against purge on (or off)."""
    _edit(service, "protect", {"on": not off}, manner)


@app.command(
    epilog="""\b
Examples:
  freehold uninstall orders
  freehold uninstall orders --dry-run

\b
Members go, volumes and credentials stay: installing a service of the same
name brings the data back. To remove the data too: freehold purge SERVICE
""",
)
@changing
def uninstall(
    service: Service,
    *,
    manner: Manner,
) -> None:
    """Remove a service; its data stays until purge."""
    if _edit(service, "uninstall", {}, manner):
        print(f"the data of {service} is kept")
        print(f"next: freehold install PACKAGE {service}   back, with its data")
        print(f"      freehold purge {service}             gone for good")


def _edit(service: str, verb: str, body: dict[str, object], manner: Manner) -> bool:
    """Return whether the change was followed to its end."""
    last = carry_out(Wanted(path=f"/v1/services/{service}/{verb}", body=body), manner)
    if last is None:
        return False
    print(f"{verb} {service}: done")
    return True
