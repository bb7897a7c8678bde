"""Archives are written by strangers: nothing may land outside the folder."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest

from freehold.foundation.errors import PermanentFault
from freehold.software.unpack import unpack


class Zip:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)

    def add(self, name: str, content: bytes = b"x", mode: int = stat.S_IFREG | 0o644) -> Zip:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_DEFLATED
        self.written.writestr(info, content)
        return self

    def link(self, name: str, target: str) -> Zip:
        return self.add(name, target.encode(), stat.S_IFLNK | 0o777)

    def into(self, folder: Path, inside: str = "") -> None:
        self.written.close()
        folder.mkdir(exist_ok=True)
        unpack(self.path, inside, folder, "thing.whl")


@pytest.fixture
def archive(tmp_path: Path) -> Zip:
    return Zip(tmp_path / "thing.whl")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "target"


@pytest.fixture(autouse=True)
def nothing_outside(tmp_path: Path, target: Path):
    target.parent.mkdir()
    yield
    outside = {path.name for path in tmp_path.iterdir()} | {p.name for p in target.parent.iterdir()}
    assert outside <= {"thing.whl", "deep", "target"}


def test_only_what_lies_under_the_path_is_unpacked(archive: Zip, target: Path):
    archive.add("pkg/jdk/bin/java").add("pkg/jdkother/x").add("pkg/y").into(target, "pkg/jdk")
    assert [p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()] == [
        "bin/java"
    ]


def test_executables_stay_so_and_setuid_is_dropped(archive: Zip, target: Path):
    archive.add("run", mode=stat.S_IFREG | 0o4755).add("read", mode=stat.S_IFREG | 0o666)
    archive.add("bare", mode=0).into(target)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()}
    assert modes == {"run": 0o755, "read": 0o644, "bare": 0o644}


@pytest.mark.parametrize(
    "name", ["../evil", "a/../../evil", "/evil", "a/..", "..", "..\\evil", "//evil"]
)
def test_names_that_lead_out_are_refused(archive: Zip, target: Path, name: str):
    archive.add("good").add(name)
    with pytest.raises(PermanentFault, match="leads out of the folder"):
        archive.into(target)
    assert not any(target.iterdir())  # checked before the first byte is written


def test_a_name_that_leads_out_is_refused_even_outside_the_wanted_path(archive: Zip, target: Path):
    archive.add("jdk/good").add("../evil")
    with pytest.raises(PermanentFault):
        archive.into(target, "jdk")


@pytest.mark.parametrize("kind", [stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_devices_and_pipes_are_refused(archive: Zip, target: Path, kind: int):
    archive.add("dev", mode=kind | 0o644)
    with pytest.raises(PermanentFault, match="device"):
        archive.into(target)


def test_a_link_inside_is_kept(archive: Zip, target: Path):
    archive.add("lib/libjvm.so.1").link("lib/libjvm.so", "libjvm.so.1").into(target)
    assert (target / "lib/libjvm.so").resolve() == (target / "lib/libjvm.so.1").resolve()


@pytest.mark.parametrize("leads", ["/etc/passwd", "../../evil", "..", "../../../../../etc"])
def test_links_that_lead_out_are_refused(archive: Zip, target: Path, leads: str):
    archive.link("bait", leads)
    with pytest.raises(PermanentFault, match="leads out"):
        archive.into(target)


def test_links_that_lead_out_together_are_refused(archive: Zip, target: Path):
    archive.add("g/file").add("d/e/file").link("d/e/f", "../../g").link("d/e/h", "f/../..")
    with pytest.raises(PermanentFault, match="leads out"):
        archive.into(target)


def test_nothing_is_written_through_a_link(archive: Zip, target: Path):
    archive.link("door", "..").add("door/evil")
    with pytest.raises(PermanentFault):
        archive.into(target)


def test_nothing_is_written_through_a_link_of_an_earlier_archive(
    archive: Zip, target: Path, tmp_path: Path
):
    target.mkdir()
    (target / "door").symlink_to(tmp_path)
    archive.add("door/evil")
    with pytest.raises(PermanentFault, match="below a link"):
        archive.into(target)


def test_one_name_twice_is_refused(archive: Zip, target: Path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive.add("a").add("a")
    with pytest.raises(PermanentFault, match="twice"):
        archive.into(target)


def test_a_file_may_not_be_a_folder_too(archive: Zip, target: Path):
    archive.add("a").add("a/b")
    with pytest.raises(PermanentFault, match="below a file"):
        archive.into(target)


def test_a_bomb_is_refused_before_it_goes_off(archive: Zip, target: Path):
    archive.add("bomb", bytes(80 << 20))
    with pytest.raises(PermanentFault, match="it would grow from"):
        archive.into(target)
    assert not any(target.iterdir())


def test_a_lying_size_does_not_help_a_bomb(archive: Zip, target: Path):
    archive.add("bomb", bytes(1 << 20))
    archive.written.close()
    raw = archive.path.read_bytes().replace((1 << 20).to_bytes(4, "little"), b"\x10\0\0\0")
    archive.path.write_bytes(raw)
    target.mkdir()
    with pytest.raises(PermanentFault, match=r"cannot unpack thing\.whl"):
        unpack(archive.path, "", target, "thing.whl")
    assert sum(path.stat().st_size for path in target.iterdir()) <= 16


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_a_broken_archive_is_refused(archive: Zip, target: Path, damage: str):
    archive.add("a", os.urandom(1000))
    archive.written.close()
    data = bytearray(archive.path.read_bytes())
    if damage == "noise":
        data[200:220] = bytes(20)
    archive.path.write_bytes({"cut": data[:500], "noise": data, "empty": b""}[damage])
    target.mkdir()
    with pytest.raises(PermanentFault, match=r"cannot unpack thing\.whl"):
        unpack(archive.path, "", target, "thing.whl")


def test_a_path_with_nothing_under_it_is_refused(archive: Zip, target: Path):
    archive.add("a")
    with pytest.raises(PermanentFault, match="nothing lies under 'jdk'"):
        archive.into(target, "jdk")
