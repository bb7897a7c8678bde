"""The Runtime port on a plain machine: members are processes, volumes are folders.

Every step looks before it acts and reads back afterwards. The destructive ones hold the member's
death certificate while they act: whoever holds it knows that nothing of the software lives and
that nothing can start.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, assert_never

from freehold.agent import proc
from freehold.agent.client import AgentClient
from freehold.agent.tree import lay_out
from freehold.definition.package import Package
from freehold.engine.observed import Observed
from freehold.engine.plan import (
    Act,
    CancelAct,
    Configure,
    DestroyVolumes,
    Forget,
    Provision,
    Restart,
    Retire,
    Revive,
    Start,
    Stop,
)
from freehold.engine.wish import Wish
from freehold.execution.ports import RuntimeStep
from freehold.foundation.errors import NotFoundError, PermanentFault, TransientFault
from freehold.foundation.member import ActionOrder, ActionPhase, MemberSpec, Orders
from freehold.runtimes.local import preflight, reading, sweep
from freehold.runtimes.local.accounts import base_interpreter
from freehold.runtimes.local.addresses import BlockClaim
from freehold.runtimes.local.adopt import Adoption, adopt
from freehold.runtimes.local.agents import Agents
from freehold.runtimes.local.endings import Endings
from freehold.runtimes.local.folders import (
    MemberFolder,
    current_folder,
    member_folders,
    service_folders,
)
from freehold.runtimes.local.observing import Observer
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.provisioning import (
    DerivedFor,
    MemberSecrets,
    Provisioner,
    TreeFor,
)
from freehold.runtimes.local.records import ServiceRecords
from freehold.runtimes.local.spawning import AgentProgram
from freehold.runtimes.local.threads import finish_in_thread
from freehold.runtimes.local.watching import Watcher


class LocalRuntime:
    """Implements :class:`freehold.execution.ports.Runtime` for one home."""

    def __init__(
        self,
        paths: LocalPaths,
        secrets: MemberSecrets,
        tree_for: TreeFor,
        now: Callable[[], float] = time.time,
        derived_for: DerivedFor | None = None,
    ) -> None:
        self.paths = paths
        self._secrets = secrets
        self._claim = BlockClaim(paths.block, paths.uid)
        self.records = ServiceRecords(paths, self._claim.take)
        self._wakes: list[Callable[[str], None]] = []
        self.agents = Agents(paths, self._changed)
        self._observer = Observer(self.agents, self.records, now)
        self._watcher = Watcher(self._observer, paths.services, self._changed)
        self._provisioner = Provisioner(paths, self.records, secrets, tree_for, derived_for)
        self._endings = Endings(paths, self.records, self.agents, now)

    async def open(self) -> None:
        """Prepare the home and take up what already runs in it."""
        self.paths.prepare()
        self._claim.take()
        tree = await asyncio.to_thread(lay_out, self.paths.agents)
        program = AgentProgram(python=base_interpreter(), tree=tree)
        self._endings.finish_removals()
        folders = [
            folder
            for service in service_folders(self.paths.services)
            for folder in self._living(service.name)
        ]
        self.agents.open(program, folders)
        await self.sweep()
        self._watcher.start()

    async def close(self) -> None:
        """Let go of everything; agents and software go on."""
        await self._watcher.stop()
        await self.agents.close()
        self._claim.release()

    def on_change(self, wake: Callable[[str], None]) -> None:
        self._wakes.append(wake)

    async def observe(self, wish: Wish) -> Observed:
        return await self._observer.observe(wish, self.paths.service(wish.service))

    async def record(self, wish: Wish, package: Package) -> None:
        await finish_in_thread(self.records.put, wish, package)

    async def reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        return await finish_in_thread(self.records.reserve, wish, members)

    async def preflight(self, wish: Wish, specs: Sequence[MemberSpec]) -> tuple[str, ...]:
        """Refuse members that cannot run on this machine; return warnings about the rest.

        ``specs`` are those that the wish adds; nothing is stored by asking.
        """
        addresses = await self.reserve(wish, [spec.name for spec in specs])
        machine = await finish_in_thread(
            preflight.read_machine,
            self.paths.data,
            promised_bytes=await self._promised_bytes(),
            addresses=addresses,
            specs=specs,
        )
        return preflight.judge(preflight.Need.of(wish.service, specs), machine)

    def adopt(self) -> Adoption:
        """Return what the folders tell of the services here, for a journal that was lost."""
        return adopt(self.paths, self.records)

    async def sweep(self, *, kill: bool = True) -> sweep.Findings:
        """Find what belongs to nothing here any more, and end the processes among it."""
        findings = await finish_in_thread(sweep.look, self.paths, self.agents.tree)
        if kill:
            sweep.end(findings)
        return findings

    async def logs(
        self, service: str, *, member: str = "", follow: bool = False, **filters: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the lines of all members (or one) by time; filters: since, level, source."""
        streams = {
            folder.member: reading.member_lines(
                folder.member, self.agents.client(folder), follow=follow, **filters
            )
            for folder in self._living(service)
            if member in {"", folder.member}
        }
        patience_s = reading.FOLLOW_PATIENCE_S if follow else None
        async for line in reading.merge(streams, patience_s=patience_s):
            yield line

    async def metrics(self, service: str, since: float = 0.0) -> Mapping[str, dict[str, Any]]:
        """Return each answering member's series; a silent one is missing, not zero."""
        folders = self._living(service)
        answers = await asyncio.gather(
            *(self.agents.client(folder).metrics(since) for folder in folders),
            return_exceptions=True,
        )
        return {
            folder.member: answer
            for folder, answer in zip(folders, answers, strict=True)
            if not isinstance(answer, BaseException)
        }

    def client(self, service: str, member: str) -> AgentClient:
        """Return the way to a member's agent: logs, metrics, events."""
        return self.agents.client(self._folder(service, member))

    def hand_secret(self, service: str, member: str, name: str) -> None:
        """Put a secret beyond the spec's into one member's folder, for an action that needs it."""
        lineage = self.records.get(service).wish.lineage
        folder = self._folder(service, member)
        self._provisioner.deliver(
            folder, self._secrets.member_files(lineage, member, [name]), self._account(service)
        )

    def withdraw_secret(self, service: str, member: str, name: str) -> None:
        (self._folder(service, member).path / "secrets" / name).unlink(missing_ok=True)

    async def perform(self, step: RuntimeStep) -> None:  # noqa: C901  one case a step
        match step:
            case Provision():
                await self._provision(step)
            case Start():
                await self._order(step, run=True, stamp=step.stamp)
            case Stop():
                await self._order(step, run=False)
            case Restart():
                await self._order(step, stamp=step.stamp)
            case Configure():
                await self._configure(step)
            case Act():
                await self._act(step)
            case CancelAct():
                await self._cancel(step)
            case Revive():
                await self.agents.replace_silent(self._folder(step.service, step.member))
            case Retire():
                await self._endings.retire(step)
            case DestroyVolumes():
                await self._endings.destroy_volumes(step)
            case Forget():
                await self._endings.forget(step)
            case _:
                assert_never(step)

    async def _provision(self, step: Provision) -> None:
        folder = await finish_in_thread(self._provisioner.provision, step)
        status = await self.agents.ensure(folder)
        if status.incarnation != step.spec.incarnation:
            raise TransientFault(f"cannot provision {step.member}: its agent is an older one's")

    async def _order(
        self, step: Start | Stop | Restart, *, run: bool | None = None, stamp: str = ""
    ) -> None:
        """Send the orders whole; what the step does not speak of stays as it was ordered."""
        folder = self._folder(step.service, step.member)
        before = folder.orders() or Orders(run=False, incarnation=folder.incarnation)
        orders = replace(
            before,
            run=before.run if run is None else run,
            restart=stamp or before.restart,
            incarnation=folder.incarnation,
        )
        status = await self.agents.client(folder).order(orders=orders)
        if status.run != orders.run:
            raise TransientFault(f"cannot {step}: its agent did not keep the order")

    async def _configure(self, step: Configure) -> None:
        folder = self._folder(step.service, step.member)
        place = await finish_in_thread(self._provisioner.refresh, folder, step.spec)
        orders = None
        if step.stamp:
            before = folder.orders() or Orders(run=False, incarnation=folder.incarnation)
            orders = replace(before, restart=step.stamp)
        status = await self.agents.client(folder).order(spec=step.spec, place=place, orders=orders)
        if status.revision_accepted != step.spec.revision:
            raise TransientFault(
                f"cannot configure {step.member}: its agent keeps {status.revision_accepted[:12]}"
            )

    async def _act(self, step: Act) -> None:
        order = ActionOrder(key=step.key, action=step.action, arguments=step.arguments)
        await self.agents.client(self._folder(step.service, step.member)).act(order)

    async def _cancel(self, step: CancelAct) -> None:
        try:
            state = await self.agents.client(self._folder(step.service, step.member)).cancel(
                step.key
            )
        except NotFoundError:
            return  # never ordered, or forgotten since: nothing runs
        if state.phase is ActionPhase.RUNNING:
            raise TransientFault(f"cannot cancel {step.key}: it still runs", retry_after_s=1.0)

    def _folder(self, service: str, member: str) -> MemberFolder:
        folder = current_folder(self.paths.service(service), member)
        if folder is None:
            raise PermanentFault(
                f"cannot reach {member}: there is no such member",
                next_command=f"freehold status {service}",
            )
        return folder

    def _living(self, service: str) -> list[MemberFolder]:
        folder = self.paths.service(service)
        return [each for each in member_folders(folder) if each.retired() is None]

    async def _promised_bytes(self) -> int:
        """Return the memory that running members asked for and have not taken yet."""
        promised = 0
        for service in service_folders(self.paths.services):
            for folder in self._living(service.name):
                spec = folder.spec()
                status = (await self._observer.member(folder)).status
                if spec is not None and status is not None and status.run:
                    stat = proc.stat(status.main.pid) if status.main.pid else None
                    promised += max(0, spec.memory_bytes - (stat.resident_bytes if stat else 0))
        return promised

    def _account(self, service: str) -> int | None:
        return self.records.get(service).account

    def _changed(self, service: str) -> None:
        for wake in self._wakes:
            wake(service)
