"""daemon run | start | stop | restart | status | enable | disable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from freehold.cli import units
from freehold.cli.client import connected
from freehold.cli.options import Output, OutputOption
from freehold.cli.output import show
from freehold.cli.places import socket_of
from freehold.cli.starting import daemon_command, wait_for_end
from freehold.cli.text import say
from freehold.cli.verbs.application import Verbs
from freehold.cli.wire import listening_pid
from freehold.foundation.errors import FreeholdError, NotFoundError, TransientFault

app = Verbs()
daemon = Verbs(
    no_args_is_help=True,
    help="The daemon: looks after your services. Commands start it when they need it.",
    epilog="""\b
Examples:
  freehold daemon status
  freehold daemon restart      services go on meanwhile
  freehold daemon enable       services come back after a reboot
""",
)
app.add_typer(daemon, name="daemon")

_ENDING_S = 30.0


@daemon.command(epilog="\b\nExamples:\n  freehold daemon run\n")
def run() -> None:
    """Run the daemon in the foreground (for an init system)."""
    command = daemon_command()
    os.execv(command[0], command)  # noqa: S606  it takes our place: signals reach it


@daemon.command(epilog="\b\nExamples:\n  freehold daemon start\n")
def start(output: OutputOption = Output.TEXT) -> None:
    """Start the daemon in the background, unless it runs."""
    connected(say).get("/v1/version")
    status(output)


@daemon.command(epilog="\b\nExamples:\n  freehold daemon stop\n")
def stop() -> None:
    """Stop the daemon. Services go on; nobody heals them until it is back."""
    if not _stop():
        print("the daemon does not run")
        return
    print("the daemon has stopped; services go on")
    print("next: any command starts it again")


@daemon.command(epilog="\b\nExamples:\n  freehold daemon restart\n")
def restart(output: OutputOption = Output.TEXT) -> None:
    """Replace the running daemon, after an upgrade of Freehold say."""
    _stop()
    start(output)


@daemon.command(
    epilog="\b\nExamples:\n  freehold daemon status\n  freehold daemon status -o json\n"
)
def status(output: OutputOption = Output.TEXT) -> None:
    """Show whether the daemon runs. Exit code 4: it does not."""
    try:
        answer = dict(connected(say, start=False).get("/v1/version"))
    except TransientFault as error:
        raise NotFoundError(
            "cannot show the daemon: it does not run", next_command="freehold daemon start"
        ) from error
    socket = socket_of(os.environ, os.getuid())
    answer |= {"socket": socket, "enabled": units.is_enabled()}
    show(answer, output.value, _lines)


@daemon.command(epilog="\b\nExamples:\n  freehold daemon enable\n")
def enable() -> None:
    """Start the daemon, and with it your services, when the machine boots."""
    for line in units.enable():
        print(line)


@daemon.command(epilog="\b\nExamples:\n  freehold daemon disable\n")
def disable() -> None:
    """Do not start the daemon when the machine boots."""
    for line in units.disable():
        print(line)


def _stop() -> bool:
    """Return whether a daemon ran; it has ended by then."""
    socket = socket_of(os.environ, os.getuid())
    try:
        pid = listening_pid(socket)
        connected(say, start=False).send("POST", "/v1/daemon/stop")
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except FreeholdError:
        if not os.path.exists(f"/proc/{pid}"):  # noqa: PTH110
            return True
        raise
    wait_for_end(pid, _ENDING_S)
    return True


def _lines(answer: Any) -> Iterator[str]:
    yield f"the daemon runs: version {answer['version']}, pid {answer['pid']}"
    yield f"  home:    {answer['home']}"
    yield f"  socket:  {answer['socket']}"
    yield f"  at boot: {'yes' if answer['enabled'] else 'no (freehold daemon enable)'}"
