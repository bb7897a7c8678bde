"""The README's commands, in order, as printed, by an ordinary user with an empty home."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UID = 61999  # nobody's: as root the README is followed by an ordinary user too
WITHIN_S = 900

pytestmark = [pytest.mark.slow, pytest.mark.real]


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Path]:
    """A clone of what is tracked, where the ordinary user can enter; pytest's folder is root's."""
    top = Path("/tmp") / f"freehold-readme-{os.getpid()}"
    shutil.rmtree(top, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        source, target = ROOT / name, top / "clone" / name
        if name and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    (top / "home").mkdir()
    if os.getuid() == 0:
        for folder, _, files in os.walk(top):
            for path in (folder, *(f"{folder}/{each}" for each in files)):
                os.chown(path, UID, UID)
    yield top
    shutil.rmtree(top, ignore_errors=True)
    shutil.rmtree(f"/tmp/freehold-{UID}", ignore_errors=True)  # its sockets


def as_ordinary_user(top: Path, script: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "FREEHOLD_HOME", "PYTHON", "VIRTUAL_ENV"))
    }
    words = ["bash", "-euo", "pipefail", "-c", script]
    if os.getuid() == 0:
        words = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", *words]
    return subprocess.run(
        words,
        cwd=top / "clone",
        env={**kept, "HOME": str(top / "home")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )


def processes_of(uid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid == uid and (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_the_readme_works_as_printed(clone):
    text = (ROOT / "README.md").read_text().split("## Test it")[0]
    script = "".join(BLOCK.findall(text))
    try:
        ended = as_ordinary_user(clone, script)
        stopped = as_ordinary_user(clone, '"$HOME/.local/bin/freehold" daemon stop')
    finally:
        left = processes_of(UID) if os.getuid() == 0 else []
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert ended.returncode == 0, ended.stdout
    for said in (
        "cassandra is ready",
        "my-app is bound to cassandra",
        "Row(name='ann', said='hello')",
        "cassandra: passed in",
        "cassandra and its data are gone",
    ):
        assert said in ended.stdout, ended.stdout
    assert stopped.returncode == 0, stopped.stdout
    assert left == []
