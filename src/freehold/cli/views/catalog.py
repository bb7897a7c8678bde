"""How packages and their knobs look."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freehold.cli.text import cut, table
from freehold.cli.views.services import shown

View = Mapping[str, Any]
_COLUMNS = 78


def entry_lines(entries: Sequence[View], *, width: int) -> Iterator[str]:
    if not entries:
        yield "the catalog is empty"
        return
    rows = [
        (
            entry["name"],
            (entry.get("versions") or ["-"])[0],
            ", ".join(entry.get("presets") or ()) or "-",
            entry.get("license", ""),
            entry.get("does", ""),
        )
        for entry in entries
    ]
    yield from table(("NAME", "VERSION", "PRESETS", "LICENSE", "DOES"), rows, width=width)


def package_lines(package: View, *, width: int) -> Iterator[str]:
    entry = package.get("entry", package)
    yield f"{entry['name']}: {entry.get('title', '')}"
    yield from _wrapped(str(entry.get("does", "")), width)
    for title, key in (
        ("License", "license"),
        ("Category", "category"),
        ("Maturity", "maturity"),
        ("Versions", "versions"),
        ("Presets", "presets"),
        ("Digest", "digest"),
    ):
        if entry.get(key):
            yield cut(f"  {title + ':':<10} {shown(entry[key])}", width)
    verbs = entry.get("verbs") or {}
    for verb, support in verbs.items():
        yield cut(f"  {verb}: {support.get('support')}: {support.get('because')}", width)
    knobs = package.get("knobs") or (package.get("spec") or {}).get("knobs") or {}
    if knobs:
        yield ""
        yield from knob_table(knobs, width=width)
    yield ""
    yield f"next: freehold explain {entry['name']}"
    yield f"      freehold install {entry['name']} --dry-run"


def knob_table(knobs: Mapping[str, View], *, width: int) -> Iterator[str]:
    rows = [
        (
            name,
            str(knob.get("type", "")),
            shown(knob.get("default", "")),
            str(knob.get("changes", "")),
            str(knob.get("title") or knob.get("help") or ""),
        )
        for name, knob in knobs.items()
    ]
    yield from table(("KNOB", "TYPE", "DEFAULT", "CHANGES BY", "MEANS"), rows, width=width)


def explain_lines(answer: Any, *, width: int) -> Iterator[str]:
    """Yield a tree of values as indented text; a table where it is the knobs of a package."""
    yield from _tree(answer, "", min(width, _COLUMNS))


def _tree(value: Any, indent: str, width: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if inner in (None, "", [], {}):
                continue
            if isinstance(inner, Mapping) or _is_long(inner):
                yield f"{indent}{key}:"
                yield from _tree(inner, f"{indent}  ", width)
            else:
                yield from _wrapped(f"{key}: {shown(inner)}", width, indent)
    elif isinstance(value, list | tuple):
        for inner in value:
            if isinstance(inner, Mapping):
                yield from _tree(inner, indent, width)
                yield ""
            else:
                yield f"{indent}- {shown(inner)}"
    else:
        for line in str(value).splitlines():
            yield from _wrapped(line, width, indent)


def _is_long(value: Any) -> bool:
    if isinstance(value, str):
        return "\n" in value
    return isinstance(value, list | tuple) and any(isinstance(each, Mapping) for each in value)


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    return textwrap.wrap(
        text,
        max(min(width, _COLUMNS), 40),
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_on_hyphens=False,
    )
