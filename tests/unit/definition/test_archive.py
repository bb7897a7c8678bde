"""The canonical archive: same files, same bytes; anything else is refused before it is unpacked."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.definition.packages import tiny

from freehold.definition import archive, loader
from freehold.foundation.errors import DefinitionError

names = st.lists(
    st.text("abcö -_.1", min_size=1, max_size=60).filter(lambda part: part.strip(".")), min_size=1, max_size=3
).map("/".join)  # fmt: skip
folders = st.dictionaries(names, st.binary(max_size=2000), max_size=6)


@given(files=folders)  # kills the mutants "keep mtime" and "do not sort"
def test_what_goes_in_comes_out_and_order_does_not_matter(files):
    packed = archive.archive(files)
    assert archive.unarchive(packed) == files
    assert archive.archive(dict(reversed(files.items()))) == packed


def forged(*entries: tarfile.TarInfo, content: bytes = b"x") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            entry.size = len(content) if entry.type == tarfile.REGTYPE else 0
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **more: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in more.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (forged(entry("../x")), "plain relative path"),
        (forged(entry("/x")), "plain relative path"),
        (forged(entry("a/../x")), "plain relative path"),
        (forged(entry("x", tarfile.SYMTYPE, linkname="/etc/passwd")), "is not a plain file"),
        (forged(entry("x", tarfile.LNKTYPE, linkname="y")), "is not a plain file"),
        (forged(entry("x", tarfile.CHRTYPE)), "is not a plain file"),
        (forged(entry("x", tarfile.FIFOTYPE)), "is not a plain file"),
        (forged(entry("x", tarfile.DIRTYPE)), "is not a plain file"),
        (forged(entry("x", mode=0o4755)), "canonical form"),
        (forged(entry("x", mtime=1)), "canonical form"),
        (forged(entry("x", uname="root")), "canonical form"),
        (forged(entry("b"), entry("a")), "canonical form"),
        (forged(entry("a"), entry("a")), "canonical form"),
        (archive.archive({"a": b"x"}) + b"\0" * 512, "canonical form"),
        (archive.archive({"a": b"x" * 5000})[:3000], "not a whole archive"),
        (b"PK\3\4", "not a whole archive"),
        (b"", "not a whole archive"),
    ],
)
def test_what_is_not_canonical_is_refused(content, message):
    with pytest.raises(DefinitionError) as caught:
        archive.unarchive(content)
    assert message in str(caught.value)


def test_a_bomb_is_refused_by_its_header():
    """A sparse header that promises 10 GB is refused before a byte is read."""
    header = tarfile.TarInfo("x")
    header.size, header.type = 10 * 2**30, tarfile.REGTYPE
    content = header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024
    with pytest.raises(DefinitionError, match="cannot read the package's archive"):
        archive.unarchive(content)
    sparse = tarfile.TarInfo("x")
    sparse.type = tarfile.GNUTYPE_SPARSE
    with pytest.raises(DefinitionError, match="cannot read"):
        archive.unarchive(sparse.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)


def test_caches_and_hidden_files_do_not_change_the_digest():
    package = loader.load_package(tiny(), "x")
    noisy = {**tiny(), "__pycache__/hooks.pyc": b"x", ".git/HEAD": b"x", ".DS_Store": b"x"}
    assert loader.load_package(noisy, "x").digest == package.digest
    assert set(loader.load_package(noisy, "x").files) == set(package.files)


def test_a_pinned_package_is_read_back_as_it_was():
    package = loader.load_package(tiny(), "x")
    again = loader.read_pinned(archive.archive(package.files))
    assert again == package
