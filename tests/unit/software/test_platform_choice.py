from __future__ import annotations

import pytest

from freehold.definition.package import Package
from freehold.definition.schema import (
    Component,
    Endpoint,
    Metadata,
    ServiceDefinition,
    Spec,
    Version,
)
from freehold.foundation.errors import NotFoundError, RefusedError
from freehold.software.lock import render_lock, sorted_lock
from freehold.software.platforms import lock_for, platform_name


def package(*platforms: str) -> Package:
    spec = Spec(
        title="T", does="d", category="c", license="l", source="s",
        versions=[Version(version="1.0", locks="locks/1.0")],
        components={"node": Component(run=["x"])},
        endpoints={"main": Endpoint(listener="main")},
    )  # fmt: skip
    definition = ServiceDefinition(
        apiVersion="freehold.dev/v1alpha1",
        kind="ServiceDefinition",
        metadata=Metadata(name="thing"),
        spec=spec,
    )
    files = {
        f"locks/1.0/{each}.json": render_lock(sorted_lock("1.0", each, [])) for each in platforms
    }
    return Package(name="thing", digest="sha256:0", definition=definition, files=files)


@pytest.mark.parametrize(
    ("system", "machine", "libc", "expected"),
    [
        ("linux", "x86_64", "glibc", "linux-x86_64"),
        ("linux", "AMD64", "glibc", "linux-x86_64"),
        ("linux", "arm64", "glibc", "linux-aarch64"),
        ("linux", "x86_64", "", "linux-x86_64-musl"),
        ("darwin", "arm64", "", "darwin-aarch64"),
    ],
)
def test_a_platforms_name(system: str, machine: str, libc: str, expected: str):
    assert platform_name(system, machine, libc) == expected


def test_the_lock_of_this_platform():
    assert lock_for(package("linux-x86_64"), "1.0", "linux-x86_64").platform == "linux-x86_64"


def test_no_lock_for_this_platform_is_refused_naming_those_there_are():
    with pytest.raises(RefusedError) as caught:
        lock_for(package("linux-x86_64", "linux-aarch64"), "1.0", "linux-x86_64-musl")
    assert str(caught.value) == (
        "cannot use thing 1.0 on linux-x86_64-musl: "
        "its software is locked for linux-aarch64, linux-x86_64 only"
    )


def test_no_lock_at_all_says_so():
    with pytest.raises(RefusedError, match="no software is locked for it"):
        lock_for(package(), "1.0", "linux-x86_64")


def test_an_unknown_version_is_not_found():
    with pytest.raises(NotFoundError, match=r"cannot find version '2\.0' of thing: it has 1\.0"):
        lock_for(package(), "2.0", "linux-x86_64")


def test_a_lock_in_the_wrong_place_is_refused():
    wrong = package("linux-x86_64")
    files = {"locks/1.0/linux-x86_64.json": render_lock(sorted_lock("2.0", "linux-x86_64", []))}
    moved = Package(name="thing", digest="d", definition=wrong.definition, files=files)
    with pytest.raises(RefusedError, match=r"is the lock of 2\.0"):
        lock_for(moved, "1.0", "linux-x86_64")
