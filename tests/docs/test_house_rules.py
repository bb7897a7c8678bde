"""Rules of house-style.md that a machine can read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/freehold").rglob("*.py"))
ENGINES = [folder.name for folder in (ROOT / "catalog").iterdir() if folder.is_dir()]


def test_the_core_names_no_engine():
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(rf"\b({'|'.join(ENGINES)})\b", line, re.IGNORECASE)
    ]
    assert not found, found


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "base", "manager", "misc"])
def test_no_module_is_named_after_nothing(word):
    assert not [path for path in SOURCES if word in path.stem.split("_")]


def test_no_module_outgrows_its_subject():
    long = {
        str(path.relative_to(ROOT)): count
        for path in SOURCES
        if (count := len(path.read_text().splitlines())) > 500
    }
    assert not long
