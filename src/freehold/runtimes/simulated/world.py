"""The simulated place: services, their members, what is kept, and a count of every effect.

Synchronous and deterministic; ``runtime.py`` wraps it in the ports. Nothing happens between two
calls but what :meth:`SimulatedWorld.pass_time` lets happen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from freehold.engine.observed import KeptVolumes, Observed, Retirement
from freehold.engine.wish import Wish
from freehold.runtimes.simulated.member import Habits, SimulatedMember


@dataclass(frozen=True, slots=True)
class KeptMember:
    """Volumes of a retired member, with all that its folder remembers."""

    member: SimulatedMember
    retirement: Retirement

    @property
    def seen(self) -> KeptVolumes:
        spec = self.member.spec
        return KeptVolumes(
            member=spec.name,
            uid=self.member.uid,
            incarnation=spec.incarnation,
            retirement=self.retirement,
        )


@dataclass(eq=False)
class SimulatedService:
    wish: Wish | None = None  # None: nothing on record
    members: dict[str, SimulatedMember] = field(default_factory=dict)
    kept: list[KeptMember] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)


class SimulatedWorld:
    def __init__(self, now: Callable[[], float], habits: Habits | None = None) -> None:
        self.now = now
        self.habits = habits or Habits()
        self.services: dict[str, SimulatedService] = {}
        self.software: set[str] = set()
        self.secrets: dict[str, set[str]] = {}  # by lineage
        self.effects: Counter[str] = Counter()  # every effect that really changed something
        self.moves_at_start = False  # every start is at a new address
        self.unknown = ""  # why nothing can be asked; "" = it can
        self.on_change: Callable[[str], None] = lambda _service: None
        self._numbers = 0

    def service(self, name: str) -> SimulatedService:
        """Return what there is of a service; made when there is nothing yet."""
        return self.services.setdefault(name, SimulatedService())

    def members(self, service: str) -> dict[str, SimulatedMember]:
        found = self.services.get(service)
        return found.members if found else {}

    def count(self, effect: str) -> None:
        self.effects[effect] += 1

    def new_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def new_address(self) -> str:
        number = self.new_number()
        return f"127.{100 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"

    def pass_time(self) -> None:
        """Let everything happen that is due by now, and elect leaders."""
        now = self.now()
        for name, service in self.services.items():
            before = {key: member.seen() for key, member in service.members.items()}
            for member in service.members.values():
                member.has_quorum = _has_quorum(service, member)
                starts = member.starts
                member.pass_time(now)
                if self.moves_at_start and member.starts > starts:
                    member.address = self.new_address()
            self._elect(service)
            if before != {key: member.seen() for key, member in service.members.items()}:
                self.on_change(name)

    def next_event_at(self) -> float | None:
        """Return when the next thing happens by itself, None if nothing will."""
        times = [
            at
            for service in self.services.values()
            for member in service.members.values()
            for at in member.events()
        ]
        return min(times, default=None)

    def observe(self, service_name: str) -> Observed:
        self.pass_time()
        if self.unknown:
            return Observed(unknown=self.unknown)
        service = self.services.get(service_name)
        if service is None:
            return Observed(recorded=False)
        return Observed(
            members={name: member.seen() for name, member in sorted(service.members.items())},
            kept=tuple(kept.seen for kept in service.kept),
            recorded=service.wish is not None,
        )

    def _elect(self, service: SimulatedService) -> None:
        """Every group with somebody up has exactly one leader; it stays until it is down."""
        groups: dict[tuple[str, int], list[SimulatedMember]] = {}
        for member in service.members.values():
            groups.setdefault((member.spec.component, member.spec.group), []).append(member)
        for members in groups.values():
            up = [m for m in members if m.is_up]
            leader = next((m for m in up if m.role == "leader"), None)
            if leader is None and up:
                leader = min(up, key=lambda m: (m.yielded, m.spec.ordinal))
            for member in members:
                member.yielded = member.yielded and member.is_up and member is not leader
                member.role = "leader" if member is leader else "follower" if member.is_up else ""


def _has_quorum(service: SimulatedService, member: SimulatedMember) -> bool:
    mates = [m for m in service.members.values() if m.spec.component == member.spec.component]
    return sum(mate.could_vote for mate in mates) > len(mates) // 2
