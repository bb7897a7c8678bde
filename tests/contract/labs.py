"""Places to try the Runtime port in: the simulated one, and real processes of the echo package."""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import freehold.testkit
from freehold.adapters.secrets import SecretFiles
from freehold.agent import proc
from freehold.agent.tree import lay_out
from freehold.definition import archive, knobs, loader
from freehold.definition.package import Package
from freehold.engine.desired import Desired
from freehold.engine.observed import Observed, ObservedMember
from freehold.engine.plan import Provision, Start
from freehold.engine.render import render
from freehold.engine.wish import Wish
from freehold.execution.ports import Runtime, SecretStore
from freehold.foundation.member import MemberSpec
from freehold.runtimes.local.folders import current_folder
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.processes import lock_holder
from freehold.runtimes.local.runtime import LocalRuntime
from freehold.runtimes.simulated.clock import FakeClock
from freehold.runtimes.simulated.faults import Weather
from freehold.runtimes.simulated.member import Habits
from freehold.runtimes.simulated.runtime import SimulatedRuntime, SimulatedSecrets
from freehold.runtimes.simulated.world import SimulatedWorld

DEADLINE_S = 30.0  # generous: two cores, many tests
LINEAGE = "4f2c9a10d3b8476e"


def echo_package() -> Package:
    folder = Path(freehold.testkit.__file__).parent / "echo"
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and archive.belongs(str(path.relative_to(folder)))
    }
    return loader.load_package(files, "echo")


def wish_for(package: Package, service: str = "orders", **values: Any) -> Wish:
    return Wish(
        service=service,
        lineage=LINEAGE if service == "orders" else f"{LINEAGE}-{service}",
        package=package.name,
        version="2.0",
        definition=package.digest,
        preset="dev",
        knobs=knobs.resolve(package, "dev", values),
        site="here",
        founders={"node": values.get("members", 1)},
    )


class Lab(Protocol):
    """One place, and what a test may do to it from outside."""

    runtime: Runtime
    secrets: SecretStore
    package: Package

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def pause(self) -> None: ...
    def now(self) -> float: ...
    def log(self) -> str: ...
    def kill_agent(self, member: str) -> None: ...
    def freeze_agent(self, member: str) -> None: ...
    def kill_software(self, member: str) -> None: ...


class Story:
    """What tests say about one service in a lab."""

    def __init__(self, lab: Lab, service: str = "orders", **values: Any) -> None:
        self.lab, self.runtime = lab, lab.runtime
        self.wish = wish_for(lab.package, service, **values)
        self.incarnations: dict[str, int] = {}

    def desired(self, **values: Any) -> Desired:
        wish = wish_for(self.lab.package, self.wish.service, **values) if values else self.wish
        return render(wish, self.lab.package, self.incarnations)

    def spec(self, ordinal: int = 0, **values: Any) -> MemberSpec:
        return self.desired(**values).members[ordinal].spec

    @property
    def member(self) -> str:
        return f"{self.wish.service}-node-0"

    async def prepare(self) -> None:
        """Everything that the loop does before the first member is made."""
        await self.runtime.record(self.wish, self.lab.package)
        desired = self.desired()
        addresses = await self.runtime.reserve(self.wish, [each.name for each in desired.members])
        await self.lab.secrets.issue(self.wish, self.lab.package, desired.secrets, addresses)

    def provision(self, ordinal: int = 0, **values: Any) -> Provision:
        spec = self.spec(ordinal, **values)
        return Provision(service=spec.service, member=spec.name, spec=spec, because="test")

    def say(self, step: type, **fields: Any) -> Any:
        """Return a step about the member 0, or another one that is named."""
        fields = {"service": self.wish.service, "member": self.member, **fields}
        return step(because="test", **fields)

    async def provisioned(self) -> ObservedMember:
        await self.prepare()
        await self.runtime.perform(self.provision())
        return await self.seen()

    async def running(self) -> ObservedMember:
        await self.provisioned()
        await self.runtime.perform(self.say(Start))
        return await self.until(lambda member: member.is_ready)

    async def observe(self) -> Observed:
        return await self.runtime.observe(self.wish)

    async def seen(self, member: str = "") -> ObservedMember:
        return (await self.observe()).members[member or self.member]

    async def until(
        self, holds: Callable[[ObservedMember], bool], member: str = ""
    ) -> ObservedMember:
        deadline = self.lab.now() + DEADLINE_S
        while True:
            found = (await self.observe()).members.get(member or self.member)
            if found is not None and holds(found):
                return found
            if self.lab.now() > deadline:
                raise AssertionError(f"not in {DEADLINE_S} s; last seen: {found}\n{self.lab.log()}")
            await self.lab.pause()


class SimulatedLab:
    def __init__(self) -> None:
        self.clock = FakeClock()
        habits = Habits(start_s=1.0, stop_s=0.5, action_s=1.0)
        self.world = SimulatedWorld(self.clock.now, habits)
        self.runtime = SimulatedRuntime(self.world, self.clock, Weather())
        self.secrets = SimulatedSecrets(self.world)
        self.package = echo_package()

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def pause(self) -> None:
        await self.clock.sleep(0.05)

    def now(self) -> float:
        return self.clock.now()

    def log(self) -> str:
        return ""

    def kill_agent(self, member: str) -> None:
        self._member(member).lose_agent(_reach("gone"), self.clock.now())

    def freeze_agent(self, member: str) -> None:
        self._member(member).lose_agent(_reach("silent"), self.clock.now())

    def kill_software(self, member: str) -> None:
        self._member(member).crash(self.clock.now())

    def _member(self, name: str) -> Any:
        return next(
            service.members[name]
            for service in self.world.services.values()
            if name in service.members
        )


def _reach(word: str) -> Any:
    from freehold.engine.observed import Reach

    return Reach(word)


@functools.cache
def agent_tree() -> Path:
    """Lay out one agent for all homes of this run: it is immutable, and takes half a second."""
    folder = tempfile.mkdtemp(prefix="freehold-agents-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return lay_out(Path(folder))


def lend_agent_tree(agents: Path) -> None:
    if not agents.exists():
        shutil.copytree(agent_tree(), agents / agent_tree().name, copy_function=os.link)


class LocalLab:
    """A home below the temporary folder; every process of it is dead after :meth:`close`."""

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or Path(tempfile.mkdtemp(prefix="freehold-"))
        self.home.chmod(0o711)
        self.paths = LocalPaths.of({"FREEHOLD_HOME": str(self.home)}, os.getuid())
        self.package = echo_package()
        self.secrets = SecretFiles(self.paths.services)
        self.runtime = self.new_runtime()
        self._uids: set[str] = set()

    def new_runtime(self) -> LocalRuntime:
        return LocalRuntime(self.paths, self.secrets, lambda _digest, _version: self.home)

    async def open(self) -> None:
        lend_agent_tree(self.paths.agents)
        await self.runtime.open()

    async def restart(self) -> None:
        """The daemon is gone and comes back."""
        await self.runtime.close()
        self.runtime = self.new_runtime()
        await self.runtime.open()

    async def close(self) -> None:
        await self.runtime.close()
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await self.until_dead()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.paths.run, ignore_errors=True)

    async def until_dead(self) -> None:
        """Wait for the kernel to take away what has been killed or has agreed to end."""
        deadline = time.monotonic() + DEADLINE_S
        while self.processes():
            assert time.monotonic() < deadline, f"still there: {self.processes()}"
            await self.pause()

    async def pause(self) -> None:
        await asyncio.sleep(0.03)

    def now(self) -> float:
        return time.time()

    def log(self) -> str:
        """Return what the agents said, for a test that failed."""
        logs = sorted(self.paths.services.glob("*/members/*/*/logs/agent.log"))
        return "\n".join(f"{log}:\n{log.read_text()[-3000:]}" for log in logs)

    def kill_agent(self, member: str) -> None:
        os.kill(self.agent_pid(member), signal.SIGKILL)

    def freeze_agent(self, member: str) -> None:
        os.kill(self.agent_pid(member), signal.SIGSTOP)

    def kill_software(self, member: str) -> None:
        for pid, what in self.processes().items():
            if what.startswith(f"{member} main"):
                os.kill(pid, signal.SIGKILL)

    def agent_pid(self, member: str) -> int:
        service = member.rpartition("-")[0].rpartition("-")[0]
        folder = current_folder(self.paths.service(service), member)
        assert folder is not None
        holder = lock_holder(folder.agent_lock)
        assert holder is not None
        return holder.pid

    def processes(self) -> Mapping[int, str]:
        """Return every living process of this home: pid -> "member what"."""
        for file in self.paths.services.glob("*/members/*/*/uid"):
            self._uids.add(file.read_text().strip())
        found = {}
        for pid in proc.pids():
            tag, what = proc.tags(pid)
            member, _, uid = tag.partition("/")
            stat = proc.stat(pid) if uid in self._uids else None
            if stat is not None and stat.state not in "ZX":
                found[pid] = f"{member} {what}"
        return found
