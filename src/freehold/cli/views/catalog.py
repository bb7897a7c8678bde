"""How packages and their knobs look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freehold.cli.text import table, wrapped
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
    yield f"{package['name']}: {package['title']}"
    yield from _paragraph(package["does"], width)
    presets = [
        f"{name} (default)" if name == package.get("default_preset") else name
        for name in package["presets"]
    ]
    for title, value in (
        ("License", package["license"]),
        ("Maturity", package["maturity"]),
        ("Versions", shown(package["versions"])),
        ("Presets", ", ".join(presets)),
        ("Endpoints", shown(package["endpoints"])),
        ("Survives", package["survives"]),
        ("Source", package["source"]),
        ("Digest", package["digest"]),
    ):
        if value:
            first, *rest = wrapped(value, min(width, _COLUMNS) - 13, hang="")
            yield f"  {title + ':':<10} {first}"
            yield from (f"{'':<13}{line}" for line in rest)
    for version, note in (package.get("notes") or {}).items():
        yield from _wrapped(f"{version}: {note}", width)
    for verb, support in (package.get("verbs") or {}).items():
        yield from _wrapped(f"{verb}: {support['support']}: {support['because']}", width)
    if package["knobs"]:
        yield ""
        yield from knob_table(list(package["knobs"].values()), width=width)
    if package.get("rules"):
        yield ""
        yield "Rules:"
        yield from (line for rule in package["rules"] for line in _wrapped(_rule(rule), width))
    yield ""
    yield f"next: freehold explain {package['name']}"
    yield f"      freehold install {package['name']} --dry-run"


def knob_table(knobs: Sequence[View], *, width: int) -> Iterator[str]:
    rows = [
        (knob["name"], knob["type"], _value(knob["default"]), knob["changes"], _means(knob))
        for knob in knobs
    ]
    yield from table(("KNOB", "TYPE", "DEFAULT", "CHANGE", "MEANS"), rows, width=width)


def explain_lines(answer: View, *, width: int) -> Iterator[str]:
    """Yield one field: what it is, its bounds, and what is below it."""
    knob = answer.get("knob")
    yield f"{answer['path']}: {answer['type']}"
    if answer["help"]:
        yield from _paragraph(answer["help"], width)
    if knob:
        yield from _knob_facts(knob, width)
    elif answer.get("default") is not None:
        yield f"  default: {shown(answer['default'])}"
    if answer["fields"]:
        yield ""
        longest = max(map(len, answer["fields"]))
        for name, text in answer["fields"].items():
            first, *rest = _paragraph(text, width, " " * (longest + 4)) or [""]
            yield f"  {name:<{longest}}  {first.strip()}".rstrip()
            yield from rest
        if answer["type"] == "knobs":
            yield ""
            yield f"next: freehold explain {answer['path']}.{next(iter(answer['fields']))}"


def _knob_facts(knob: View, width: int) -> Iterator[str]:
    facts: list[tuple[str, str]] = [("default", _value(knob["default"]))]
    facts += [(f"  in preset {name}", _value(value)) for name, value in knob["presets"].items()]
    if knob["minimum"] is not None or knob["maximum"] is not None:
        low = "…" if knob["minimum"] is None else shown(knob["minimum"])
        high = "…" if knob["maximum"] is None else shown(knob["maximum"])
        facts.append(("range", f"{low} to {high}"))
    if knob["unit"]:
        facts.append(("unit", knob["unit"]))
    facts.append(("a change", _COSTS.get(str(knob["changes"]), str(knob["changes"]))))
    if knob["grows_only"]:
        facts.append(("limit", "can only grow"))
    yield ""
    yield from (f"  {key + ':':<18} {value}" for key, value in facts)
    if knob["choices"]:
        yield "  choices:"
        for value, text in knob["choices"].items():
            yield from _wrapped(f"{value}: {text}" if text else str(value), width, "    ")


_COSTS = {
    "live": "takes effect at once",
    "reload": "is reloaded, nothing restarts",
    "restart": "restarts the members, one after another",
    "rebuild": "rebuilds the members, one after another",
}


def _value(value: Any) -> str:
    return "-" if value is None or value == "" else shown(value)


def _means(knob: View) -> str:
    return str(knob.get("help") or knob.get("title") or "")


def _rule(rule: Mapping[str, str]) -> str:
    because = f" ({rule['because']})" if rule.get("because") else ""
    return f"{rule['message']}{because}"


def _wrapped(text: str, width: int, indent: str = "  ") -> list[str]:
    return wrapped(text, min(width, _COLUMNS), indent)


def _paragraph(text: str, width: int, indent: str = "  ") -> list[str]:
    return wrapped(text, min(width, _COLUMNS), indent, hang="")
