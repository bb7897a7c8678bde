"""The real loop over the simulated runtime: killed at every effect, cancelled, superseded, stuck."""

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest

import freehold.testkit
from freehold.adapters.catalog import read_folder
from freehold.adapters.journal import SqliteJournal
from freehold.definition.knobs import resolve
from freehold.definition.loader import load_package
from freehold.engine.wish import Want, Wish
from freehold.execution.edits import difference
from freehold.execution.engine_loop import Engine, World
from freehold.execution.records import Operation, OperationPhase
from freehold.foundation.errors import NotFoundError, PermanentFault, RefusedError
from freehold.runtimes.simulated import (
    CrashAt,
    FakeClock,
    LoopKilled,
    SimulatedRuntime,
    SimulatedSecrets,
    SimulatedSoftware,
    SimulatedWorld,
    Weather,
)

ECHO = Path(freehold.testkit.__file__).parent / "echo"
PACKAGE = load_package(read_folder(ECHO), "echo")
KNOBS = resolve(PACKAGE, "ha", {})


class OnePackage:
    def __init__(self, package):
        self.package = package

    def by_digest(self, digest):
        assert digest == self.package.digest
        return self.package

    def pin(self, package):
        pass

    def catalog(self):
        return {"echo": self.package}


class Numbers:
    def __init__(self):
        self._numbers = itertools.count(1)

    def new(self):
        return f"{next(self._numbers):06d}"


class Place:
    """A simulated place with a journal on disk; ``engine`` makes a new loop over the same place."""

    def __init__(self, folder, package=PACKAGE):
        self.folder = folder
        self.package = package
        self.clock = FakeClock()
        self.world = SimulatedWorld(self.clock.now)
        self.weather = Weather()
        self.secrets = SimulatedSecrets(self.world)
        self.software = SimulatedSoftware(self.world, self.clock)
        self.ids = Numbers()
        self.journal = SqliteJournal(folder / "state.db", folder / "state.marker")
        self.log = []

    def engine(self, failpoints):
        return Engine(
            World(
                runtime=SimulatedRuntime(self.world, self.clock, self.weather),
                journal=self.journal,
                packages=OnePackage(self.package),
                software=self.software,
                secrets=self.secrets,
                clock=self.clock,
                ids=self.ids,
                failpoints=failpoints,
                log=self.log.append,
            )
        )

    def new_wish(self, members=3):
        return Wish(
            service="orders",
            lineage="lineage-1",
            package="echo",
            version=self.package.spec.versions[0].version,
            definition=self.package.digest,
            preset="ha",
            knobs={**KNOBS, "members": members},
            site="here",
            founders=dict.fromkeys(self.package.spec.components, members),
        )

    def edit(self, engine, verb, **changes):
        before = self.journal.wish("orders")
        after = (
            replace(before, **changes, generation=before.generation + 1)
            if before
            else self.new_wish()
        )
        was, is_now = difference(before, after) if before else ({}, {"want": "running"})
        operation = Operation(
            id=self.ids.new(),
            service="orders",
            lineage=after.lineage,
            verb=verb,
            actor="test",
            project="default",
            generation=after.generation,
            before=was,
            after=is_now,
            created_at=self.clock.now(),
            deadline_at=self.clock.now() + 600,
        )
        return engine.submit(
            after, operation, expected_generation=before.generation if before else None
        )

    async def until(self, condition, within_s=3000.0):
        deadline = self.clock.now() + within_s
        while not condition():
            assert self.clock.now() < deadline, (self.journal.operations(), self.log)
            await self.clock.sleep(0.3)
            self.world.pass_time()

    async def until_ended(self, operation):
        await self.until(
            lambda: self.journal.operation(operation.id).phase is not OperationPhase.RUNNING
        )
        return self.journal.operation(operation.id)

    def ready(self):
        service = self.world.services.get("orders")
        seen = [member.seen() for member in service.members.values()] if service else []
        return sorted(each.name for each in seen if each.is_ready)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.journal.close()


def members(knobs_members):
    return {"knobs": {**KNOBS, "members": knobs_members}}


VERBS = {
    "install": {},
    "scale out": members(4),
    "scale in": members(2),
    "restart": {"restart": "stamp-1"},
    "stop": {"want": Want.STOPPED},
    "uninstall": {"want": Want.UNINSTALLED},
    "purge": {"want": Want.PURGED},
}


async def run_verb(folder, verb, crash_at):
    """Install cleanly, then run the verb with the daemon killed at the numbered failpoint."""
    place = Place(folder)
    points = CrashAt(None)
    try:
        if verb != "install":
            engine = place.engine(CrashAt(None))
            await engine.start()
            await place.until_ended(place.edit(engine, "install"))
            await engine.close()
        place.world.effects.clear()
        points = CrashAt(crash_at)
        engine = place.engine(points)
        await engine.start()
        operation = None
        try:
            operation = place.edit(engine, verb, **VERBS[verb])
            await place.until(
                lambda: (
                    any(task.done() for task in engine._tasks.values())
                    or place.journal.operation(operation.id).phase is not OperationPhase.RUNNING
                )
            )
        except LoopKilled:
            pass
        await engine.close()
        engine = place.engine(CrashAt(None))  # the daemon comes back
        await engine.start()
        if place.journal.operations(open_only=True):
            await place.until(lambda: not place.journal.operations(open_only=True))
        elif operation is None:  # it died before anything was stored: the user types it again
            await place.until_ended(place.edit(engine, verb, **VERBS[verb]))
        await place.until(lambda: True)
        await engine.close()
        assert not place.log, place.log
        wish = place.journal.wish("orders")
        service = place.world.services.get("orders")
        end = {
            "ready": place.ready(),
            "want": wish.want if wish else None,
            "kept": sorted(kept.seen.member for kept in service.kept) if service else [],
            "secrets": sorted(place.world.secrets.get("lineage-1", ())),
        }
        return end, dict(place.world.effects), points.reached
    finally:
        place.journal.close()


@pytest.mark.parametrize("verb", VERBS)
def test_the_daemon_killed_at_every_effect_ends_as_a_clean_run(tmp_path, verb):
    # kills the mutant "the executor reports a step done before it is performed"
    def run(name, crash_at):
        (tmp_path / name).mkdir()
        with asyncio.Runner() as runner:
            runner.get_loop().set_exception_handler(
                lambda *_: None
            )  # a killed loop is never awaited
            return runner.run(run_verb(tmp_path / name, verb, crash_at))

    clean_end, clean_effects, points = run("clean", None)
    assert len(points) >= 4
    for number in range(1, len(points) + 1):
        end, effects, _ = run(f"crash-{number}", number)
        assert end == clean_end, f"killed at {points[number - 1]}"
        assert effects == clean_effects, f"killed at {points[number - 1]}"


def test_an_operation_ends_with_its_story_told(place):
    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        ended = await place.until_ended(place.edit(engine, "install"))
        await engine.close()
        return ended

    ended = asyncio.run(story())
    assert ended.phase is OperationPhase.DONE
    assert all(step.outcome == "done" and step.because for step in ended.steps)
    assert any(step.step.startswith("start orders-") for step in ended.steps)
    events = [each.message for each in place.journal.events("orders")]
    assert any("is ready" in message for message in events)


def test_a_newer_wish_supersedes_the_older_operation(place):
    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        await place.until_ended(place.edit(engine, "install"))
        first = place.edit(engine, "scale", **members(4))
        second = place.edit(engine, "scale", **members(3))
        await place.until_ended(second)
        await engine.close()
        return first

    first = asyncio.run(story())
    stored = place.journal.operation(first.id)
    assert stored.phase is OperationPhase.SUPERSEDED
    assert "scale" in stored.reason
    assert len(place.ready()) == 3


def test_a_cancelled_operation_goes_back_and_is_followed_there(place):
    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        await place.until_ended(place.edit(engine, "install"))
        scaling = place.edit(engine, "scale", **members(5))
        back = engine.cancel(scaling.id, actor="ann")
        await place.until_ended(back)
        with pytest.raises(RefusedError, match="it has ended"):
            engine.cancel(scaling.id, actor="ann")
        with pytest.raises(NotFoundError):
            engine.cancel("nonsense", actor="ann")
        await engine.close()
        return scaling, back

    scaling, back = asyncio.run(story())
    assert place.journal.operation(scaling.id).phase is OperationPhase.CANCELLED
    assert place.journal.operation(back.id).phase is OperationPhase.DONE
    assert place.journal.wish("orders").knobs["members"] == 3
    assert len(place.ready()) == 3


def test_a_stuck_step_blocks_neither_stop_nor_its_end(place):
    class Stuck(SimulatedSoftware):
        async def fetch(self, package, version, progress):
            progress("connecting", None)
            await asyncio.Event().wait()

    place.software = Stuck(place.world, place.clock)

    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        place.edit(engine, "install")
        await place.until(lambda: engine.snapshot("orders") is not None)
        ended = await place.until_ended(place.edit(engine, "uninstall", want=Want.UNINSTALLED))
        await engine.close()
        return ended

    assert asyncio.run(story()).phase is OperationPhase.DONE


def test_a_step_that_fails_for_good_fails_the_operation_and_is_tried_again_after_an_edit(place):
    class Broken(SimulatedSoftware):
        mended = False

        async def fetch(self, package, version, progress):
            if not self.mended:
                raise PermanentFault("cannot fetch echo: the hash of a.jar is wrong")
            await super().fetch(package, version, progress)

    place.software = Broken(place.world, place.clock)

    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        failed = await place.until_ended(place.edit(engine, "install"))
        place.software.mended = True
        again = await place.until_ended(place.edit(engine, "start", restart="x"))
        await engine.close()
        return failed, again

    failed, again = asyncio.run(story())
    assert failed.phase is OperationPhase.FAILED
    assert failed.reason == "cannot fetch echo: the hash of a.jar is wrong"
    assert again.phase is OperationPhase.DONE
    assert len(place.ready()) == 3


def test_an_operation_past_its_deadline_fails_with_what_it_waits_for(place):
    async def story():
        engine = place.engine(CrashAt(None))
        await engine.start()
        await place.until_ended(place.edit(engine, "install"))
        place.world.unknown = "the machine does not answer"
        stopping = place.edit(engine, "stop", want=Want.STOPPED)
        ended = await place.until_ended(stopping)
        await engine.close()
        return ended

    ended = asyncio.run(story())
    assert ended.phase is OperationPhase.FAILED
    assert "the machine does not answer" in ended.reason
