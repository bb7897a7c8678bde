"""bind, unbind, bindings, connect."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from freehold.cli.client import connected
from freehold.cli.options import Output, OutputOption, Service
from freehold.cli.output import show
from freehold.cli.text import age, say, table, width_of
from freehold.cli.verbs.application import Verbs
from freehold.foundation.errors import NotFoundError

app = Verbs()

Application = Annotated[
    str,
    typer.Argument(metavar="APPLICATION", help="Who uses the service.", show_default=False),
]


@app.command(
    epilog="""\b
Examples:
  freehold bind orders my-app
  freehold bind orders my-app -o json

\b
The folder holds one file per entry (servicebinding.io), readable by you only:
username, password, hosts, ca.crt, … Binding twice changes nothing.
""",
)
def bind(service: Service, application: Application, output: OutputOption = Output.TEXT) -> None:
    """Make addresses and credentials for an application; prints their folder."""
    answer = connected(say).send("PUT", f"/v1/services/{service}/bindings/{application}")
    show(answer, output.value, _bound)


@app.command(
    epilog="\b\nExamples:\n  freehold unbind orders my-app\n  freehold unbind orders my-app -o json\n"
)
def unbind(service: Service, application: Application, output: OutputOption = Output.TEXT) -> None:
    """Withdraw an application's credentials: its login ends, its folder goes."""
    answer = connected(say).send("DELETE", f"/v1/services/{service}/bindings/{application}")
    show(answer, output.value, lambda _: [f"{application} has no access to {service} any more"])


@app.command(
    epilog="\b\nExamples:\n  freehold bindings orders\n  freehold bindings orders -o json\n"
)
def bindings(service: Service, output: OutputOption = Output.TEXT) -> None:
    """List the applications that are bound to a service."""
    answer = connected(say).get(f"/v1/services/{service}/bindings")
    show(answer, output.value, lambda found: _listed(service, found))


@app.command(
    epilog="""\b
Examples:
  freehold connect orders                     a client, when one is found here
  freehold connect orders --language python   how your program connects
  freehold connect orders -o json
""",
)
def connect(
    service: Service,
    application: Annotated[
        str,
        typer.Option("--application", "-a", metavar="NAME", help="As whom; default: the first."),
    ] = "",
    language: Annotated[
        str, typer.Option("--language", "-l", metavar="NAME", help="Print a snippet: python, …")
    ] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Open an interactive client, or print a snippet for a language."""
    answer = connected(say).get(f"/v1/services/{service}/connect", {"application": application})
    snippets: Mapping[str, str] = answer.get("snippets") or {}
    if language:
        if language not in snippets:
            known = ", ".join(snippets) or "none"
            raise NotFoundError(
                f"cannot show a snippet for {language!r}: {service} has {known}",
                next_command=f"freehold connect {service} -o json",
            )
        print(snippets[language].rstrip())
        return
    client = [str(word) for word in answer.get("client") or ()]
    if output is Output.TEXT and client and sys.stdin.isatty() and sys.stdout.isatty():
        sys.stdout.flush()
        os.execvp(client[0], client)  # noqa: S606  the client takes our place, and the terminal
    show(answer, output.value, _snippets)


def _bound(answer: Any) -> Iterator[str]:
    service, application = answer["service"], answer["application"]
    yield f"{application} is bound to {service}"
    yield f"  folder: {answer['folder']}"
    yield f"  files:  {', '.join(answer['entries'])}"
    yield ""
    yield "next:"
    yield f"  freehold connect {service}"
    yield f"  freehold unbind {service} {application}"


def _listed(service: str, found: Any) -> Iterator[str]:
    if not found:
        yield f"nobody is bound to {service}"
        yield f"next: freehold bind {service} my-app"
        return
    rows = [
        (
            binding["application"],
            age(time.time() - binding["created_at"]),
            str(binding.get("generation", 1)),
            binding["folder"],
        )
        for binding in found
    ]
    yield from table(
        ("APPLICATION", "AGE", "GENERATION", "FOLDER"), rows, width=width_of(sys.stdout)
    )


def _snippets(answer: Any) -> Iterator[str]:
    snippets = answer.get("snippets") or {}
    client = answer.get("client") or []
    if client:
        yield f"client: {' '.join(client)}"
        yield ""
    for language, text in snippets.items():
        yield f"# {language}"
        yield from str(text).rstrip().splitlines()
        yield ""
    yield f"credentials: {answer['folder']}"
