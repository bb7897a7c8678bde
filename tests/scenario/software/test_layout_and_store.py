"""Laying out, listing and collecting: whole trees or none, and nothing of a running service."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from tests.scenario.software.misbehaving_registry import (
    Registry,
    bytes_instead,
    hang_after,
    wheel_bytes,
)

from freehold.definition.package import Package
from freehold.definition.schema import (
    Component,
    Endpoint,
    Metadata,
    ServiceDefinition,
    Spec,
    Version,
)
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.software.collect import collect, holdings
from freehold.software.fetch import fetch_files
from freehold.software.layout import DamagedFault, lay_out
from freehold.software.lock import Lock, render_lock, sorted_lock
from freehold.software.locked import LockedSoftware
from freehold.software.store import Store, derived_folder

TOOL = {
    "inner/bin/run": (b"#!/bin/sh\necho ran\n", 0o755),
    "inner/conf/file": (b"x", 0o640),
    "other/file": (b"x", 0o644),
}


def package(locks: Mapping[str, Lock]) -> Package:
    definition = ServiceDefinition(
        apiVersion="freehold.dev/v1alpha1",
        kind="ServiceDefinition",
        metadata=Metadata(name="thing"),
        spec=Spec(
            title="T", does="d", category="c", license="l", source="s",
            versions=[Version(version=v, locks=f"locks/{v}") for v in locks],
            components={"node": Component(run=["x"])},
            endpoints={"main": Endpoint(listener="main")},
        ),
    )  # fmt: skip
    files = {f"locks/{v}/linux-x86_64.json": render_lock(lock) for v, lock in locks.items()}
    return Package(name="thing", digest="sha256:0", definition=definition, files=files)


def brought(registry: Registry, store: Store) -> Lock:
    lock = registry.lock()
    fetch_files(lock.files, store, registry.registries)
    return lock


def names(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir())


def test_a_tree_holds_links_unpacked_files_and_its_marker(registry: Registry, store: Store):
    jar = registry.jar("jar")
    registry.wheel("tool", wheel_bytes(TOOL))
    lock = brought(registry, store)
    tree = lay_out(lock, "thing", store)
    assert tree == store.trees / lock.digest
    assert names(tree) == [
        ".freehold-tree.json",
        "lib/jar-1.0.jar",
        "tool/bin/run",
        "tool/conf/file",
    ]
    assert (tree / "lib/jar-1.0.jar").samefile(store.blob(jar))
    assert subprocess.check_output([tree / "tool/bin/run"]) == b"ran\n"
    assert [path.name for path in store.trees.iterdir()] == [lock.digest]
    assert lay_out(lock, "thing", store) == tree


def test_a_strict_umask_hides_nothing_from_other_accounts(registry: Registry, tmp_path: Path):
    registry.jar("jar")
    registry.wheel("tool", wheel_bytes(TOOL))
    before = os.umask(0o077)
    try:
        store = Store(tmp_path / "store")
        store.prepare()
        tree = lay_out(brought(registry, store), "thing", store)
    finally:
        os.umask(before)
    for path in (tree, *tree.rglob("*")):
        wanted = 0o555 if path.is_dir() or path.name == "run" else 0o444
        assert stat.S_IMODE(path.stat().st_mode) & 0o777 & wanted == wanted, path


@pytest.mark.skipif(os.geteuid() != 0, reason="another account takes root")
def test_an_account_of_a_service_can_run_it_and_change_nothing(registry: Registry):
    registry.jar("jar")
    registry.wheel("tool", wheel_bytes(TOOL))
    root = Path("/var/tmp") / f"freehold-test-{os.getpid()}"  # tmp_path is closed to others
    try:
        store = Store(root / "store")
        store.prepare()
        root.chmod(0o711)
        tree = lay_out(brought(registry, store), "thing", store)
        derived = derived_folder(tree, 61999)

        def as_account(*command: object) -> subprocess.CompletedProcess[bytes]:
            return subprocess.run(
                [str(part) for part in command], user=61999, group=61999, extra_groups=[],
                capture_output=True, check=False,
            )  # fmt: skip

        assert as_account(tree / "tool/bin/run").stdout == b"ran\n"
        assert as_account("cat", tree / "lib/jar-1.0.jar").returncode == 0
        assert as_account("touch", derived / "archive").returncode == 0
        for refused in (tree / "new", tree / "lib/jar-1.0.jar", store.blobs / "x"):
            assert as_account("touch", refused).returncode != 0
        assert as_account("ls", store.blobs).returncode != 0
        assert as_account("ls", derived_folder(tree, 61998)).returncode != 0
    finally:
        subprocess.run(["rm", "-rf", root], check=True)


def test_a_file_that_changed_on_disk_is_never_laid_out(registry: Registry, store: Store):
    jar = registry.jar("jar")
    lock = brought(registry, store)
    store.blob(jar).chmod(0o644)
    store.blob(jar).write_bytes(bytes(jar.size))
    with pytest.raises(DamagedFault, match=r"damaged files: jar-1\.0\.jar"):
        lay_out(lock, "thing", store)
    assert not list(store.trees.iterdir())
    assert not store.has(jar)


def test_a_damaged_file_is_fetched_again_by_itself(registry: Registry, store: Store):
    jar = registry.jar("jar")
    lock = brought(registry, store)
    store.blob(jar).chmod(0o644)
    store.blob(jar).write_bytes(bytes(jar.size))
    software = LockedSoftware(store, platform="linux-x86_64", registries=registry.registries)
    tree = software.fetch_now(package({"1.0": lock}), "1.0")
    assert (tree / "lib/jar-1.0.jar").read_bytes() == registry.contents[
        "/m/org/test/jar/1.0/jar-1.0.jar"
    ]


@pytest.mark.parametrize(
    "content",
    [
        wheel_bytes({"inner/../../../evil": (b"x", 0o644), "inner/a": (b"x", 0o644)}),
        wheel_bytes({"inner/evil": (b"/etc/passwd", stat.S_IFLNK | 0o777)}),
        wheel_bytes({"inner/bomb": (bytes(100 << 20), 0o644)}),
        b"no archive at all",
    ],
    ids=["dots", "link", "bomb", "noise"],
)
def test_a_hostile_archive_leaves_nothing(registry: Registry, store: Store, content: bytes):
    registry.jar("jar")
    registry.wheel("tool", content)
    lock = brought(registry, store)
    with pytest.raises(PermanentFault, match="cannot unpack tool"):
        lay_out(lock, "thing", store)
    assert not list(store.trees.iterdir())
    assert not list(store.root.parent.rglob("evil"))


def test_an_archive_cannot_bring_its_own_marker(registry: Registry, store: Store):
    wheel = registry.wheel("tool", wheel_bytes({".freehold-tree.json": (b"{}", 0o644)}), "")
    lock = sorted_lock("1.0", "linux-x86_64", [wheel_at_root(wheel)])
    fetch_files(lock.files, store, registry.registries)
    with pytest.raises(PermanentFault, match="File exists"):
        lay_out(lock, "thing", store)
    assert not list(store.trees.iterdir())


def wheel_at_root(wheel):
    return msgspec.structs.replace(wheel, into="")


def test_a_half_made_tree_of_a_killed_process_is_swept_away(registry: Registry, store: Store):
    registry.jar("jar")
    lock = brought(registry, store)
    left = store.trees / f".new-{lock.digest}"
    left.mkdir()
    (left / "half").write_text("x")
    unmarked = store.tree(lock.digest)
    unmarked.mkdir()
    (unmarked / "half").write_text("x")
    assert store.marker(lock.digest) is None
    assert names(lay_out(lock, "thing", store)) == [".freehold-tree.json", "lib/jar-1.0.jar"]
    assert [path.name for path in store.trees.iterdir()] == [lock.digest]


def test_the_port_says_what_is_present_and_reports_progress(registry: Registry, store: Store):
    registry.jar("jar")
    one = registry.lock()
    both = package({"1.0": one, "2.0": sorted_lock("2.0", "linux-x86_64", [])})
    software = LockedSoftware(store, platform="linux-x86_64", registries=registry.registries)
    seen: list[tuple[str, float | None]] = []

    async def run() -> None:
        assert await software.present(both) == frozenset()
        assert await software.missing_bytes(both, "1.0") == one.size_bytes
        await software.fetch(both, "1.0", lambda note, ratio: seen.append((note, ratio)))
        assert await software.missing_bytes(both, "1.0") == 0
        assert await software.present(both) == {"1.0"}
        await software.fetch(both, "2.0", lambda *_: None)  # nothing in it, and still a tree
        assert await software.present(both) == {"1.0", "2.0"}

    asyncio.run(run())
    assert seen[-1] == ("laying out", 1.0)
    assert software.tree_for(both, "1.0").is_dir()


def test_a_cancelled_fetch_ends_at_once_and_can_be_repeated(registry: Registry, store: Store):
    jar = registry.jar("jar")
    registry.act(jar, hang_after(50_000))
    patient = lambda: registry.registries(timeout_s=300)  # noqa: E731
    software = LockedSoftware(store, platform="linux-x86_64", registries=patient)
    thing = package({"1.0": registry.lock()})

    async def run() -> None:
        task = asyncio.create_task(software.fetch(thing, "1.0", lambda *_: None))
        await asyncio.to_thread(registry.reached.wait, 30)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=20)
        assert done
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await software.present(thing) == frozenset()
        await software.fetch(thing, "1.0", lambda *_: None)
        assert await software.present(thing) == {"1.0"}

    asyncio.run(run())


def test_two_fetchers_at_once_bring_each_file_once(registry: Registry, store: Store):
    for number in range(20):
        registry.jar(f"jar{number}", 50_000)
    lock, faults = registry.lock(), []
    thing = package({"1.0": lock})

    def run() -> None:
        software = LockedSoftware(store, platform="linux-x86_64", registries=registry.registries)
        try:
            software.fetch_now(thing, "1.0")
        except Exception as error:  # noqa: BLE001  shown by the assertion below
            faults.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert store.marker(lock.digest) is not None
    assert [len(registry.asked_for(file)) for file in lock.files] == [1] * 20
    assert not list(store.partial.iterdir())


CHILD = """
import sys
from pathlib import Path
from freehold.software.fetch import fetch_files
from freehold.software.lock import parse_lock
from freehold.software.network import Access
from freehold.software.registries import Registries
from freehold.software.store import Store
from freehold.software.transport import Address
lock = parse_lock(Path(sys.argv[1]).read_bytes(), "lock")
maven = (Address(url=sys.argv[3], kind="maven"),)
def registries():
    return Registries(maven=maven, pypi=(), access=Access())
def report(done, total, note):
    print(done, flush=True)
fetch_files(lock.files, Store(Path(sys.argv[2])), registries, progress=report)
"""


def test_after_kill_9_the_next_one_goes_on_where_it_was(
    registry: Registry, store: Store, tmp_path: Path
):
    whole, half = registry.jar("whole", 10_000), registry.jar("half", 400_000)
    registry.act(half, hang_after(150_000))
    (tmp_path / "lock").write_bytes(render_lock(registry.lock()))
    command = [sys.executable, "-c", CHILD, tmp_path / "lock", store.root, f"{registry.url}/m"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == 160_000:
                break
        child.kill()
    assert not store.has(half)
    software = LockedSoftware(store, platform="linux-x86_64", registries=registry.registries)
    software.fetch_now(package({"1.0": registry.lock()}), "1.0")
    assert registry.asked_for(half) == ["", "bytes=150000-"]
    assert len(registry.asked_for(whole)) == 1


def two_trees(registry: Registry, store: Store) -> tuple[Lock, Lock]:
    shared, old, new = (registry.jar(name) for name in ("shared", "old", "new"))
    locks = [
        sorted_lock("1.0", "linux-x86_64", [shared, old]),
        sorted_lock("2.0", "linux-x86_64", [shared, new]),
    ]
    for lock in locks:
        fetch_files(lock.files, store, registry.registries)
        lay_out(lock, "thing", store)
    return locks[0], locks[1]


def test_gc_removes_what_nothing_refers_to(registry: Registry, store: Store):
    old, new = two_trees(registry, store)
    (store.partial / "left").write_bytes(b"x")
    for lock in (old, new):
        (derived_folder(store.tree(lock.digest)) / "archive").write_bytes(bytes(5000))
    listed = {tree.version: tree for tree in holdings(store).trees}
    assert listed["1.0"].derived_bytes > 5000
    assert listed["1.0"].size_bytes > 400_000
    before = holdings(store).total_bytes

    planned = collect(store, {new.digest}, dry_run=True)
    assert [tree.version for tree in planned.trees] == ["1.0"]
    assert holdings(store).total_bytes == before

    removed = collect(store, {new.digest})
    assert removed == planned
    assert before - holdings(store).total_bytes == removed.freed_bytes
    assert [tree.version for tree in holdings(store).trees] == ["2.0"]
    assert {path.name for path in store.blobs.iterdir()} == {file.sha256 for file in new.files}
    assert [path.name for path in store.derived.iterdir()] == [new.digest]
    assert not list(store.partial.iterdir())
    assert store.damaged(new) == []


def test_gc_of_everything_leaves_an_empty_store(registry: Registry, store: Store):
    two_trees(registry, store)
    collect(store, set())
    left = [path for path in store.root.rglob("*") if path.is_file()]
    assert {path.name for path in left} == {"use.lock", "layout.lock"}


def test_gc_waits_for_no_one_and_takes_nothing_from_a_fetch(registry: Registry, store: Store):
    two_trees(registry, store)
    with store.in_use(), pytest.raises(TransientFault, match="is fetching software"):
        collect(store, set())
    assert len(holdings(store).trees) == 2


def test_a_tampered_download_leaves_the_installed_version_alone(registry: Registry, store: Store):
    old = registry.jar("old")
    one = sorted_lock("1.0", "linux-x86_64", [old])
    new = registry.jar("new")
    two = sorted_lock("2.0", "linux-x86_64", [new])
    registry.act(new, bytes_instead(bytes(new.size)))
    both = package({"2.0": two, "1.0": one})
    software = LockedSoftware(store, platform="linux-x86_64", registries=registry.registries)
    tree = software.fetch_now(both, "1.0")
    before = names(tree)
    with pytest.raises(PermanentFault, match=r"new-1\.0\.jar"):
        software.fetch_now(both, "2.0")
    assert asyncio.run(software.present(both)) == {"1.0"}
    assert names(tree) == before
