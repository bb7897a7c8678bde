"""The disk of a home is really full: a small file system of its own, filled to the last byte."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.daemon.homes import ECHO, Home

SIZE = "600m"  # preflight wants 512 MiB free for an install

pytestmark = pytest.mark.real


@pytest.fixture
def disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fhd-disk-", dir="/tmp"))
    folder.chmod(0o755)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def _fill(disk: Path) -> Path:
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    os.write(descriptor, b"x" * size)
            except OSError:
                continue
    finally:
        os.close(descriptor)
    return filler


def test_a_full_disk_refuses_changes_and_neither_reads_nor_software_notice(disk: Path) -> None:
    each = Home(above=str(disk))
    try:
        each.start()
        each.done(each.install(knobs={"storage": "1Mi"}))
        before = each.get("/v1/services/echo")
        filler = _fill(disk)
        for method, path in (
            ("POST", "/v1/services/echo/restart"),
            ("POST", "/v1/services/echo/stop"),
            ("PUT", "/v1/services/echo/bindings/my-app"),
        ):
            status, answer = each.ask(method, path, {})
            assert (status, answer["error"]) == (503, "TransientFault"), (path, answer)
            assert "no space left" in answer["message"]
            assert answer["next_command"].startswith("df -h")
        second = {"package": ECHO, "name": "second", "preset": "dev"}
        assert each.ask("POST", "/v1/services", second)[0] == 409
        assert [view["name"] for view in each.get("/v1/services")] == ["echo"]
        seen = each.get("/v1/services/echo")
        for field in ("state", "want", "generation"):
            assert seen[field] == before[field]
        assert seen["members"][0]["pid"] == before["members"][0]["pid"]
        assert [operation["verb"] for operation in each.get("/v1/operations")] == ["install"]
        filler.unlink()
        each.done(each.verb("echo", "restart"))
        assert each.change("PUT", "/v1/services/echo/bindings/my-app")["entries"]
    finally:
        each.close()
