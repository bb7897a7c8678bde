"""The short way of ``list`` and ``status`` says and asks what the long way does."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.unit.cli.fake_daemon import service

from freehold.cli import quick, typed

PLAIN = [
    ["list"],
    ["ls"],
    ["list", "-a"],
    ["list", "--all", "-o", "json"],
    ["list", "--output=yaml"],
    ["list", "-n", "shop"],
    ["list", "--project", "default"],
    ["status"],
    ["status", "orders"],
    ["status", "-o", "json", "orders"],
]
UNUSUAL = [
    ["list", "--help"],
    ["list", "extra"],
    ["list", "-o", "xml"],
    ["list", "-o"],
    ["list", "-w"],
    ["status", "a", "b"],
    ["status", "--all"],
    ["describe", "orders"],
    [],
]


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_both_ways_give_one_answer(words, daemon, capsys):
    routes = {
        "GET /v1/services": (200, [service()]),
        "GET /v1/services/orders": (200, service()),
    }
    fake = daemon(routes)
    assert quick.attempt(words) == 0
    short = capsys.readouterr().out
    assert typed.run(words) == 0
    assert capsys.readouterr().out == short
    assert fake.asked[0] == fake.asked[1]


@pytest.mark.parametrize("words", UNUSUAL, ids=" ".join)
def test_anything_unusual_goes_the_long_way(words, home):
    assert quick.attempt(words) is None


def test_list_imports_nothing_slow(daemon, home):
    """100 ms are for the whole command; each of these would take a good part of it."""
    daemon({"GET /v1/services": (200, [service()])})
    code = (
        "import sys; from freehold.cli.entry import main; code = main(['list'])\n"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    slow = "typer rich yaml http.client urllib.parse dataclasses inspect msgspec freehold.foundation.errors"
    assert not loaded & set(slow.split())
    assert "orders" in done.stdout
