"""A store on a disk of its own that is, or runs, full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.scenario.software.misbehaving_registry import Registry, doing, wheel_bytes

from freehold.foundation.errors import PermanentFault
from freehold.software.fetch import fetch_files
from freehold.software.layout import lay_out
from freehold.software.store import Store

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
SIZE = 48 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Store]:
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={SIZE}", "none"]
    mounted = subprocess.run(["mount", *options, place], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.decode().strip()}")
    try:
        store = Store(place / "store")
        store.prepare()
        yield store
    finally:
        subprocess.run(["umount", place], check=True)


def fill(store: Store) -> Path:
    ballast = store.root.parent / "ballast"
    with ballast.open("wb", buffering=0) as written:
        try:
            while True:
                written.write(bytes(1 << 20))
        except OSError:
            pass
    return ballast


def test_too_little_room_is_refused_before_the_first_byte(registry: Registry, small: Store):
    registry.jar("jar", 20 << 20)
    with pytest.raises(PermanentFault, match=r"cannot fetch 1 files: they need 21\.0 MB") as caught:
        fetch_files(registry.files, small, registry.registries)
    assert caught.value.next_command == "freehold software gc"
    assert registry.asked == []


def test_a_disk_that_fills_up_while_fetching(registry: Registry, small: Store):
    jar = registry.jar("jar", 8 << 20)
    registry.act(jar, doing(lambda: fill(small)))
    with pytest.raises(PermanentFault, match=r"cannot fetch jar-1\.0\.jar: the disk is full"):
        fetch_files(registry.files, small, registry.registries)
    assert not list(small.blobs.iterdir())
    assert not list(small.partial.iterdir())  # the room is given back to who runs there
    (small.root.parent / "ballast").unlink()
    fetch_files(registry.files, small, registry.registries)
    assert small.has(jar)


def test_a_disk_that_is_full_when_laying_out(registry: Registry, small: Store):
    registry.wheel("tool", wheel_bytes({"inner/large": (bytes(5 << 20), 0o644)}))
    lock = registry.lock()
    fetch_files(lock.files, small, registry.registries)
    ballast = fill(small)
    with pytest.raises(PermanentFault, match=r"cannot lay out thing 1\.0: the disk is full"):
        lay_out(lock, "thing", small)
    assert not list(small.trees.iterdir())
    ballast.unlink()
    assert (lay_out(lock, "thing", small) / "tool/large").stat().st_size == 5 << 20


def test_a_disk_without_room_for_even_the_folders(small: Store):
    place = small.root.parent
    subprocess.run(["mount", "-o", "remount,nr_inodes=12", place], check=True)
    for number in range(12):
        if not fits(place / f"{number}"):
            break
    with pytest.raises(
        PermanentFault, match=r"cannot make the software store .*: the disk is full"
    ):
        Store(place / "another").prepare()


def fits(place: Path) -> bool:
    try:
        place.touch()
    except OSError:
        return False
    return True
