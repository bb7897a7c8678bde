"""``--help`` of every command: examples, 80 columns, no secret and no engine by name."""

from __future__ import annotations

import re

import pytest
import typer
from typer.core import TyperGroup

from freehold.cli.app import build
from freehold.cli.table import COMMANDS, GROUPS


def every_command() -> list[tuple[str, ...]]:
    top = typer.main.get_command(build([]))
    assert isinstance(top, TyperGroup)
    found = []
    for name, command in top.commands.items():
        found.append((name,))
        if isinstance(command, TyperGroup):
            found += [(name, inner) for inner in command.commands]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_help_has_examples_and_fits(words, run, home):
    ended = run(*words, "--help")
    assert ended.code == 0
    assert "Examples:" in ended.out
    assert f"freehold {' '.join(words)}" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    assert not re.search(r"[{}]|\.\.\.$", ended.out.split("Options:")[0]), "cut or in braces"


def test_the_table_lists_every_command_once(run, home):
    assert sorted(COMMANDS) == sorted(words[0] for words in every_command() if len(words) == 1)
    assert len(COMMANDS) == sum(len(rows) for rows in GROUPS.values())
    ended = run("--help")
    assert all(f"\n  {name} " in ended.out for name in COMMANDS)
    assert max(map(len, ended.out.splitlines())) <= 80


CHANGING = ["install", "scale", "start", "stop", "restart", "rebuild", "uninstall", "purge"]


@pytest.mark.parametrize("verb", [*CHANGING, "protect"])
def test_every_changing_verb_takes_the_same_options(verb, run, home):
    text = run(verb, "--help").out
    for option in (
        "--dry-run",
        "--wait / --no-wait",
        "--timeout",
        "-y, --yes, --auto-approve",
        "-o, --output",
    ):
        assert option in text


def test_a_command_alone_that_has_commands_shows_them(run, home):
    ended = run("operations")
    assert ended.code == 0
    assert "cancel" in ended.out
