"""The smallest package that lint accepts, and ways to break it."""

from __future__ import annotations

import json
from pathlib import Path

from freehold.definition.loader import load_package
from freehold.definition.package import Package

ECHO = Path(__file__).parents[3] / "src/freehold/testkit/echo"

SERVICE = """\
apiVersion: freehold.dev/v1alpha1
kind: ServiceDefinition
metadata: {name: tiny}
spec:
  title: Tiny
  does: Says one thing
  category: testing
  license: Apache-2.0
  source: here
  versions:
    - {version: "1", locks: locks/1}
  knobs:
    members: {type: integer, default: 3, minimum: 1, maximum: 5, changes: live}
    memory: {type: bytes, default: 64Mi, minimum: 32Mi}
    mode: {type: choice, choices: [fast, safe], default: safe, changes: reload}
  rules:
    - {rule: "knobs.members > 1 || knobs.mode == 'fast'", message: safe needs a second member}
  presets:
    dev: {members: 1, mode: fast}
    ha: {members: 3}
  components:
    node:
      members: "${knobs.members}"
      run: ["${python}", -c, "${conf}/tiny.conf"]
      files:
        tiny.conf: {template: tiny.conf.j2}
      listeners:
        api: {port: 7070, tls: server}
      volumes:
        data: {size: 1Gi}
      resources: {memory: "${knobs.memory}"}
      secrets: [admin]
      probes:
        ready: {tcp: api}
      reload: {signal: SIGHUP}
      metrics:
        - hook: metrics
          metrics:
            - {name: things, help: Things it keeps}
  secrets:
    admin: {kind: password}
  hooks: {module: hooks.py}
  actions:
    check: {hook: check}
  endpoints:
    api: {listener: api}
  check: {action: check}
  alerts:
    - {name: many, metric: things, above: 3, summary: Many, runbook: docs/many.md}
"""

HOOKS = """\
def metrics(member, arguments):
    return {"things": 1}


def check(member, arguments):
    return None
"""

LOCK = {"format": 1, "version": "1", "platform": "linux-x86_64", "files": []}


def tiny(**replaced: str | None) -> dict[str, bytes]:
    """Return the files; a keyword replaces (or with None removes) one: ``hooks_py="…"``."""
    files: dict[str, str] = {
        "service.yaml": SERVICE,
        "hooks.py": HOOKS,
        "tiny.conf.j2": "mode={{ knobs.mode }}\npassword={{ secret('admin') }}\n",
        "docs/many.md": "# many\n",
        "locks/1/linux-x86_64.json": json.dumps(LOCK, indent=2),
    }
    names = {path.translate(str.maketrans("/.-", "___")): path for path in files}
    for name, text in replaced.items():
        if text is None:
            del files[names[name]]
        else:
            files[names[name]] = text
    return {path: text.encode() for path, text in files.items()}


def broken(old: str, new: str) -> dict[str, bytes]:
    """Return the package with one passage of service.yaml replaced."""
    assert SERVICE.count(old) == 1, f"{old!r} stands {SERVICE.count(old)} times in the text"
    return tiny(service_yaml=SERVICE.replace(old, new))


def load_tiny(files: dict[str, bytes] | None = None) -> Package:
    return load_package(files or tiny(), "packages/tiny")


def folder(path: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(path)): each.read_bytes()
        for each in path.rglob("*")
        if each.is_file() and "__pycache__" not in each.parts
    }
