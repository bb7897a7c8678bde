"""The hook worker: runs a package's hooks as the member's account, apart from the agent.

Reads JSON lines on stdin, answers JSON lines on stdout. Secrets arrive only here. A crash, a leak
or a hang of a client library ends this process, never the agent or the engine. Standard library
only: it may run under another interpreter than the agent.

First line: {"module", "files", "libraries"}; then {"id", "kind", "hook", "member", "arguments"}.
"""

from __future__ import annotations

import dataclasses
import importlib.abc
import importlib.machinery
import importlib.util
import json
import linecache
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))  # noqa: PTH100, PTH120

from freehold.agent.hook import Done, Failed, Job, Member, Progress, Run


class PackageFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a package's modules from the texts in its definition: nothing is unpacked."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._texts: dict[str, tuple[str, str, bool]] = {}
        for path, text in files.items():
            if path.endswith(".py"):
                name = path[:-3].replace("/", ".")
                is_package = name.endswith(".__init__")
                self._texts[name.removesuffix(".__init__")] = (path, text, is_package)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._texts:
            return None
        return importlib.util.spec_from_loader(
            fullname, self, is_package=self._texts[fullname][2], origin=self._texts[fullname][0]
        )

    def exec_module(self, module: ModuleType) -> None:
        path, text, _ = self._texts[module.__name__]
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        exec(compile(text, path, "exec"), module.__dict__)  # noqa: S102


def load(package: Mapping[str, Any]) -> ModuleType:
    libraries = package["libraries"]
    if libraries:
        minor = f"{libraries}/{sys.version_info.major}.{sys.version_info.minor}"
        sys.path.insert(1, minor if os.path.isdir(minor) else libraries)  # noqa: PTH112
    sys.meta_path.insert(0, PackageFinder({**package["files"], "hooks.py": package["module"]}))
    return importlib.import_module("hooks")


def call(hooks: ModuleType, request: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(request["member"])
    told["peers"] = tuple(told["peers"])
    if told.get("job") is not None:
        told["job"] = Job(**told["job"])
    function = getattr(hooks, request["hook"], None)
    if function is None:
        return {"kind": "failed", "reason": f"hooks.py has no function {request['hook']!r}"}
    member = Member(**told)
    if request["kind"] == "action":
        return answer_of(function(member, request["arguments"]))
    return {"kind": "value", "value": function(member, request["arguments"])}


def answer_of(answer: object) -> dict[str, Any]:
    match answer:
        case Done():
            return {"kind": "done", "value": answer.value}
        case Progress():
            return {"kind": "progress", **dataclasses.asdict(answer)}
        case Failed():
            return {"kind": "failed", "reason": answer.reason}
        case Run():
            return {"kind": "run", "argv": list(answer.argv), "note": answer.note}
    reason = f"a hook must answer Done, Progress, Failed or Run, not {type(answer).__name__}"
    return {"kind": "failed", "reason": reason}


def told(error: BaseException) -> dict[str, Any]:
    """Describe an exception. ``transient``: the world, not the hook, is at fault."""
    traceback.print_exception(error, file=sys.stderr)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return {
        "kind": "raised",
        "reason": f"{type(error).__name__}: {error}{place}",
        "transient": isinstance(error, OSError | EOFError),
    }


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a hook prints goes to the log, not among the answers
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    package = json.loads(requests.readline())
    hooks: ModuleType | None = None
    for line in requests:
        request = json.loads(line)
        try:
            if hooks is None:
                hooks = load(package)
            answer = call(hooks, request)
            sys.stdout.flush()
            text = json.dumps({"id": request["id"], **answer})
        except Exception as error:  # noqa: BLE001  a hook may raise anything; the agent decides
            text = json.dumps({"id": request["id"], **told(error)})
        answers.write(text + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
