"""YAML text → plain data and the line of every part of it; refuses what would surprise an author.

YAML here is the JSON-like core: ``yes`` and ``on`` are texts, ``010`` is ten, a date is a text.
Bombs (aliases that multiply, endless nesting), duplicate keys, tags and merges are faults.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.foundation.errors import Fault

Path = tuple[str | int, ...]

LARGEST_BYTES = 512 * 1024
MOST_NODES = 50_000  # after aliases are expanded
DEEPEST = 40

_PREFIX = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """``lines`` knows each mapping entry and list item by its path; 1-based."""

    file: str
    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of the path, or of the nearest part of it that exists."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0

    def fault(self, path: Path, message: str) -> Fault:
        return Fault(self.file, dotted(path), self.line(path), message)


class _Bomb(Exception):
    pass


def dotted(path: Path) -> str:
    """Return the path as people write it: ``spec.rules[0].rule``, ``files["a.conf"].template``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def read_yaml(content: bytes, file: str) -> Document:
    """Return the document; its faults are empty when it is well formed."""
    import yaml  # noqa: PLC0415  20-60 ms that a start of the daemon need not spend

    fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C one: 5 ms instead of 60
    document = Document(file)
    if len(content) > LARGEST_BYTES:
        message = f"is {len(content)} bytes large, {LARGEST_BYTES} are allowed"
        document.faults.append(Fault(file, "", 0, message))
        return document
    try:
        node = yaml.compose(content.decode(), Loader=fastest)
    except UnicodeDecodeError:
        document.faults.append(Fault(file, "", 0, "is not UTF-8 text"))
        return document
    except RecursionError:
        document.faults.append(Fault(file, "", 0, "is nested too deeply"))
        return document
    except yaml.YAMLError as error:
        document.faults.append(_syntax_fault(error, file))
        return document
    if node is None:
        document.faults.append(Fault(file, "", 0, "is empty"))
        return document
    try:
        document.data = _Reader(document).read(node, ())
    except _Bomb as error:
        document.faults.append(Fault(file, "", 0, str(error)))
    return document


def _syntax_fault(error: Exception, file: str) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    context = getattr(error, "context", None)
    message = f"is not YAML: {problem}" + (f" ({context})" if context else "")
    return Fault(file, "", mark.line + 1 if mark else 0, message)


class _Reader:
    """Walks YAML's nodes, which know their lines; plain data would not."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def read(self, node: Any, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _Bomb(f"has more than {MOST_NODES} parts once its aliases are expanded")
        if len(path) > DEEPEST:
            raise _Bomb(f"is nested deeper than {DEEPEST}, or an alias contains itself")
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            return [self.read(item, (*path, number)) for number, item in enumerate(node.value)]
        return self._scalar(str(node.value), str(node.tag), node.start_mark.line + 1, path)

    def _mapping(self, node: Any, path: Path) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            inner = (*path, key if isinstance(key, str) else "?")
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                self._fault(inner, line, "a key must be a plain text")
            elif key == "<<":
                self._fault(inner, line, "merges (<<) are not read: write the fields out")
            elif key in found:
                first = self._document.lines[inner]
                self._fault(inner, line, f"appears twice, first on line {first}")
            else:
                self._document.lines[inner] = line
                found[key] = self.read(value_node, inner)
        return found

    def _scalar(self, text: str, tag: str, line: int, path: Path) -> Any:
        match tag.removeprefix(_PREFIX):
            case "null":
                return None
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if re.fullmatch(r"[-+]?\d+", text):
                return int(text) if len(text) < 20 else float(text)
            case "float" if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text):
                return float(text)
            case "bool" | "int" | "float" | "str" | "timestamp" | "value" | "merge":
                return text
        self._fault(path, line, f"the tag {tag} is not read")
        return text

    def _fault(self, path: Path, line: int, message: str) -> None:
        self._document.faults.append(Fault(self._document.file, dotted(path), line, message))
