"""Every failure is a class, an exit code and a next command; none is a traceback."""

from __future__ import annotations

import json

import pytest

from freehold.cli.client import failure_of
from freehold.foundation import errors

CLASSES = {
    "DefinitionError": (422, 2),
    "RefusedError": (409, 3),
    "NotFoundError": (404, 4),
    "TransientFault": (503, 75),
    "PermanentFault": (500, 70),
}


@pytest.mark.parametrize(("name", "codes"), CLASSES.items())
def test_a_refusal_becomes_its_class_exit_code_and_next_command(name, codes, daemon, run):
    status, code = codes
    refusal = {"error": name, "message": "cannot do it: because", "next_command": "try this"}
    daemon({"GET /v1/services": (status, refusal)})
    ended = run("list")
    assert ended.code == code == getattr(errors, name).exit_code
    assert ended.err == "cannot do it: because\nnext: try this\n"
    assert ended.out == ""


def test_every_fault_of_a_definition_is_shown(daemon, run):
    faults = [{"file": "service.yaml", "path": "spec.knobs", "line": 7, "message": "is wrong"}]
    refusal = {"error": "DefinitionError", "message": "cannot load x", "faults": faults}
    daemon({"GET /v1/services": (422, refusal)})
    assert "service.yaml:7: spec.knobs: is wrong" in run("list").err


@pytest.mark.parametrize(
    ("status", "raw", "kind"),
    [
        (404, b"not json", errors.NotFoundError),
        (418, b'{"message": "cannot: tea"}', errors.PermanentFault),
        (503, b"[]", errors.TransientFault),
    ],
)
def test_an_answer_that_is_no_refusal_is_judged_by_its_status(status, raw, kind):
    assert type(failure_of(status, raw)) is kind


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["install"],
        ["scale", "orders"],
        ["scale", "orders", "many"],
        ["scale", "orders", "3", "--members", "4"],
        ["list", "--nonsense"],
        ["list", "-o", "xml"],
        ["logs", "orders", "--since", "yesterday"],
        ["logs", "orders", "-f", "--tail", "3"],
        ["completion", "tcsh"],
    ],
    ids=" ".join,
)
def test_wrong_words_are_refused_with_what_to_type(words, daemon, run):
    daemon({"GET /v1/services/orders/logs": []})
    ended = run(*words)
    assert ended.code == 2, ended
    assert ended.err.startswith("cannot ")
    assert "next: " in ended.err
    assert "Traceback" not in ended.err


def test_what_nobody_foresaw_is_written_to_a_file_that_is_named(daemon, run, home):
    daemon({"GET /v1/services": (200, [{"surprise": 1}])})
    ended = run("list")
    assert ended.code == 70
    file = home / "data/cli-error.log"
    assert f"next: cat {file}" in ended.err
    assert "Traceback" in file.read_text()
    assert "Traceback" not in ended.err + ended.out


def test_a_change_whose_answer_was_lost_is_not_sent_again(daemon, run):
    fake = daemon({"POST /v1/services/orders/check": [{"passed": True}, "cut"]})
    ended = run("check", "orders")
    assert ended.code in (70, 75)
    assert len(fake.asked) == 1


def test_a_refusal_inside_a_stream_is_a_failure(daemon, run):
    refusal = {"error": "TransientFault", "message": "cannot go on", "next_command": ""}
    daemon({"GET /v1/services/orders/events": [refusal]})
    ended = run("events", "orders")
    assert (ended.code, ended.err) == (75, "cannot go on\n")


def test_status_of_a_daemon_that_does_not_run_starts_none(home, run):
    ended = run("daemon", "status")
    assert ended.code == 4
    assert list(home.iterdir()) == []


def test_version_starts_no_daemon(home, run):
    ended = run("version", "-o", "json")
    assert json.loads(ended.out)["daemon"] is None
    assert list(home.iterdir()) == []
