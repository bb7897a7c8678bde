"""What is shown: services, members, plans, packages, metrics; never more than is known."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.operations.desks import ANN, ECHO, World

from freehold.engine.wish import Want
from freehold.foundation.errors import NotFoundError
from freehold.operations import adopt, doctor, explain, history, look, software, watching
from freehold.operations.messages import Adopt, Collect, Fetch
from freehold.runtimes.local.adopt import Adoption


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_a_service_view_says_how_it_is_and_who_serves_it(world: World) -> None:
    run(world.installed(ready=1))
    view = run(look.describe(world.desk, "echo"))
    assert (view.members_ready, view.members_wanted) == (1, 1)
    assert view.endpoints[0].addresses == ["127.0.9.1:7070"]
    member = view.members[0]
    assert (member.state, member.role, member.pid, member.restarts) == ("ready", "leader", 7, 1)
    assert (member.probed_age_s, member.data_bytes) == (0.5, 4096)
    assert {condition["type"] for condition in view.conditions} == {
        "Ready",
        "Progressing",
        "Degraded",
    }
    assert view.created_at == 1000.0


def test_uninstalled_services_are_listed_only_when_asked_for(world: World) -> None:
    run(world.installed(want=Want.UNINSTALLED))
    assert run(look.list_services(world.desk)) == []
    assert [view.state for view in run(look.list_services(world.desk, everything=True))] == [
        "uninstalled"
    ]


def test_a_lost_definition_is_a_problem_of_doctor_and_views_still_answer(world: World) -> None:
    wish = run(world.installed(ready=1))
    world.engine.seen.clear()
    lost = replace(wish, definition="sha256:0", generation=wish.generation + 1)
    world.journal.put_wish(lost, expected_generation=wish.generation)
    assert run(look.describe(world.desk, "echo")).state == "unknown"
    findings = run(doctor.doctor(world.desk))
    assert findings[0].status == "problem"
    assert findings[0].fix == "freehold adopt"


def test_operations_are_shown_with_what_they_changed(world: World) -> None:
    run(world.installed(ready=1))
    listed = history.list_operations(world.desk, service="echo")
    assert [each.verb for each in listed] == ["install"]
    assert history.show_operation(world.desk, listed[0].id).members[0].state == "ready"
    with pytest.raises(NotFoundError):
        history.show_operation(world.desk, "no-such")


def test_a_watched_operation_that_has_ended_is_one_line(world: World) -> None:
    run(world.installed(ready=1))
    operation = history.list_operations(world.desk)[0].id

    async def lines() -> list[str]:
        return [view.phase async for view in history.watch_operation(world.desk, operation)]

    assert run(lines()) == ["done"]


def test_explain_knows_knobs_and_fields_of_the_format(world: World) -> None:
    assert "memory" in explain.explain(world.desk, ECHO).fields
    knob = explain.explain(world.desk, ECHO, "memory").knob
    assert knob is not None
    assert (knob.type, knob.default, knob.changes) == ("bytes", "64Mi", "restart")
    field = explain.explain(world.desk, ECHO, "spec.components.node.stop.before")
    assert "ahead of the signal" in field.help
    for wrong in ("no_such", "spec.nothing", "memory.more"):
        with pytest.raises(NotFoundError):
            explain.explain(world.desk, ECHO, wrong)


def test_metrics_of_silent_members_are_missing_and_alerts_fire_on_the_rest(world: World) -> None:
    run(world.installed(ready=2, knobs={"members": 2}))
    now = world.desk.clock.now()
    samples = [[now - 90 + 10 * number, 2000.0] for number in range(10)]
    world.place.measured = {"echo-node-0": {"series": {"refused_total": samples}}}
    series = run(watching.read_metrics(world.desk, "echo"))
    assert [(each.member, each.metric) for each in series] == [("echo-node-0", "refused_total")]
    verdicts = run(watching.judge_alerts(world.desk, "echo"))
    assert [(each.alert, each.state.value) for each in verdicts] == [("requests_refused", "firing")]


def test_prometheus_texts_of_members_are_one_text(world: World) -> None:
    run(world.installed(ready=2, knobs={"members": 2}))
    text = run(watching.read_prometheus(world.desk, "echo"))
    assert text.count("# TYPE") == 1
    assert text.count("up 1") == 2


def test_logs_of_a_member_that_is_not_there_are_not_found(world: World) -> None:
    run(world.installed(ready=1))

    async def read(member: str) -> list[str]:
        lines = watching.read_logs(world.desk, "echo", member=member)
        return [line.message async for line in lines]

    world.place.lines = [{"at": 1.0, "member": "echo-node-0", "message": "hello"}]
    assert run(read("echo-node-0")) == ["hello"]
    with pytest.raises(NotFoundError, match="echo-node-9"):
        run(read("echo-node-9"))


def test_gc_keeps_what_services_may_start_from(world: World) -> None:
    run(world.installed(ready=1))
    kept = run(software.collect_software(world.desk, Collect(dry_run=True)))
    assert kept.removed == []
    trees = run(software.list_software(world.desk))
    assert trees[0].used_by == ["echo"]


def test_fetch_reports_until_done(world: World) -> None:
    async def lines() -> list[tuple[str, bool]]:
        asked = Fetch(package=ECHO)
        return [(line.note, line.done) async for line in software.fetch_software(world.desk, asked)]

    assert run(lines()) == [("half", False), ("echo 2.0 is here", True)]


def test_adopt_puts_back_what_the_folders_tell_and_touches_nothing_known(world: World) -> None:
    from freehold.definition.archive import archive

    wish = run(world.installed(ready=1))
    package = world.desk.packages.by_digest(wish.definition)
    lost = replace(wish, service="lost", lineage="l2", generation=7)
    world.place.adoption = Adoption(
        wishes=(wish, lost),
        archives={wish.definition: archive(package.files)},
        problems=("cannot adopt torn: …",),
    )
    foreseen = run(adopt.adopt(world.desk, ANN, Adopt(dry_run=True)))
    assert world.journal.wish("lost") is None
    done = run(adopt.adopt(world.desk, ANN, Adopt()))
    assert (foreseen.services, done.services, done.known) == (["lost"], ["lost"], ["echo"])
    assert done.problems == ["cannot adopt torn: …"]
    assert world.journal.wish("lost") == lost
    assert world.engine.followed == ["echo", "lost"]
