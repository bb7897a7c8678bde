"""Changing verbs: refused before anything is stored, planned, then stored in one transaction."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.operations.desks import ANN, ECHO, NOW, World, steps_of

from freehold.engine.wish import Want
from freehold.foundation.errors import (
    DefinitionError,
    FreeholdError,
    NotFoundError,
    RefusedError,
)
from freehold.operations import change, install, removal, running, scale
from freehold.operations.messages import Accepted, Install, PlanView, Protect, Purge, Scale, Verb


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def asked(**fields: Any) -> Install:
    return Install(**{"package": ECHO, "preset": "dev", **fields})


def test_install_stores_wish_and_operation_and_names_them_after_the_package(world: World) -> None:
    accepted = run(install.install(world.desk, ANN, asked(knobs={"memory": "96Mi"})))
    assert isinstance(accepted, Accepted)
    wish = world.journal.wish("echo")
    assert wish is not None
    assert (wish.preset, wish.knobs["memory"], wish.founders) == ("dev", 96 * 2**20, {"node": 1})
    assert (wish.generation, wish.protected, wish.site) == (1, False, "local")
    stored = world.journal.operations()[0]
    assert (stored.verb, stored.actor, stored.generation) == ("install", ANN.actor, 1)
    assert stored.deadline_at == NOW + change.DEADLINES_S["install"]
    assert world.desk.packages.by_digest(wish.definition).name == "echo"


def test_the_default_preset_is_ha_and_it_protects(world: World) -> None:
    run(install.install(world.desk, ANN, asked(preset="")))
    wish = world.journal.wish("echo")
    assert wish is not None
    assert (wish.preset, wish.protected, wish.founders) == ("ha", True, {"node": 3})


def test_a_dry_run_answers_the_plan_and_stores_nothing(world: World) -> None:
    before = world.state()
    plan = run(install.install(world.desk, ANN, asked(dry_run=True)))
    assert any("provision" in step or "issue" in step for step in steps_of(plan))
    assert plan.warnings == ["1 more members"]
    assert world.state() == before


def test_a_dry_run_without_room_warns_and_a_real_one_is_refused(world: World) -> None:
    world.place.room = False
    plan = run(install.install(world.desk, ANN, asked(dry_run=True)))
    assert plan.warnings[0].startswith("will be refused")
    before = world.state()
    with pytest.raises(RefusedError, match="memory") as refused:
        run(install.install(world.desk, ANN, asked()))
    assert refused.value.next_command == "--preset dev"
    assert world.state() == before


WRONG: list[tuple[type[FreeholdError], dict[str, Any]]] = [
    (DefinitionError, {"name": "No_Name"}),
    (DefinitionError, {"name": "x" * 41}),
    (DefinitionError, {"knobs": {"memory": "lots"}}),
    (DefinitionError, {"knobs": {"memory": "1Ki"}}),
    (DefinitionError, {"knobs": {"members": 99}}),
    (DefinitionError, {"knobs": {"fail": "perhaps"}}),
    (DefinitionError, {"knobs": {"no_such": 1}}),
    (DefinitionError, {"preset": "huge"}),
    (DefinitionError, {"timeout_s": -1.0}),
    (DefinitionError, {"timeout_s": 1e12}),
    (DefinitionError, {"package": "Not A Name"}),
    (NotFoundError, {"package": "no-such"}),
    (NotFoundError, {"package": "/nowhere/at/all"}),
    (NotFoundError, {"version": "9.9"}),
    (RefusedError, {"settings": {"port": 1}}),
]


@pytest.mark.parametrize(("kind", "fields"), WRONG, ids=lambda each: str(each)[:60])
def test_a_wrong_install_is_refused_and_nothing_is_stored(
    world: World, kind: type[FreeholdError], fields: dict[str, Any]
) -> None:
    before = world.state()
    with pytest.raises(kind) as refused:
        run(install.install(world.desk, ANN, asked(**fields)))
    assert refused.value.message.startswith("cannot ")
    assert world.state() == before


def test_a_taken_name_is_refused(world: World) -> None:
    run(world.installed())
    with pytest.raises(RefusedError, match="is installed"):
        run(install.install(world.desk, ANN, asked()))


def test_an_uninstalled_service_comes_back_as_the_same_one(world: World) -> None:
    former = run(world.installed(want=Want.UNINSTALLED, knobs={"greeting": "servus"}))
    run(install.install(world.desk, ANN, asked(preset="")))
    wish = world.journal.wish("echo")
    assert wish is not None
    assert wish == replace(former, want=Want.RUNNING, generation=former.generation + 1)


def test_another_package_or_version_never_takes_over_kept_volumes(world: World) -> None:
    run(world.installed(want=Want.UNINSTALLED))
    with pytest.raises(RefusedError, match="its volumes were written"):
        run(install.install(world.desk, ANN, asked(version="1.0")))
    stored = world.journal.wish("echo")
    assert stored is not None
    other = replace(stored, package="other", generation=stored.generation + 1)
    world.journal.put_wish(other, expected_generation=stored.generation)
    with pytest.raises(RefusedError, match="uninstalled other"):
        run(install.install(world.desk, ANN, asked()))


def test_two_commands_at_once_one_wins_and_the_other_is_told_who(world: World) -> None:
    run(world.installed(ready=1))

    async def both() -> list[Any]:
        return await asyncio.gather(
            scale.scale(world.desk, ANN, "echo", Scale(members=3)),
            running.stop(world.desk, ANN, "echo", Verb()),
            return_exceptions=True,
        )

    results = run(both())
    refused = [each for each in results if isinstance(each, RefusedError)]
    assert len(refused) == 1, results
    assert "came first" in refused[0].message
    assert ANN.actor in refused[0].message
    assert len(world.journal.operations(open_only=True)) == 1


def test_scale_sets_the_knob_that_counts_members(world: World) -> None:
    run(world.installed(ready=1))
    run(scale.scale(world.desk, ANN, "echo", Scale(members=3)))
    wish = world.journal.wish("echo")
    assert wish is not None
    assert wish.knobs["members"] == 3
    assert wish.founders == {"node": 1}
    operation = world.journal.operations(open_only=True)[0]
    assert operation.before["knobs"]["members"] == 1


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (DefinitionError, {"members": 0}),
        (DefinitionError, {"members": 6}),
        (RefusedError, {"members": 1}),
        (NotFoundError, {"members": 2, "component": "brain"}),
    ],
)
def test_a_wrong_scale_is_refused(
    world: World, kind: type[FreeholdError], fields: dict[str, Any]
) -> None:
    run(world.installed(ready=1))
    before = world.state()
    with pytest.raises(kind):
        run(scale.scale(world.desk, ANN, "echo", Scale(**fields)))
    assert world.state() == before


def test_nothing_is_planned_for_a_service_that_was_never_looked_at(world: World) -> None:
    run(world.installed(ready=1))
    world.engine.seen.clear()
    with pytest.raises(FreeholdError, match="not been observed"):
        run(running.stop(world.desk, ANN, "echo", Verb()))


@pytest.mark.parametrize(
    ("verb", "want", "refused"),
    [
        (running.start, Want.STOPPED, False),
        (running.start, Want.RUNNING, True),
        (running.start, Want.UNINSTALLED, True),
        (running.stop, Want.RUNNING, False),
        (running.stop, Want.STOPPED, True),
        (running.restart, Want.RUNNING, False),
        (running.restart, Want.STOPPED, True),
        (removal.uninstall, Want.STOPPED, False),
        (removal.uninstall, Want.UNINSTALLED, True),
        (removal.uninstall, Want.PURGED, True),
    ],
)
def test_which_verb_is_refused_in_which_state(
    world: World, verb: Any, want: Want, refused: bool
) -> None:
    run(world.installed(ready=1, want=want))
    before = world.state()
    if not refused:
        assert isinstance(run(verb(world.desk, ANN, "echo", Verb())), Accepted)
        return
    with pytest.raises(RefusedError):
        run(verb(world.desk, ANN, "echo", Verb()))
    assert world.state() == before


def test_restart_is_a_new_stamp_each_time(world: World) -> None:
    run(world.installed(ready=1))
    stamps = set()
    for _ in range(2):
        run(running.restart(world.desk, ANN, "echo", Verb()))
        wish = world.journal.wish("echo")
        assert wish is not None
        stamps.add(wish.restart)
    assert len(stamps) == 2


def test_purge_wants_the_name_typed_and_the_protection_lifted(world: World) -> None:
    run(world.installed(ready=3, preset="ha"))
    before = world.state()
    for wrong in (Purge(), Purge(confirm="echo"), Purge(confirm="ech", unprotect=True)):
        with pytest.raises(RefusedError):
            run(removal.purge(world.desk, ANN, "echo", wrong))
    assert world.state() == before
    plan = run(removal.purge(world.desk, ANN, "echo", Purge(dry_run=True, unprotect=True)))
    assert isinstance(plan, PlanView)
    run(removal.purge(world.desk, ANN, "echo", Purge(confirm="echo", unprotect=True)))
    wish = world.journal.wish("echo")
    assert wish is not None
    assert wish.want is Want.PURGED


def test_protection_is_switched_and_switching_twice_is_refused(world: World) -> None:
    run(world.installed(ready=1))
    run(removal.protect(world.desk, ANN, "echo", Protect(on=True)))
    with pytest.raises(RefusedError):
        run(removal.protect(world.desk, ANN, "echo", Protect(on=True)))


def test_rebuild_needs_a_peer_to_fill_it_and_raises_the_incarnation(world: World) -> None:
    run(world.installed(ready=2, knobs={"members": 2}))
    run(running.rebuild(world.desk, ANN, "echo", Verb(member="echo-node-1")))
    wish = world.journal.wish("echo")
    assert wish is not None
    assert wish.rebuild == {"echo-node-1": 1}
    with pytest.raises(NotFoundError):
        run(running.rebuild(world.desk, ANN, "echo", Verb(member="echo-node-9")))


def test_the_only_copy_is_never_rebuilt(world: World) -> None:
    run(world.installed(ready=1))
    with pytest.raises(RefusedError, match="only copy"):
        run(running.rebuild(world.desk, ANN, "echo", Verb(member="echo-node-0")))


@pytest.mark.parametrize("name", ["no-such", "Bad Name", "../etc"])
def test_a_service_that_is_not_there_is_not_found_or_no_name(world: World, name: str) -> None:
    with pytest.raises((NotFoundError, DefinitionError)):
        run(running.stop(world.desk, ANN, name, Verb()))


def test_a_verb_that_means_nothing_now_is_refused_and_names_what_to_wait_for(world: World) -> None:
    run(world.installed(ready=1))
    accepted = run(running.stop(world.desk, ANN, "echo", Verb()))
    with pytest.raises(RefusedError, match=r"stop is on its way|it is stopped") as refused:
        run(running.restart(world.desk, ANN, "echo", Verb()))
    assert refused.value.next_command
    assert accepted.operation.id


def test_a_dry_run_shows_the_whole_way_and_what_is_destroyed(world: World) -> None:
    run(world.installed(ready=1))
    plan = run(removal.purge(world.desk, ANN, "echo", Purge(dry_run=True)))
    words = [step.step.split()[0] for step in plan.steps]
    assert words == ["stop", "retire", "destroy", "forget"]
    assert [step.destroys for step in plan.steps] == [False, False, True, True]
    assert plan.steps[0].interrupts
