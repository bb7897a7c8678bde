"""software list | fetch | gc | lock."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from freehold.cli.client import connected
from freehold.cli.options import DryRun, Output, OutputOption, Package
from freehold.cli.output import show, show_each
from freehold.cli.text import amount, say, table, width_of
from freehold.cli.verbs.application import Verbs
from freehold.cli.views.progress import bar

app = Verbs()
software = Verbs(
    no_args_is_help=True,
    help="The software that services run: locked, fetched, verified, kept here.",
    epilog="""\b
Examples:
  freehold software list
  freehold software fetch PACKAGE
  freehold software gc --dry-run
  freehold software lock ./my-package
""",
)
app.add_typer(software, name="software")


@software.command(
    "list", epilog="\b\nExamples:\n  freehold software list\n  freehold software list -o json\n"
)
def list_software(output: OutputOption = Output.TEXT) -> None:
    """List the software that is laid out here, and who uses it."""
    show(connected(say).get("/v1/software"), output.value, _listed)


@software.command(
    epilog="""\b
Examples:
  freehold software fetch PACKAGE
  freehold software fetch PACKAGE --version VERSION

\b
Once fetched, services of that version install, restart and scale offline.
"""
)
def fetch(
    package: Package,
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Default: the newest.")
    ] = "",
    output: OutputOption = Output.TEXT,
) -> None:
    """Fetch a package's software and verify it, without installing anything."""
    lines = connected(say).stream(
        "/v1/software/fetch", method="POST", body={"package": package, "version": version}
    )
    show_each(lines, output.value, _fetched)


@software.command(
    epilog="\b\nExamples:\n  freehold software gc --dry-run\n  freehold software gc\n"
)
def gc(dry_run: DryRun = False, output: OutputOption = Output.TEXT) -> None:
    """Remove fetched software that no service uses or keeps."""
    answer = connected(say).send("POST", "/v1/software/gc", {"dry_run": dry_run})
    show(answer, output.value, _collected)


@software.command(
    epilog="""\b
Examples:
  freehold software lock ./my-package
  freehold software lock ./my-package --version 5.0.9 --platform linux-aarch64

\b
For package authors. Resolves the versions' sources in your own registries and
mirrors, writes locks/<version>/<platform>.json; the lock names no host.
"""
)
def lock(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The package's folder.", show_default=False)
    ],
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Default: every version.")
    ] = "",
    platform: Annotated[
        str, typer.Option("--platform", metavar="OS-ARCH", help="Default: this machine's.")
    ] = "",
) -> None:
    """Make or refresh the locks of a package."""
    from freehold.cli.locking import write_locks  # resolvers: heavy

    for file, count, size in write_locks(path, version, platform, say):
        print(f"{file}: {count} files, {amount(size)}")


def _listed(found: Any) -> Iterator[str]:
    if not found:
        yield "no software has been fetched yet"
        yield "next: freehold software fetch PACKAGE"
        return
    rows = [
        (
            each["package"],
            each["version"],
            amount(each["bytes"]),
            ", ".join(each["used_by"]) or "-",
            each["digest"][:12],
        )
        for each in found
    ]
    head = ("PACKAGE", "VERSION", "SIZE", "USED BY", "DIGEST")
    yield from table(head, rows, width=width_of(sys.stdout))


def _fetched(line: Any) -> Iterator[str]:
    ratio, note = line.get("ratio"), line["note"]
    yield f"{bar(ratio)} {note}" if ratio is not None else note


def _collected(found: Any) -> Iterator[str]:
    word = "would remove" if found["dry_run"] else "removed"
    yield from (f"{word} {name}" for name in found["removed"])
    yield f"{word} {len(found['removed'])} in all, {amount(found['freed_bytes'])}"
