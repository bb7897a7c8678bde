from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from freehold.foundation.errors import DefinitionError, RefusedError
from freehold.software.lock import LockedFile, parse_lock, render_lock, sorted_lock

PLACE = "locks/1.0/linux-x86_64.json"
JAR = LockedFile(
    registry="maven", name="org.example:thing", version="1.0", file="thing-1.0.jar",
    size=10, sha256="a" * 64, into="lib",
)  # fmt: skip
WHEEL = LockedFile(
    registry="pypi", name="driver", version="2", file="driver-2-cp311-cp311-any.whl",
    size=20, sha256="b" * 64, into="hooks", unpack="", python="3.11",
)  # fmt: skip


def text(**changes: object) -> bytes:
    value = json.loads(render_lock(sorted_lock("1.0", "linux-x86_64", [JAR, WHEEL])))
    value["files"][1] |= {k: v for k, v in changes.items() if k in value["files"][1]}
    value |= {k: v for k, v in changes.items() if k in ("format", "platform")}
    return json.dumps(value).encode()


def test_a_rendered_lock_reads_back_as_itself():
    lock = sorted_lock("1.0", "linux-x86_64", [WHEEL, JAR])
    assert parse_lock(render_lock(lock), PLACE) == lock
    assert [file.into for file in lock.files] == ["hooks", "lib"]


def test_a_lock_without_files_is_a_lock():
    lock = sorted_lock("1.0", "linux-x86_64", [])
    assert parse_lock(render_lock(lock), PLACE) == lock


def test_the_digest_follows_every_field():
    lock = sorted_lock("1.0", "linux-x86_64", [JAR])
    other = sorted_lock("1.0", "linux-x86_64", [replace(JAR, into="other")])
    assert lock.digest != other.digest
    assert lock.digest == sorted_lock("1.0", "linux-x86_64", [JAR]).digest


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"file": "../thing.jar"}, "files[1].file"),
        ({"file": "a/b.jar"}, "files[1].file"),
        ({"file": ".hidden"}, "files[1].file"),
        ({"into": "../lib"}, "files[1].into"),
        ({"into": "/lib"}, "files[1].into"),
        ({"unpack": "../.."}, "files[1].unpack"),
        ({"name": "https://host/x"}, "files[1].name"),
        ({"name": "group.only"}, "files[1].name"),
        ({"version": "a/b"}, "files[1].version"),
        ({"python": "3"}, "files[1].python"),
        ({"size": 0}, "files[1].size"),
        ({"size": "10"}, "files[1].size"),
        ({"sha256": "abc"}, "files[1].sha256"),
        ({"registry": "npm"}, "files[1].registry"),
        ({"platform": "windows"}, "platform"),
        ({"format": 2}, "format"),
        ({"into": "aaa"}, "files"),  # out of order
    ],
)
def test_a_wrong_field_is_refused_with_its_path(changes: dict[str, object], path: str):
    with pytest.raises(DefinitionError) as caught:
        parse_lock(text(**changes), PLACE)
    assert path in [fault.path for fault in caught.value.faults]
    assert str(caught.value).startswith(f"cannot use the lock {PLACE}")


def test_every_fault_is_reported_at_once():
    with pytest.raises(DefinitionError) as caught:
        parse_lock(text(file="../x", into="/y", version="a b", platform="?"), PLACE)
    paths = {fault.path.rpartition(".")[2] for fault in caught.value.faults}
    assert paths >= {"file", "into", "version", "platform"}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff\xfe", b'{"format": 1, "url": "x"}'])
def test_what_is_no_lock_is_refused(data: bytes):
    with pytest.raises(DefinitionError):
        parse_lock(data, PLACE)


def test_two_files_for_one_place_are_refused():
    lock = sorted_lock("1.0", "linux-x86_64", [JAR, replace(JAR, sha256="c" * 64)])
    with pytest.raises(DefinitionError, match="stands there 2 times"):
        parse_lock(render_lock(lock), PLACE)


def test_wheels_for_other_interpreters_are_left_out():
    other = replace(WHEEL, python="3.12", file="driver-2-cp312-cp312-any.whl")
    lock = sorted_lock("1.0", "linux-x86_64", [JAR, WHEEL, other])
    assert lock.for_python("3.12").files == (other, JAR)
    assert lock.for_python("3.12").digest != lock.for_python("3.11").digest
    with pytest.raises(RefusedError, match=r"Python 3\.13: .* 3\.11, 3\.12"):
        lock.for_python("3.13")


def test_without_flagged_wheels_the_digest_is_the_locks_own():
    lock = sorted_lock("1.0", "linux-x86_64", [JAR])
    assert lock.for_python("3.99").digest == lock.digest


def test_the_committed_locks_parse_and_name_no_host():
    locks = sorted(Path("catalog").glob("*/locks/*/*.json"))
    assert locks
    for path in locks:
        lock = parse_lock(path.read_bytes(), str(path))
        assert (lock.version, lock.platform) == (path.parent.name, path.stem)
        assert b"://" not in path.read_bytes()
        assert render_lock(lock) == path.read_bytes()
