"""The project's own machinery: requirements, set-up, the rules that conftest.py keeps."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["runtime", "build", "dev"])
def test_every_requirement_has_hashes_and_none_names_an_index(name):
    text = (ROOT / f"requirements/{name}.txt").read_text()
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "index-url" not in text


def test_what_the_project_needs_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = {
        "runtime": project["project"]["dependencies"],
        "dev": project["dependency-groups"]["dev"],
        "build": project["build-system"]["requires"],
    }
    for name, requirements in needed.items():
        have = pinned(name) | pinned("runtime")
        for requirement in requirements:
            wanted = re.match(r"[A-Za-z0-9._-]+", requirement)
            assert wanted
            assert wanted[0].lower() in have, f"{requirement}: run requirements/refresh"


def test_dev_and_runtime_agree_on_versions():
    runtime, dev = pinned("runtime"), pinned("dev")
    assert {name: dev[name] for name in runtime if name in dev} == {
        name: version for name, version in runtime.items() if name in dev
    }


@pytest.mark.parametrize("script", ["setup.sh", "requirements/refresh"])
def test_scripts_are_posix_shell(script):
    done = subprocess.run(["sh", "-n", ROOT / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_set_up_explains_itself_and_refuses_what_it_does_not_know():
    told = subprocess.run([ROOT / "setup.sh", "--help"], capture_output=True, text=True, check=True)
    assert "./setup.sh install cassandra" in told.stdout
    refused = subprocess.run(
        [ROOT / "setup.sh", "--nonsense"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 70
    assert refused.stderr == "cannot understand --nonsense\nnext: ./setup.sh --help\n"


def test_set_up_refuses_a_python_that_does_not_start(tmp_path):
    for name in ("setup.sh", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    refused = subprocess.run(
        [tmp_path / "setup.sh", "--dev", "--python", "/bin/false"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot use /bin/false" in refused.stderr
    assert refused.returncode == 70
    assert not (tmp_path / ".venv").exists()


def run_pytest(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", folder, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("skip", "code"),
    [
        ("pytest.skip()", 1),
        ("pytest.skip('no disk to fill here')", 0),
    ],
)
def test_a_skip_needs_a_reason(skip, code, tmp_path):
    done = run_pytest(tmp_path, f"import pytest\ndef test_x():\n    {skip}\n")
    assert done.returncode == code, done.stdout


def test_a_process_left_behind_fails_the_session(tmp_path):
    left = tmp_path / "pid"
    done = run_pytest(
        tmp_path,
        "import os, subprocess, pathlib\n"
        "def test_x():\n"
        "    environment = {**os.environ, 'FREEHOLD_HOME': 'x'}\n"
        "    child = subprocess.Popen(['sleep', '60'], env=environment, start_new_session=True)\n"
        f"    pathlib.Path({str(left)!r}).write_text(str(child.pid))\n"
        "    child.returncode = 0  # so that Popen itself does not complain\n",
    )
    subprocess.run(["kill", left.read_text()], check=True)
    assert done.returncode == 1, done.stdout
    assert "tests left processes behind" in done.stdout
