"""Screens, as values in and lines out."""

from __future__ import annotations

import io
import json

import pytest
import yaml
from tests.unit.cli.fake_daemon import member, operation, plan, service

from freehold.cli.live import Live
from freehold.cli.output import formatted
from freehold.cli.text import age, cut, has_colours, table, wrapped
from freehold.cli.views.plans import destroys, plan_lines
from freehold.cli.views.progress import Story, picture
from freehold.cli.views.services import describe_lines, endpoint_lines, list_lines, status_lines


def test_a_list_has_one_line_a_service():
    many = {"name": "api", "protocol": "x", "addresses": ["127.9.1.1:1", "127.9.1.2:1"]}
    lines = list_lines(
        [service(), service(name="b", endpoints=[many])], now=100.0, width=80, colours=False
    )
    assert lines == [
        "NAME    PACKAGE  VERSION  STATE  MEMBERS  AGE    ENDPOINT",
        "orders  echo     1.0.0    ready  1/1      1m00s  127.9.1.1:7070",
        "b       echo     1.0.0    ready  1/1      1m00s  127.9.1.1:1 +1",
    ]


def test_no_services_says_what_to_type():
    assert list_lines([], now=0, width=80, colours=False)[1] == "next: freehold catalog"


def test_colours_do_not_move_columns():
    plain = list_lines([service()], now=100.0, width=80, colours=False)
    painted = list_lines([service()], now=100.0, width=80, colours=True)
    assert painted[1].replace("\x1b[32m", "").replace("\x1b[0m", "") == plain[1]


def test_a_member_that_is_not_well_says_why():
    sick = member("orders-node-0", "backoff", reason="died 3 times", last_exit="code 1", restarts=3)
    view = service(state="unavailable", members=[sick], waits=["orders: waits for a member"])
    text = "\n".join(status_lines(view, now=100.0, width=80, colours=False))
    assert "    died 3 times\n    last exit: code 1\n" in text
    assert "  orders: waits for a member" in text


def test_an_unknown_state_is_shown_as_one():
    view = service(state="unknown", members=[member("orders-node-0", "unknown")])
    text = "\n".join(status_lines(view, now=100.0, width=80, colours=False))
    assert "orders: unknown" in text


def test_no_address_is_ever_cut():
    addresses = [f"127.111.222.{n}:19042" for n in range(3)]
    endpoints = [{"name": "cql", "protocol": "cql", "tls": "server", "addresses": addresses}]
    lines = list(endpoint_lines(endpoints, width=60))
    assert [line.split()[-1] for line in lines[1:]] == addresses
    assert max(map(len, lines)) <= 60


def test_describe_never_cuts_what_people_copy():
    digest = "sha256:" + "a" * 64
    view = service(definition=digest, knobs={"members": 3, "on": True, "list": []})
    text = "\n".join(describe_lines(view, now=0.0, width=80, colours=False))
    assert digest in text
    assert "  on: true\n  list: (none)" in text


def test_a_plan_counts_stages_from_one_and_marks_what_hurts():
    steps = [
        {"step": "stop a", "because": "b", "stage": 0, "interrupts": True},
        {"step": "retire a", "because": "c", "stage": 1, "destroys": True},
    ]
    lines = list(
        plan_lines(plan(steps=steps, warnings=["old JDK"]), width=80, colours=False, whole=True)
    )
    assert lines[:4] == [
        "plan: install 1 member of echo 1.0.0",
        "  note: old JDK",
        "  ~ 1. stop a: b",
        "  ! 2. retire a: c",
    ]
    assert destroys(plan(steps=steps))
    assert not destroys(plan())


def test_a_long_plan_is_shown_in_part_unless_asked_for():
    steps = [{"step": f"start {n}", "because": "x", "stage": 0} for n in range(40)]
    part = list(plan_lines(plan(steps=steps), width=80, colours=False, whole=False))
    whole = list(plan_lines(plan(steps=steps), width=80, colours=False, whole=True))
    assert part[-1] == "    … and 26 more steps (all with --dry-run)"
    assert len(whole) == 41


def test_nothing_is_told_twice():
    story = Story(colours=False)
    view = operation(
        steps=[{"step": "start a", "because": "b", "started_at": 100.5, "ratio": 0.5}],
        members=[member("a", "starting")],
        waits=["a: waits"],
    )
    assert len(list(story.news(view, now=101.0, tell_running=True))) == 4
    assert list(story.news(view, now=102.0, tell_running=True)) == []


def test_a_wait_that_repeats_a_members_line_is_not_told():
    view = operation(
        members=[member("a", "starting", reason="no answer yet")],
        waits=["a: waits for readiness (starting: no answer yet)", "form: waits for all"],
    )
    lines = picture(view, now=101.0, width=80, height=9, colours=False)
    assert lines[1:] == ["  a  starting  no answer yet", "  … form: waits for all"]


def test_a_failed_step_says_why():
    story = Story(colours=False)
    view = operation(
        steps=[
            {
                "step": "start a",
                "because": "b",
                "started_at": 100.5,
                "ended_at": 102.0,
                "outcome": "cannot start a: address taken",
            }
        ]
    )
    told = list(story.news(view, now=103.0, tell_running=False))
    assert told == ["   2.0s ✗ start a: cannot start a: address taken"]


def test_the_picture_fits_the_terminal():
    view = operation(
        steps=[{"step": "fetch", "because": "x", "started_at": 100.0, "ratio": 0.5, "note": "1/2"}],
        members=[member(f"orders-node-{n}", "starting", reason="r" * 100) for n in range(30)],
        waits=["w" * 200],
    )
    lines = picture(view, now=110.0, width=60, height=10, colours=False)
    assert len(lines) == 10
    assert max(map(len, lines)) <= 60
    assert lines[1] == "  · fetch [##########..........]  50 %  1/2"


def test_the_live_view_takes_back_exactly_what_it_drew():
    stream = io.StringIO()
    with Live(stream) as live:
        live.show(["lasting"], ["a", "b"])
        live.show([], ["c"])
    assert stream.getvalue() == (
        "\x1b[?25l\r\x1b[Jlasting\na\nb\n\r\x1b[2A\x1b[Jc\n\r\x1b[1A\x1b[J\x1b[?25h"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.4, "0s"), (61, "1m01s"), (7260, "2h01m"), (90000, "1d01h"), (-5, "0s")],
)
def test_ages_have_one_or_two_units(seconds, text):
    assert age(seconds) == text


def test_words_are_wrapped_and_cells_cut():
    assert wrapped("one two three", 9, "  ") == ["  one two", "    three"]
    assert wrapped("", 9) == []
    assert wrapped("toolongforit x", 5) == ["toolongforit", "  x"]
    assert cut("abcdef", 4) == "abc…"
    assert table(("A", "B"), [("1", "2" * 90)], width=20)[1] == "1  " + "2" * 16 + "…"


@pytest.mark.parametrize(
    ("environ", "colours"),
    [({"TERM": "xterm"}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_colours_only_on_a_terminal_that_shows_them(environ, colours, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert has_colours(Terminal()) is colours
    assert not has_colours(io.StringIO())


def test_json_and_yaml_carry_the_answer_as_it_came():
    answer = {"name": "é", "at": 1.5, "list": [1, None]}
    assert json.loads(formatted(answer, "json", lambda _: ())) == answer
    assert yaml.safe_load(formatted(answer, "yaml", lambda _: ())) == answer
