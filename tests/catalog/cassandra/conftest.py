"""The package as it is shipped, and its hooks as an agent runs them: in the real worker process."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.cassandra import fake_cassandra
from tests.catalog.cassandra.fake_cassandra import FakeCluster

import freehold.agent.worker
from freehold.adapters.catalog import read_folder
from freehold.definition.loader import load_package
from freehold.definition.package import Package

CATALOG = Path(__file__).parents[3] / "catalog/cassandra"
_blocks = itertools.count(1)  # a new address for each fake: nothing waits for a port


@pytest.fixture(scope="session")
def package() -> Package:
    return load_package(read_folder(CATALOG), "catalog/cassandra")


@dataclass
class Hooks:
    """Calls hooks for one fake cluster, in the worker that an agent would start."""

    cluster: FakeCluster
    process: subprocess.Popen[str]
    folder: Path
    ca: Path
    secrets: dict[str, str]
    told: dict[str, Any] = field(default_factory=dict)  # of the member, instead of the usual

    def call(
        self,
        hook: str,
        index: int = 0,
        pid: int = 2**22 + 1,
        kind: str = "action",
        **arguments: Any,
    ) -> dict[str, Any]:
        addresses = {f"m-{n}": address for n, address in enumerate(self.cluster.members)}
        data = self.folder / f"data-{index}"
        data.mkdir(exist_ok=True)
        member = {
            "name": f"m-{index}",
            "service": "fake",
            "component": "node",
            "ordinal": index,
            "incarnation": 0,
            "version": "5.0.9",
            "bind": addresses[f"m-{index}"],
            "advertise": addresses[f"m-{index}"],
            "addresses": addresses,
            "peers": list(addresses),
            "volumes": {"data": str(data)},
            "conf": "",
            "run": "",
            "software": "",
            "facts": {
                "site": fake_cassandra.SITE,
                "founders": list(addresses),
                "knobs": {"redundancy": min(3, len(addresses))},
            },
            "secrets": self.secrets,
            "secret_files": {"ca.crt": str(self.ca)},
            "main_pid": pid,
            **self.told,
        }
        request = {"id": 1, "kind": kind, "hook": hook, "member": member}
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({**request, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["kind"] != "raised", answer
        return answer

    def call_metrics(self) -> dict[str, float]:
        value: dict[str, float] = self.call("metrics", kind="metrics")["value"]
        return value

    def carry(self, hook: str, index: int = 0, calls: int = 60, **arguments: Any) -> dict[str, Any]:
        """Call until it is done or failed, as the agent does, without its pauses."""
        for _ in range(calls):
            answer = self.call(hook, index, **arguments)
            if answer["kind"] != "progress":
                return answer
        raise AssertionError(f"{hook} does not end: {answer}")


@pytest.fixture
def serve(package, tmp_path) -> Iterator[Callable[[int], Hooks]]:
    """Return a function that serves a fresh fake cluster of so many members."""
    closing: list[Callable[[], object]] = []

    def make(count: int) -> Hooks:
        block = f"127.43.{150 + next(_blocks) % 100}"
        cluster = fake_cassandra.fresh([f"{block}.{n + 1}" for n in range(count)])
        folder = tmp_path / block
        folder.mkdir()
        serving = fake_cassandra.served(cluster, folder)
        ca = serving.__enter__()
        closing.append(lambda: serving.__exit__(None, None, None))
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", freehold.agent.worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        closing.append(lambda: end(process))
        spec = package.spec.hooks
        files = {path: package.text(path) for path in spec.files}
        first = {"module": package.text(spec.module), "files": files, "libraries": ""}
        process.stdin.write(json.dumps(first) + "\n")
        secrets = {"control": fake_cassandra.CONTROL, "admin": "it's-generated", "app.shop": "pw"}
        return Hooks(cluster, process, folder, ca, secrets)

    yield make
    for close in reversed(closing):
        close()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
