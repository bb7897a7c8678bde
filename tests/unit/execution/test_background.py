"""What is ordered in the background is part of no operation, and its failure is nobody's."""

import asyncio

import pytest
from tests.unit.execution.test_engine_loop import ECHO, Place

from freehold.adapters.catalog import read_folder
from freehold.definition.loader import load_package
from freehold.engine.wish import Want
from freehold.execution.records import OperationPhase
from freehold.foundation.member import ActionPhase
from freehold.runtimes.simulated import CrashAt, Habits


def with_background_action():
    files = dict(read_folder(ECHO))
    actions = b"  actions:\n"
    warm = actions + b"    warm: {hook: flush, when: settled, deadline: 30s}\n"
    assert actions in files["service.yaml"]
    return load_package(
        {**files, "service.yaml": files["service.yaml"].replace(actions, warm)}, "x"
    )


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path, with_background_action())
    yield made
    made.journal.close()


def tries(place):
    return {
        key: state.phase
        for member in place.world.members("orders").values()
        for key, state in member.actions.items()
        if key.startswith("settled:")
    }


def test_an_operation_ends_before_anything_is_done_in_the_background(place):
    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        installed = await place.until_ended(place.edit(engine, "install"))
        await place.until(lambda: ActionPhase.DONE in tries(place).values())
        await engine.close()
        return installed

    installed = asyncio.run(story())
    assert installed.phase is OperationPhase.DONE
    assert not [each for each in installed.steps if "warm" in each.step]
    (told,) = [each for each in place.journal.events("orders") if "warm on" in each.message]
    assert not told.operation
    assert len(tries(place)) == 1


def test_a_failure_in_the_background_leaves_the_service_ready_and_the_next_verb_free(place):
    place.world.habits = Habits(failing=frozenset({"warm"}))

    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        await place.until_ended(place.edit(engine, "install"))
        await place.until(lambda: len(tries(place)) == 3)
        await place.until(lambda: ActionPhase.RUNNING not in tries(place).values())
        await place.clock.sleep(200)
        fulfilled = engine.snapshot("orders").plan.is_fulfilled
        stopped = await place.until_ended(place.edit(engine, "stop", want=Want.STOPPED))
        await engine.close()
        return fulfilled, stopped

    fulfilled, stopped = asyncio.run(story())
    assert fulfilled
    assert stopped.phase is OperationPhase.DONE
    assert set(tries(place).values()) == {ActionPhase.FAILED}
    assert len(tries(place)) == 3
