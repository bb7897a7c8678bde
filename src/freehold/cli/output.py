"""``-o text|json|yaml``: the answer as it came, or as its text view."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any


def show(answer: Any, output: str, view: Callable[[Any], Iterable[str]]) -> None:
    """Print the answer in the form that was asked for; ``view`` makes its text lines."""
    sys.stdout.write(formatted(answer, output, view))
    sys.stdout.flush()


def formatted(answer: Any, output: str, view: Callable[[Any], Iterable[str]]) -> str:
    if output == "json":
        import json

        return json.dumps(answer, indent=2, ensure_ascii=False) + "\n"
    if output == "yaml":
        import yaml  # 8 ms

        return str(yaml.safe_dump(answer, sort_keys=False, allow_unicode=True))
    return "".join(f"{line}\n" for line in view(answer))


def show_each(answers: Iterable[Any], output: str, view: Callable[[Any], Iterable[str]]) -> None:
    """Print a stream as it comes: one JSON value a line, YAML documents, or text lines."""
    import json

    for answer in answers:
        if output == "json":
            print(json.dumps(answer, ensure_ascii=False), flush=True)
        elif output == "yaml":
            print("---\n" + formatted(answer, "yaml", view), end="", flush=True)
        else:
            for line in view(answer):
                print(line, flush=True)
