"""The simulated place behind the ports that the loop uses, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from freehold.definition.package import Package
from freehold.engine.observed import Observed
from freehold.engine.wish import Wish
from freehold.execution.ports import Progress, RuntimeStep
from freehold.foundation.errors import TransientFault
from freehold.runtimes.simulated.clock import FakeClock
from freehold.runtimes.simulated.effects import perform
from freehold.runtimes.simulated.faults import Weather
from freehold.runtimes.simulated.world import SimulatedWorld


class SimulatedRuntime:
    """Implements ``Runtime``."""

    def __init__(self, world: SimulatedWorld, clock: FakeClock, weather: Weather) -> None:
        self._world = world
        self._clock = clock
        self._weather = weather

    async def observe(self, wish: Wish) -> Observed:
        return self._world.observe(wish.service)

    async def record(self, wish: Wish, package: Package) -> None:
        del package
        self._world.service(wish.service).wish = wish

    async def reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        addresses = self._world.service(wish.service).addresses
        for name in members:
            addresses.setdefault(name, self._world.new_address())
        return {name: addresses[name] for name in members}

    def on_change(self, wake: Callable[[str], None]) -> None:
        self._world.on_change = wake

    async def perform(self, step: RuntimeStep) -> None:
        """Carry out one step in the weather of the day: late, lost on the way out or back."""
        effect = self._weather.next()
        await self._clock.sleep(effect.delay_s)
        if effect.lost:
            raise TransientFault(f"cannot {step}: no answer", retry_after_s=1.0)
        perform(self._world, step)
        if effect.answer_lost:
            raise TransientFault(f"cannot say whether {step} succeeded", retry_after_s=1.0)


class SimulatedSoftware:
    """Implements ``SoftwareStore``."""

    def __init__(self, world: SimulatedWorld, clock: FakeClock, *, fetch_s: float = 2.0) -> None:
        self._world = world
        self._clock = clock
        self._fetch_s = fetch_s

    async def present(self, package: Package) -> frozenset[str]:
        del package
        return frozenset(self._world.software)

    async def fetch(self, package: Package, version: str, progress: Progress) -> None:
        for tenth in range(10):
            progress(f"fetching {package.name} {version}", tenth / 10)
            await self._clock.sleep(self._fetch_s / 10)
        if version not in self._world.software:
            self._world.count(f"fetch {version}")
            self._world.software.add(version)


class SimulatedSecrets:
    """Implements ``SecretStore``; there are no values, only names."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world

    async def issued(self, lineage: str) -> frozenset[str]:
        return frozenset(self._world.secrets.get(lineage, ()))

    async def issue(
        self, wish: Wish, package: Package, names: Sequence[str], addresses: Mapping[str, str]
    ) -> None:
        del package, addresses
        issued = self._world.secrets.setdefault(wish.lineage, set())
        for name in names:
            if name not in issued:
                self._world.count(f"issue {name}")
                issued.add(name)

    async def destroy(self, lineage: str) -> None:
        self._world.secrets.pop(lineage, None)
