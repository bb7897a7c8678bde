"""Locks made from a repository and an index, without Maven or pip."""

from __future__ import annotations

import hashlib

import pytest
from tests.scenario.software.misbehaving_registry import Registry, wheel_bytes

from freehold.definition.schema import Source, Version
from freehold.foundation.errors import DefinitionError, PermanentFault
from freehold.software.lock import LockedFile
from freehold.software.lockmaker import make_lock


def publish(registry: Registry, file: LockedFile, *needs: str, checksum: str = "sha1") -> None:
    group, artifact, *_ = file.name.split(":")
    wanted = "".join(
        f"<dependency><groupId>org.test</groupId><artifactId>{name}</artifactId>"
        "<version>1.0</version></dependency>"
        for name in needs
    )
    folder = f"/m/{group.replace('.', '/')}/{artifact}/1.0"
    registry.contents[f"{folder}/{artifact}-1.0.pom"] = (
        f"<project><dependencies>{wanted}</dependencies></project>".encode()
    )
    if checksum:
        digest = hashlib.new(checksum, registry.contents[f"{folder}/{file.file}"]).hexdigest()
        registry.contents[f"{folder}/{file.file}.{checksum}"] = f"{digest}  {file.file}".encode()


def version(*sources: Source) -> Version:
    return Version(version="1.0", locks="locks/1.0", software=list(sources))


APP = Source(maven="org.test:app:1.0", into="lib")


def test_a_lock_is_what_a_repository_and_an_index_hold(registry: Registry):
    publish(registry, registry.jar("app"), "library")
    publish(registry, registry.jar("library"), checksum="sha256")
    publish(registry, registry.jar("agent", into="agents"), "never")
    wheel = registry.wheel("tool", wheel_bytes({"inner/x": (b"x", 0o644)}))
    made = make_lock(
        version(
            APP,
            Source(maven="org.test:agent:1.0", transitive=False, into="agents"),
            Source(pypi="tool==1.0", into="tool", unpack="inner", only=["linux-x86_64"]),
            Source(pypi="elsewhere==1.0", only=["linux-aarch64"]),
        ),
        "linux-x86_64",
        registry.registries(),
    )
    assert made == registry.lock()
    assert wheel in made.files


@pytest.mark.parametrize("checksum", ["sha1", "sha256"])
def test_what_does_not_match_its_published_checksum_is_not_locked(registry: Registry, checksum):
    publish(registry, registry.jar("app"), checksum=checksum)
    registry.contents["/m/org/test/app/1.0/app-1.0.jar"] = b"other"
    with pytest.raises(PermanentFault, match=f"cannot lock org.test:app:1.0: its {checksum} is"):
        make_lock(version(APP), "linux-x86_64", registry.registries())


def test_what_publishes_no_checksum_is_not_locked(registry: Registry):
    publish(registry, registry.jar("app"), checksum="")
    with pytest.raises(PermanentFault, match="publishes no checksum"):
        make_lock(version(APP), "linux-x86_64", registry.registries())


def test_a_wheel_that_does_not_match_the_index_is_not_locked(registry: Registry):
    wheel = registry.wheel("tool", b"true")
    registry.contents[f"/files/{wheel.file}"] = b"lies"
    with pytest.raises(PermanentFault, match="the index says"):
        make_lock(version(Source(pypi="tool==1.0")), "linux-x86_64", registry.registries())


def test_a_library_that_is_not_there_is_named(registry: Registry):
    publish(registry, registry.jar("app"), "gone")
    with pytest.raises(PermanentFault, match=r"cannot find org/test/gone/1\.0/gone-1\.0\.pom"):
        make_lock(version(APP), "linux-x86_64", registry.registries())


def test_sources_that_say_nothing_are_refused_together(registry: Registry):
    wrong = [Source(), Source(maven="a:b", pypi=""), Source(pypi="a"), Source(maven="a", pypi="b")]
    with pytest.raises(DefinitionError) as caught:
        make_lock(version(*wrong), "linux-x86_64", registry.registries())
    assert [fault.path for fault in caught.value.faults] == [f"software[{n}]" for n in range(4)]


def test_a_platform_without_sources_is_refused(registry: Registry):
    only = Source(pypi="tool==1.0", only=["linux-aarch64"])
    with pytest.raises(DefinitionError, match="no source is for linux-x86_64"):
        make_lock(version(only), "linux-x86_64", registry.registries())
