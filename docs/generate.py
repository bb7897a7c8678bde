"""Write the reference pages that come from the code: commands, and one page a package.

Usage: .venv/bin/python docs/generate.py [--check]

``--check`` writes nothing and exits with 1 when a page is out of date (a test does the same).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from freehold.adapters.catalog import read_folder
from freehold.cli.app import build
from freehold.cli.table import GROUPS
from freehold.definition.loader import load_package
from freehold.definition.package import Package

ROOT = Path(__file__).resolve().parents[1]
MADE = "<!-- made by docs/generate.py -->\n"


def pages() -> dict[Path, str]:
    """Return every generated page by its path."""
    reference = ROOT / "docs/reference"
    found = {reference / "commands.md": commands_page()}
    for folder in sorted((ROOT / "catalog").iterdir()):
        if (folder / "service.yaml").is_file():
            package = load_package(read_folder(folder), folder.name)
            found[reference / f"packages/{package.name}.md"] = package_page(package)
    return found


def commands_page() -> str:
    os.environ["COLUMNS"] = "80"  # what --help is wrapped to
    top: Any = typer.main.get_command(build([]))
    lines = [MADE, "# Commands\n", "What `--help` says, in one place.\n"]
    for title, rows in GROUPS.items():
        lines.append(f"## {title}\n")
        for name in rows:
            lines += _command(top, name)
    return "\n".join(lines)


def _command(group: TyperGroup, name: str, before: str = "freehold") -> Iterator[str]:
    command: Any = group.commands[name]
    words = f"{before} {name}"
    yield f"### {words}\n"
    with typer.Context(command, info_name=words) as context:
        yield f"```text\n{command.get_help(context)}\n```\n"
    for inner in getattr(command, "commands", {}):
        yield from _command(command, inner, words)


def package_page(package: Package) -> str:
    spec = package.spec
    lines = [
        MADE,
        f"# {spec.title} (`{package.name}`)\n",
        f"{spec.does}. License: {spec.license}. Maturity: {spec.maturity}.\n",
        f"Versions: {', '.join(version.version for version in spec.versions)}.\n",
        f"Presets: {', '.join(spec.presets) or 'none'}.\n",
        "## Knobs\n",
        *_table(
            ("knob", "type", "default", "bounds", "a change", "meaning"),
            [
                (
                    f"`{name}`",
                    knob.type.value,
                    f"`{knob.default}`",
                    _bounds(knob),
                    knob.changes.value,
                    " ".join(filter(None, (knob.title, knob.help))),
                )
                for name, knob in spec.knobs.items()
            ],
        ),
        "## Metrics\n",
        *_table(
            ("metric", "type", "unit", "meaning"),
            [
                (f"`{metric.name}`", metric.type, metric.unit, metric.help)
                for component in spec.components.values()
                for source in component.metrics
                for metric in source.metrics
            ],
        ),
        "## Alerts\n",
        *_table(
            ("alert", "severity", "when", "meaning", "runbook"),
            [
                (
                    f"`{alert.name}`",
                    alert.severity,
                    f"`{alert.metric}` for {alert.for_}",
                    alert.summary,
                    alert.runbook,
                )
                for alert in spec.alerts
            ],
        ),
    ]
    return "\n".join(lines)


def _bounds(knob: Any) -> str:
    if knob.choices:
        return ", ".join(map(str, knob.choices))
    if knob.minimum is None and knob.maximum is None:
        return ""
    low = "" if knob.minimum is None else knob.minimum
    high = "" if knob.maximum is None else knob.maximum
    return f"{low} … {high}"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return ["None.\n"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [*lines, ""]


def main() -> int:
    stale = [
        path for path, text in pages().items() if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        print(f"{'out of date' if '--check' in sys.argv else 'written'}: {path.relative_to(ROOT)}")
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pages()[path])
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
