"""``list`` and ``status`` without typer: they run in loops, prompts and ``watch``.

Only the plain forms are known here; anything else, ``--help`` included, returns None and goes the
long way, which calls the same functions. ``tests/unit/cli/test_quick.py`` holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

Options = dict[str, str]

_FLAGS = {"-a": "all", "--all": "all", "-w": "watch", "--watch": "watch"}
_VALUES = {"-o": "output", "--output": "output", "-n": "project", "--project": "project"}
_KNOWN = {
    "list": ("all", "output", "project"),
    "ls": ("all", "output", "project"),
    "status": ("watch", "output"),
}


def attempt(words: Sequence[str]) -> int | None:
    """Run the command when its words are plain; None: somebody else has to read them."""
    if not words or words[0] not in _KNOWN:
        return None
    verb = words[0]
    read = parse(words[1:], _KNOWN[verb])
    if read is None:
        return None
    names, options = read
    output = options.get("output", "text")
    if output not in ("text", "json", "yaml") or len(names) > (verb == "status"):
        return None
    from freehold.cli import looking

    if verb == "status":
        looking.show_status(names[0] if names else "", watch="watch" in options, output=output)
    else:
        looking.show_list(
            everything="all" in options, project=options.get("project", ""), output=output
        )
    return 0


def parse(words: Sequence[str], known: Sequence[str]) -> tuple[list[str], Options] | None:
    """Return names and options, None for anything unusual."""
    names: list[str] = []
    options: Options = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word in _FLAGS and _FLAGS[word] in known:
            options[_FLAGS[word]] = "1"
        elif word in _VALUES and _VALUES[word] in known and rest and not rest[0].startswith("-"):
            options[_VALUES[word]] = rest.pop(0)
        elif equals and name.startswith("--") and _VALUES.get(name) in known:
            options[_VALUES[name]] = value
        elif word.startswith("-"):
            return None
        else:
            names.append(word)
    return names, options
