from __future__ import annotations

import json

import pytest

from freehold.foundation.errors import PermanentFault
from freehold.software.resolve.pypi import IndexFile, parse_page, pick_wheel


def picked(names: list[str], platform: str = "linux-x86_64", minor: str = "3.11") -> str:
    files = [IndexFile(name, name) for name in names]
    return pick_wheel(files, "my.driver", "1.0", platform, minor).file


PURE = "my_driver-1.0-py3-none-any.whl"
OLD = "my_driver-1.0-0-py3-none-manylinux1_x86_64.whl"
STABLE = "my_driver-1.0-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
EXACT = "my_driver-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
ARM = "my_driver-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"
MUSL = "my_driver-1.0-cp311-cp311-musllinux_1_2_x86_64.whl"
WINDOWS = "my_driver-1.0-cp311-cp311-win_amd64.whl"
SOURCE = "my_driver-1.0.tar.gz"
ALL = [SOURCE, PURE, OLD, STABLE, WINDOWS, MUSL, ARM, EXACT]


@pytest.mark.parametrize(
    ("platform", "minor", "expected"),
    [
        ("linux-x86_64", "3.11", EXACT),
        ("linux-x86_64", "3.12", STABLE),
        ("linux-x86_64", "", OLD),  # made for the machine, bound to no Python
        ("linux-aarch64", "3.11", ARM),
        ("linux-aarch64", "", PURE),
        ("linux-x86_64-musl", "3.11", MUSL),
    ],
)
def test_the_best_wheel_for_platform_and_python(platform: str, minor: str, expected: str):
    assert picked(ALL, platform, minor) == expected


def test_a_wheel_of_another_version_or_name_is_not_taken():
    with pytest.raises(PermanentFault, match="no wheel of that version"):
        picked(["my_driver-1.1-py3-none-any.whl", "other-1.0-py3-none-any.whl", SOURCE])


def test_none_that_fits_names_those_there_are():
    with pytest.raises(
        PermanentFault, match=r"linux-aarch64 and Python 3\.11: there is .*win_amd64"
    ):
        picked([WINDOWS, EXACT], "linux-aarch64")


def test_a_json_page():
    page = {"files": [{"filename": PURE, "url": "a/b", "hashes": {"sha256": "x"}, "size": 5}]}
    parsed = parse_page(json.dumps(page).encode(), "application/vnd.pypi.simple.v1+json", "p")
    assert parsed == (IndexFile(PURE, "a/b", "x", 5),)


def test_an_html_page_of_a_mirror():
    page = f'<a href="../../files/{PURE}#sha256=abc">x</a><a name="y">z</a>'.encode()
    assert parse_page(page, "text/html", "p") == (IndexFile(PURE, f"../../files/{PURE}", "abc"),)


def test_a_broken_page_is_refused():
    with pytest.raises(PermanentFault, match="cannot read the index page p"):
        parse_page(b"{", "application/json", "p")
