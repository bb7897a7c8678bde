"""install."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from freehold.cli.changing import Manner, Wanted, carry_out
from freehold.cli.client import connected
from freehold.cli.options import Package, Project
from freehold.cli.text import say, width_of
from freehold.cli.verbs.application import Verbs
from freehold.cli.verbs.manner import changing
from freehold.cli.views.services import installed_lines
from freehold.foundation.errors import DefinitionError

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold install PACKAGE
  freehold install PACKAGE orders --preset dev
  freehold install PACKAGE orders --set members=5 --set memory=2Gi
  freehold install PACKAGE orders -f values.yaml --dry-run
  freehold install ./my-package

\b
values.yaml holds knobs by name; what stands under "settings" is passed to the
software unchecked. --set wins over -f; a later one wins over an earlier one.
The knobs of a package: freehold explain PACKAGE
""",
)
@changing
def install(
    package: Package,
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Name of the service; default: the package's.")
    ] = "",
    named: Annotated[
        str, typer.Option("--name", metavar="NAME", help="The same, as an option.")
    ] = "",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KNOB=VALUE", help="Set a knob, or settings.KEY=VALUE."),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--values", "-f", metavar="FILE", help="Read knobs from YAML; - is stdin."),
    ] = None,
    version: Annotated[
        str, typer.Option("--version", metavar="VERSION", help="Default: the newest.")
    ] = "",
    preset: Annotated[
        str, typer.Option("--preset", metavar="NAME", help="A named set of knobs: dev, ha.")
    ] = "",
    project: Project = "default",
    *,
    manner: Manner,
) -> None:
    """Install a package as a service and follow it until it is ready.

    Shows the plan, the download, each member's way up, then where the service
    answers and what to type next. Nothing is asked: installing destroys nothing.
    """
    knobs, settings = wish_of(values or [], assignments or [])
    body = {
        "package": _package(package),
        "name": _once(name, named),
        "version": version,
        "preset": preset,
        "knobs": knobs,
        "settings": settings,
    }
    last = carry_out(
        Wanted(path="/v1/services", body=body, asks=False), replace(manner, project=project)
    )
    if last is not None:
        view = connected(say).get(f"/v1/services/{last['service']}")
        took_s = (last["ended_at"] or last["created_at"]) - last["created_at"]
        for line in installed_lines(view, took_s=took_s, width=width_of(sys.stdout)):
            print(line)


def _once(name: str, named: str) -> str:
    if name and named and name != named:
        raise DefinitionError(f"cannot install: it is named both {name!r} and {named!r}")
    return name or named


def wish_of(files: list[str], assignments: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return knobs and settings: files in order, then ``--set`` in order; later ones win.

    Raises:
        DefinitionError: a file that is no mapping, an assignment without ``=``.
    """
    knobs: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for file in files:
        read = dict(_mapping(file))
        settings.update(_settings(file, read.pop("settings", None)))
        knobs.update(read)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key.strip():
            raise DefinitionError(
                f"cannot use --set {assignment!r}: it is not KNOB=VALUE",
                next_command="freehold install --help",
            )
        if key.startswith("settings."):
            settings[key.removeprefix("settings.")] = yaml.safe_load(value)
        else:
            knobs[key.strip()] = value  # raw: the knob's type decides how it is read
    return knobs, settings


def _mapping(file: str) -> Mapping[str, Any]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
        read = yaml.safe_load(text)
    except OSError as error:
        raise DefinitionError(f"cannot read {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DefinitionError(f"cannot read {file}: not YAML: {_first(error)}") from error
    if read is None:
        return {}
    if not isinstance(read, dict) or not all(isinstance(key, str) for key in read):
        raise DefinitionError(f"cannot read {file}: it must hold knobs by name, as 'members: 3'")
    return read


def _settings(file: str, read: Any) -> Mapping[str, Any]:
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise DefinitionError(f"cannot read {file}: 'settings' must hold keys and values")
    return read


def _first(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}: {problem}" if mark else str(problem)


def _package(word: str) -> str:
    """A word with a slash in it is a folder; the daemon stands somewhere else, so say it whole."""
    return str(Path(word).resolve()) if "/" in word or word in (".", "..") else word
