"""Changing verbs: what is sent, asked, shown, and how it ends."""

from __future__ import annotations

import io
import json

import pytest
from tests.unit.cli.fake_daemon import member, operation, plan, service

from freehold.cli import changing
from freehold.cli.verbs.install import wish_of
from freehold.foundation.errors import DefinitionError

WATCH = "GET /v1/operations/op1/watch"


def install_routes(*views, **more):
    def install(body):
        if body["dry_run"]:
            return 200, plan()
        return 202, {"operation": operation(), "plan": plan()}

    return {
        "POST /v1/services": install,
        WATCH: list(views),
        "GET /v1/services/orders": (200, service()),
        **more,
    }


def test_install_shows_plan_changes_endpoints_and_what_to_type_next(daemon, run):
    step = {"step": "start orders-node-0", "because": "is new", "started_at": 101.0}
    fetch = {"step": "fetch echo 1.0.0", "because": "is not here", "started_at": 100.0}
    daemon(
        install_routes(
            operation(steps=[{**fetch, "ratio": 0.31, "note": "31 of 100 MiB"}]),
            operation(steps=[{**fetch, "outcome": "done", "ended_at": 101.0}, step]),
            operation(
                steps=[{**fetch, "outcome": "done", "ended_at": 101.0}, step],
                members=[member("orders-node-0", "starting")],
                waits=["orders-node-0: waits for readiness"],
            ),
            operation(
                phase="done",
                ended_at=103.0,
                steps=[{**step, "outcome": "done", "ended_at": 101.5}],
                members=[member("orders-node-0", "ready", address="127.9.1.1")],
            ),
        )
    )
    ended = run("install", "echo", "orders")
    assert ended.code == 0, ended.err
    told = [line.strip() for line in ended.out.splitlines()]
    assert told[0] == "plan: install 1 member of echo 1.0.0"
    for said in (
        "fetch echo 1.0.0: 30 %, 31 of 100 MiB",
        "✓ fetch echo 1.0.0 (1.0s)",
        "orders-node-0: starting",
        "… orders-node-0: waits for readiness",
        "orders-node-0: starting → ready at 127.9.1.1",
        "127.9.1.1:7070",
        "freehold bind orders my-app",
    ):
        assert any(said in line for line in told), (said, ended.out)
    assert "\x1b" not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


def test_dry_run_sends_nothing_else_and_shows_the_plan(daemon, run):
    fake = daemon(install_routes())
    ended = run("install", "echo", "--dry-run", "--set", "members=1", "-o", "json")
    assert json.loads(ended.out) == plan()
    assert [body["dry_run"] for _, body in fake.asked] == [True]
    assert fake.asked[0][1]["knobs"] == {"members": "1"}


def test_no_wait_says_how_to_follow(daemon, run):
    daemon(install_routes())
    ended = run("install", "echo", "--no-wait", "--timeout", "1m30s")
    assert ended.code == 0
    assert "next: freehold operations wait op1" in ended.out


def test_json_waits_silently_and_carries_the_last_operation(daemon, run):
    daemon(install_routes(operation(), operation(phase="done", ended_at=103.0)))
    ended = run("install", "echo", "-o", "json")
    answer = json.loads(ended.out)
    assert answer["operation"]["phase"] == "done"
    assert answer["plan"]["summary"] == "1 member of echo 1.0.0"


@pytest.mark.parametrize(
    ("phase", "code"), [("failed", 70), ("cancelled", 3), ("superseded", 3), ("done", 0)]
)
def test_how_an_operation_ended_is_the_exit_code(phase, code, daemon, run):
    daemon(install_routes(operation(phase=phase, ended_at=103.0, reason="the disk is full")))
    assert run("install", "echo").code == code


def test_a_stream_that_breaks_is_followed_further(daemon, run):
    views = iter([[operation(), "cut"], [], [operation(phase="done", ended_at=103.0)]])
    routes = install_routes()
    routes[WATCH] = lambda _: next(views)
    daemon(routes)
    assert run("install", "echo").code == 0


def test_a_plan_that_destroys_is_not_carried_out_unasked(daemon, run, monkeypatch):
    fake = daemon(
        {
            "POST /v1/services/orders/scale": (
                200,
                plan(verb="scale", steps=[{"step": "x", "because": "y", "destroys": True}]),
            )
        }
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    ended = run("scale", "orders", "1")
    assert ended.code == 3
    assert "--yes" in ended.err
    assert [body["dry_run"] for _, body in fake.asked] == [True]


def test_a_plan_that_destroys_nothing_is_not_asked_about(daemon, run):
    fake = daemon(
        {
            "POST /v1/services/orders/scale": lambda body: (
                (200, plan(verb="scale"))
                if body["dry_run"]
                else (202, {"operation": operation(verb="scale"), "plan": plan(verb="scale")})
            ),
            WATCH: [operation(verb="scale", phase="done", ended_at=102.0)],
        }
    )
    ended = run("scale", "orders", "--replicas", "4")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "scale orders: done")
    assert [body["members"] for line, body in fake.asked if line.startswith("POST")] == [4, 4]


@pytest.mark.parametrize(
    "words", [["purge", "orders"], ["purge", "orders", "--yes"], ["purge", "orders", "-y"]]
)
def test_purge_is_never_silent(words, daemon, run, monkeypatch):
    fake = daemon({})
    monkeypatch.setattr("sys.stdin", io.StringIO("orders\n"))
    ended = run(*words)
    assert ended.code == 3
    assert "--confirm orders" in ended.err
    assert fake.asked == []


def test_purge_for_scripts_hands_the_typed_name_on(daemon, run):
    fake = daemon(
        {
            "POST /v1/services/orders/purge": (
                202,
                {"operation": operation(verb="purge"), "plan": plan(verb="purge")},
            ),
            WATCH: [operation(verb="purge", phase="done", ended_at=101.0)],
        }
    )
    ended = run("purge", "orders", "--yes", "--confirm", "orders", "--unprotect")
    assert ended.code == 0, ended.err
    assert fake.asked[0][1]["confirm"] == "orders"
    assert fake.asked[0][1]["unprotect"] is True


def test_files_come_before_set_and_later_ones_win(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("members: 3\nmemory: 1Gi\nsettings: {x: 1}\n")
    second.write_text("memory: 2Gi\n")
    knobs, settings = wish_of(
        [str(first), str(second)], ["members=5", "settings.y=true", "note=a=b"]
    )
    assert knobs == {"members": "5", "memory": "2Gi", "note": "a=b"}
    assert settings == {"x": 1, "y": True}


@pytest.mark.parametrize(
    ("text", "said"),
    [("- 1\n", "must hold knobs"), ("a: [\n", "not YAML: line"), ("settings: 3\n", "'settings'")],
)
def test_a_values_file_that_is_wrong_is_named(text, said, tmp_path):
    file = tmp_path / "v.yaml"
    file.write_text(text)
    with pytest.raises(DefinitionError, match=said) as caught:
        wish_of([str(file)], [])
    assert str(file) in str(caught.value)


def test_a_set_without_a_value_is_refused():
    with pytest.raises(DefinitionError, match="KNOB=VALUE"):
        wish_of([], ["members"])


def test_a_timeout_that_is_no_duration_is_refused_before_anything_is_sent(daemon, run):
    fake = daemon({})
    ended = run("stop", "orders", "--timeout", "soon")
    assert (ended.code, fake.asked) == (2, [])
    assert "cannot use --timeout" in ended.err


def test_a_package_folder_is_sent_whole(daemon, run, tmp_path, monkeypatch):
    fake = daemon(install_routes())
    monkeypatch.chdir(tmp_path)
    run("install", "./mine", "--dry-run")
    run("install", "mine", "--dry-run")
    assert [body["package"] for _, body in fake.asked] == [str(tmp_path / "mine"), "mine"]


def test_the_question_is_asked_on_stderr(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert changing.answer_of("Go on? ") == "yes"
    assert capsys.readouterr().out == ""
