"""Secrets are looked for where they must never be: argv, environments, logs, plans, journal, help."""

import os
from pathlib import Path

from tests.scenario.home import Home
from tests.scenario.verbs.conftest import ECHO


def secret_values(home: Home) -> set[bytes]:
    """Return the values that the store holds: passwords, and a line of each private key."""
    found = set()
    for file in (home.folder / "data/services").glob("*/secrets/**/*"):
        if not file.is_file() or file.name == "lineage":
            continue
        content = file.read_bytes()
        if b"PRIVATE KEY" in content:
            found.add(content.split(b"\n")[-3])  # the end of the key: its head is the same in all
        elif b"CERTIFICATE" not in content and 16 <= len(content.strip()) <= 128:
            found.add(content.strip())
    return found


def holders(folder: Path, values: set[bytes]) -> list[str]:
    """Return the files that hold a value, beside the places made for it."""
    allowed = {"secrets", "bindings", "conf"}
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file()
        and not allowed & set(file.relative_to(folder).parts)
        and any(value in file.read_bytes() for value in values)
    ]


def test_no_secret_is_in_an_argv_environment_log_plan_journal_or_help(home):
    home.run("install", ECHO, "echo", "--dry-run", "-o", "json")
    home.run("install", ECHO, "echo", "--yes")
    home.run("bind", "echo", "shop")
    home.run("check", "echo")
    home.run("scale", "echo", "--members", "4", "--yes")
    home.run("restart", "echo", "--yes")
    for words in (
        ["describe", "echo", "-o", "json"],
        ["logs", "echo", "--since", "1h"],
        ["events", "echo"],
        ["metrics", "echo"],
        ["operations", "list", "echo", "-o", "json"],
        ["connect", "echo"],
        ["bindings", "echo", "-o", "json"],
        ["doctor"],
        ["bind", "--help"],
        ["install", "--help"],
    ):
        home.run(*words, code=None)
    values = secret_values(home)
    assert len(values) >= 6  # admin, shop, the authority's and four members' keys
    processes = [
        Path(f"/proc/{pid}/{what}") for pid in home.processes() for what in ("cmdline", "environ")
    ]
    assert len(processes) > 10
    for file in processes:
        content = file.read_bytes() if file.exists() else b""
        assert not any(value in content for value in values), file
    told = "\n".join(home.spoken).encode()
    assert not any(value in told for value in values)
    assert holders(home.folder / "data", values) == []


def test_what_holds_a_secret_is_for_one_account_only(home):
    home.run("install", ECHO, "echo", "--yes")
    home.run("bind", "echo", "shop")
    values = secret_values(home)
    loose = [
        str(file)
        for file in (home.folder / "data").rglob("*")
        if file.is_file()
        and file.stat().st_mode & 0o077
        and any(value in file.read_bytes() for value in values)
    ]
    assert loose == []
    if os.geteuid() == 0:
        service = next((home.folder / "data/services").glob("*/secrets"))
        assert service.stat().st_mode & 0o077 == 0
