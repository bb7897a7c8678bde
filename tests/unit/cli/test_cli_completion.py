"""What a shell gets when Tab is pressed."""

from __future__ import annotations

import pytest
from tests.unit.cli.fake_daemon import service

from freehold.cli.verbs.completion import Shell


def complete(run, monkeypatch, *words: str) -> None:
    monkeypatch.setenv("_FREEHOLD_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", " ".join(["freehold", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == 0


def test_commands_are_completed(home, run, monkeypatch, capsys):
    complete(run, monkeypatch, "un")
    assert capsys.readouterr().out.split() == ["unbind", "uninstall"]


def test_services_are_completed_by_a_daemon_that_runs(daemon, run, monkeypatch, capsys):
    daemon({"GET /v1/services": (200, [service(), service(name="other")])})
    complete(run, monkeypatch, "stop", "or")
    assert capsys.readouterr().out.split() == ["orders"]


def test_no_daemon_is_started_for_a_tab(home, run, monkeypatch, capsys):
    complete(run, monkeypatch, "stop", "or")
    assert capsys.readouterr().out.split() == []
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("shell", list(Shell))
def test_every_shell_has_a_script_that_asks_the_program(shell, home, run):
    ended = run("completion", shell.value)
    assert f"_FREEHOLD_COMPLETE=complete_{shell.value}" in ended.out
    assert ended.out.endswith("\n")
