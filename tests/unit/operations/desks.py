"""A desk for tests: a real journal and real packages, an engine that only stores, a place of paper."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import freehold.testkit
from freehold.adapters.bindings import BindingFolders
from freehold.adapters.catalog import FolderPackages
from freehold.adapters.journal import SqliteJournal
from freehold.definition.package import Package
from freehold.engine.observed import Observed, ObservedMember, Reach
from freehold.engine.plan import Plan
from freehold.engine.wish import Want, Wish
from freehold.execution.ports import Progress
from freehold.execution.records import Operation, OperationPhase
from freehold.execution.snapshot import Snapshot
from freehold.foundation.errors import RefusedError
from freehold.foundation.member import (
    ActionOrder,
    ActionPhase,
    ActionState,
    Certificate,
    MemberSpec,
    MemberStatus,
    Phase,
    ProcessStatus,
)
from freehold.operations.desk import Asker, Desk, Tree
from freehold.operations.forecast import rendered
from freehold.operations.install import install
from freehold.operations.messages import Accepted, Collected, Finding, Install, PlanView
from freehold.runtimes.local.adopt import Adoption

ECHO = str(Path(freehold.testkit.__file__).parent / "echo")
NOW = 1000.0
ANN = Asker(actor="uid 1000 (ann)")


class StillClock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class CountedIds:
    def __init__(self) -> None:
        self._made = 0

    def new(self) -> str:
        self._made += 1
        return f"{int(NOW * 1000):012x}{self._made:08x}"


class StoringEngine:
    """Stores edits as the real one does; what is seen is what the test says."""

    def __init__(self, journal: SqliteJournal, packages: FolderPackages) -> None:
        self._journal, self._packages = journal, packages
        self.seen: dict[str, Observed] = {}
        self.followed: list[str] = []

    def submit(
        self, wish: Wish, operation: Operation, *, expected_generation: int | None
    ) -> Operation:
        self._journal.edit(wish, operation, [], expected_generation=expected_generation)
        return operation

    def cancel(self, operation_id: str, *, actor: str) -> Operation:
        operation = self._journal.operation(operation_id)
        assert operation is not None
        return replace(operation, phase=OperationPhase.CANCELLED, reason=actor)

    async def refresh(self, service: str, *, at_most_s: float, within_s: float) -> None:
        """What is seen is what the test says: it is never old."""

    def snapshot(self, service: str) -> Snapshot | None:
        wish = self._journal.wish(service)
        if wish is None or service not in self.seen:
            return None
        observed = self.seen[service]
        desired = rendered(wish, self._packages.by_digest(wish.definition), observed)
        return Snapshot(wish=wish, desired=desired, observed=observed, plan=Plan(), observed_at=NOW)

    def live_operation(self, operation_id: str) -> Operation | None:
        return self._journal.operation(operation_id)

    async def subscribe(self, service: str) -> AsyncIterator[None]:
        yield

    def follow(self, service: str) -> None:
        self.followed.append(service)

    def end(self, operation_id: str) -> None:
        operation = self._journal.operation(operation_id)
        assert operation is not None
        self._journal.put_operation(replace(operation, phase=OperationPhase.DONE, ended_at=NOW))


@dataclass
class PaperAgent:
    orders: list[ActionOrder]
    answers: dict[str, ActionState]

    async def act(self, order: ActionOrder) -> ActionState:
        self.orders.append(order)
        done = ActionState(key=order.key, action=order.action, phase=ActionPhase.DONE)
        return self.answers.get(order.action, done)

    async def prometheus(self) -> str:
        return "# TYPE up gauge\nup 1\n"


@dataclass
class PaperPlace:
    room: bool = True
    orders: list[ActionOrder] = field(default_factory=list)
    answers: dict[str, ActionState] = field(default_factory=dict)
    handed: list[tuple[str, str]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    adoption: Adoption = field(default_factory=Adoption)

    def client(self, service: str, member: str) -> PaperAgent:
        return PaperAgent(self.orders, self.answers)

    def hand_secret(self, service: str, member: str, name: str) -> None:
        self.handed.append((member, name))
        self.held.add(name)

    def withdraw_secret(self, service: str, member: str, name: str) -> None:
        self.held.discard(name)

    async def reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        return {member: f"127.0.9.{number + 1}" for number, member in enumerate(members)}

    async def preflight(self, wish: Wish, specs: Sequence[MemberSpec]) -> Sequence[str]:
        await asyncio.sleep(0)  # another command may come in between, as in life
        if not self.room:
            raise RefusedError("cannot install: memory is short", next_command="--preset dev")
        return [f"{len(specs)} more members"] if specs else []

    async def logs(
        self, service: str, *, member: str, follow: bool, **filters: Any
    ) -> AsyncIterator[Mapping[str, Any]]:
        for line in self.lines:
            yield line

    async def metrics(self, service: str, since: float) -> Mapping[str, Mapping[str, Any]]:
        return self.measured

    def adopt(self) -> Adoption:
        return self.adoption


class PaperSoftware:
    async def present(self, package: Package) -> frozenset[str]:
        return frozenset({"2.0"})

    async def fetch(self, package: Package, version: str, progress: Progress) -> None:
        progress("half", 0.5)


class PaperStore:
    async def trees(self) -> Sequence[Tree]:
        return [Tree(digest="t2.0", package="echo", version="2.0", bytes=10)]

    def digests(self, package: Package, version: str) -> Collection[str]:
        return {f"t{version}"}

    async def missing_bytes(self, package: Package, version: str) -> int:
        return 7

    async def collect(self, keep: Collection[str], *, dry_run: bool) -> Collected:
        return Collected(
            removed=sorted({"t1.0", "t2.0"} - set(keep)), freed_bytes=1, dry_run=dry_run
        )


class PaperSecrets:
    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def issue_password(self, service: str, lineage: str, name: str) -> None:
        self.made.setdefault(name, f"value of {name}")

    def value(self, lineage: str, name: str) -> str:
        return self.made[name]

    def remove(self, lineage: str, name: str) -> None:
        self.made.pop(name, None)

    def authority_bundle(self, lineage: str) -> bytes:
        return b"PEM"


class PaperExaminer:
    async def examine(self) -> Sequence[Finding]:
        return [Finding(check="disk", status="ok", message="enough")]


@dataclass
class World:
    """A desk and the test's handles on what is behind it."""

    desk: Desk
    engine: StoringEngine
    place: PaperPlace
    secrets: PaperSecrets
    journal: SqliteJournal
    folder: Path

    @classmethod
    def at(cls, folder: Path, packages: FolderPackages) -> World:
        journal = SqliteJournal(folder / "state.db", folder / "marker")
        engine, place, secrets = StoringEngine(journal, packages), PaperPlace(), PaperSecrets()
        desk = Desk(
            journal=journal,
            packages=packages,
            engine=engine,
            place=place,
            examiner=PaperExaminer(),
            software=PaperSoftware(),
            store=PaperStore(),
            secrets=secrets,
            bindings=BindingFolders(folder / "services"),
            clock=StillClock(),
            ids=CountedIds(),
        )
        return cls(desk, engine, place, secrets, journal, folder)

    async def installed(self, *, ready: int = 0, want: Want = Want.RUNNING, **fields: Any) -> Wish:
        """Install echo; ``ready`` members of it are seen ready afterwards."""
        asked = Install(**{"package": ECHO, "preset": "dev", **fields})
        accepted = await install(self.desk, ANN, asked)
        assert isinstance(accepted, Accepted)
        self.engine.end(accepted.operation.id)
        wish = self.journal.wish(accepted.operation.service)
        assert wish is not None
        if want is not wish.want:
            wish = replace(wish, want=want, generation=wish.generation + 1)
            self.journal.put_wish(wish, expected_generation=wish.generation - 1)
        (self.folder / "services" / wish.service).mkdir(parents=True)
        self.engine.seen[wish.service] = Observed(
            members={each.name: each for each in _ready(wish, ready)},
            software=frozenset({wish.version}),
        )
        return wish

    def state(self) -> tuple[Any, ...]:
        """Everything stored: a refusal leaves it as it was."""
        return (
            tuple(self.journal.wishes()),
            tuple(self.journal.operations()),
            tuple(self.journal.events(None)),
            tuple(
                sorted(str(path) for path in self.folder.rglob("*") if "state.db" not in path.name)
            ),
        )


def _ready(wish: Wish, count: int) -> list[ObservedMember]:
    return [
        ObservedMember(
            name=f"{wish.service}-node-{ordinal}",
            component="node",
            group=0,
            ordinal=ordinal,
            uid=f"u{ordinal}",
            incarnation=0,
            reach=Reach.ANSWERS,
            certificate=Certificate.HELD,
            phase=Phase.RUNNING,
            run=True,
            ready=True,
            initialised=True,
            role="leader" if ordinal == 0 else "follower",
            address=f"127.0.9.{ordinal + 1}",
            status=MemberStatus(
                member=f"{wish.service}-node-{ordinal}",
                incarnation=0,
                phase=Phase.RUNNING,
                probed_age_s=0.5,
                main=ProcessStatus(pid=7, restarts=1),
                volumes_used={"data": 4096},
            ),
        )
        for ordinal in range(count)
    ]


def steps_of(plan: Accepted | PlanView) -> list[str]:
    assert isinstance(plan, PlanView)
    return [step.step for step in plan.steps]
