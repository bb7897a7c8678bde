"""The class archive: made once from what the JVM tells, whole or not at all, and again when useless."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.cassandra.conftest import Hooks

CLASS_PATH = '-cp "/software/lib/a.jar:/software/lib/b.jar"'


@pytest.fixture
def hooks(serve: Any, tmp_path: Path) -> Hooks:
    made: Hooks = serve(1)
    for part in ("derived", "conf", "software/jdk/bin"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "conf/java.options").write_text(f"-Xmx1g\n-javaagent:/x.jar\n{CLASS_PATH}\n")
    for part in ("derived", "conf", "software"):
        made.told[part] = str(tmp_path / part)
    return made


def java(folder: Path, script: str) -> None:
    """Stand in for the JVM that writes the archive."""
    program = folder / "software/jdk/bin/java"
    program.write_text(f"#!/bin/sh\ncd {folder}/derived\n{script}\n")
    program.chmod(0o755)
    os.utime(folder / "software", (1, 1))


def run(answer: dict[str, Any]) -> int:
    """Run the job that was asked for, as the agent does."""
    assert answer["kind"] == "run"
    argv = [sys.executable if each == "${python}" else each for each in answer["argv"]]
    return subprocess.run(argv, check=False, capture_output=True).returncode


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "derived").iterdir())


def test_the_archive_is_of_the_loaded_classes_and_the_members_own_class_path(hooks, tmp_path):
    java(tmp_path, "cp m-0.list ../list; cp m-0.args ../args; echo x > m-0.part")
    answer = hooks.call("make_class_archive")
    assert run(answer) == 0
    assert (tmp_path / "list").read_text().splitlines() == [
        "java/lang/Error",
        "java/lang/Object",
        "java/lang/Throwable",
        "java/util/function/BiPredicate",
        "org/apache/cassandra/db/Keyspace$1",
    ]
    options = (tmp_path / "args").read_text().splitlines()
    assert options[-1] == CLASS_PATH
    assert "-Xshare:dump" in options
    assert not any("javaagent" in each for each in options)
    assert content(tmp_path) == ["classes.jsa"]


def test_the_action_is_done_when_its_job_is(hooks):
    hooks.told["job"] = {"exit_code": None, "log_tail": ""}
    assert hooks.call("make_class_archive")["kind"] == "progress"
    hooks.told["job"] = {"exit_code": 0, "log_tail": ""}
    assert hooks.call("make_class_archive")["kind"] == "done"


def test_a_jvm_that_fails_leaves_nothing_and_the_action_says_why(hooks, tmp_path):
    java(tmp_path, "echo half > m-0.part; exit 3")
    assert run(hooks.call("make_class_archive")) == 3
    assert content(tmp_path) == []
    hooks.told["job"] = {"exit_code": 3, "log_tail": "No space left\n"}
    answer = hooks.call("make_class_archive")
    assert answer == {"id": 1, "kind": "failed", "reason": "its JVM ended with 3: No space left"}


def test_a_young_archive_that_the_jvm_reads_is_good_enough(hooks, tmp_path):
    java(tmp_path, "")
    archive = tmp_path / "derived/classes.jsa"
    archive.write_text("x")
    member = next(iter(hooks.cluster.members.values()))
    assert hooks.call("make_class_archive")["kind"] == "done"  # nobody has started since
    member.started_at = archive.stat().st_mtime + 60
    member.shares = True
    assert hooks.call("make_class_archive")["kind"] == "done"
    member.shares = False  # damaged, or of other files
    assert hooks.call("make_class_archive")["kind"] == "run"
    member.shares = True
    os.utime(archive, (0, 0))  # older than the software
    assert hooks.call("make_class_archive")["kind"] == "run"


def test_half_made_files_of_the_dead_are_removed(hooks, tmp_path):
    java(tmp_path, "echo x > m-0.part")
    for name, age_s in (("gone-0.part", 7200), ("gone-0.list", 7200), ("busy-0.part", 10)):
        path = tmp_path / "derived" / name
        path.write_text("half")
        now = path.stat().st_mtime
        os.utime(path, (now - age_s, now - age_s))
    run(hooks.call("make_class_archive"))
    assert content(tmp_path) == ["busy-0.part", "classes.jsa"]


def test_a_place_without_a_folder_for_it_needs_none_and_a_missing_one_is_told(hooks, tmp_path):
    hooks.told["derived"] = ""
    assert hooks.call("make_class_archive")["kind"] == "done"
    hooks.told["derived"] = str(tmp_path / "removed")
    answer = hooks.call("make_class_archive")
    assert answer["kind"] == "failed"
    assert "removed" in answer["reason"]


def test_the_archive_is_named_to_the_jvm_and_its_sums_are_checked(package):
    options = package.text("templates/java.options.j2")
    assert '"-XX:SharedArchiveFile=${derived}/classes.jsa"' in options
    assert "-XX:+VerifySharedSpaces" in options
    assert package.spec.actions["class-archive"].when == "settled"
