"""Strategies: services shaped like real ones, and what happens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st
from tests.property.driver import Driver
from tests.property.worlds import Order, Part

from freehold.engine.observed import Reach
from freehold.engine.wish import Want

DUTIES = ("formed", "members-changed", "joined", "settled")

SHAPES = {
    "alone": Order(members={"node": 1}, founders={"node": 1}),
    "three": Order(parts=(Part(duties=DUTIES),)),
    "led": Order(parts=(Part(leader="leader", switches=True, duties=("formed",)),)),
    "plain": Order(parts=(Part(leaves=False),)),
    # More may be down than the quorum allows: the quorum decides.
    "wide": Order(parts=(Part(down_at_once=3),), members={"node": 5}, founders={"node": 5}),
    "sharded": Order(parts=(Part(groups=2, quorum=2),), members={"node": 6}, founders={"node": 6}),
    "tiers": Order(
        parts=(Part(first_start_ordered=True), Part(name="front", start_after=("node",), quorum=1)),
        members={"node": 3, "front": 2},
        founders={"node": 3, "front": 2},
    ),
    "eager": Order(parts=(Part(joins_in_parallel=True, duties=("members-changed",)),)),
}
shapes = st.sampled_from([SHAPES["three"], *SHAPES.values()])


@dataclass(frozen=True)
class Event:
    """One thing that happens; prints as what it is, so that a failing history can be read."""

    name: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.name} {self.number}"


def _member(driver: Driver, number: int):
    members = driver.world.members(driver.order.service)
    return members[sorted(members)[number % len(members)]] if members else None


def _ask_scale(driver: Driver, number: int) -> None:
    step = 2 if driver.order.parts[0].groups == 2 else 1
    count = (1 + number % 5) * step
    driver.ask(driver.order.but(members={**driver.order.members, "node": count}, rebuild={}))


def _ask_rebuild(driver: Driver, number: int) -> None:
    count = driver.order.members["node"]
    groups = driver.order.parts[0].groups
    if count // groups < 2 or driver.order.want is not Want.RUNNING:
        return
    name = f"db-node-{number % count}"
    seen = driver.world.observe("db").members.get(name)
    if seen is not None:
        least = seen.incarnation + 1
        driver.ask(driver.order.but(rebuild={**driver.order.rebuild, name: least}))


def _ask_restart(driver: Driver, _number: int) -> None:
    driver.ask(driver.order.but(restart=f"s{driver.order.generation:04d}"))


ASKS: dict[str, Callable[[Driver, int], None]] = {
    "scale": _ask_scale,
    "rebuild": _ask_rebuild,
    "restart": _ask_restart,
    "change": lambda d, n: d.ask(d.order.but(restart_text="abc"[n % 3])),
    "tune": lambda d, n: d.ask(d.order.but(live_text="abc"[n % 3])),
    "stop": lambda d, _: d.ask(d.order.but(want=Want.STOPPED)),
    "start": lambda d, _: d.ask(d.order.but(want=Want.RUNNING)),
    "uninstall": lambda d, _: d.ask(d.order.but(want=Want.UNINSTALLED)),
}

FAULTS: dict[str, Callable[[Driver, int], None]] = {
    "crash": lambda d, n: (m := _member(d, n)) and m.crash(d.clock.now()),
    "freeze": lambda d, n: (m := _member(d, n)) and m.freeze(d.clock.now()),
    "agent gone": lambda d, n: (m := _member(d, n)) and m.lose_agent(Reach.GONE, d.clock.now()),
    "agent silent": lambda d, n: (m := _member(d, n)) and m.lose_agent(Reach.SILENT, d.clock.now()),
    "all crash": lambda d, _: [m.crash(d.clock.now()) for m in d.world.members("db").values()],
    "lock lost": lambda d, n: (m := _member(d, n)) and setattr(m, "lock_reachable", False),
    "unknown": lambda d, _: setattr(d.world, "unknown", "no answer"),
    "moves": lambda d, _: setattr(d.world, "moves_at_start", True),
    "loop dies": lambda d, n: setattr(d, "killed_at", d.points + 1 + n % 4),
    "effect lost": lambda d, n: d.lost.add(len(d.steps) + 1 + n % 3),
}

numbers = st.integers(0, 11)
asks = st.builds(Event, st.sampled_from(sorted(ASKS)), numbers)
faults = st.builds(Event, st.sampled_from(sorted(FAULTS)), numbers)
# Rounds in between decide how far the former order has got; most things happen midway.
some_rounds = st.builds(Event, st.just("rounds"), st.sampled_from([1, 2, 3, 5, 8, 13, 60]))
histories = st.lists(st.one_of(some_rounds, some_rounds, asks, faults), min_size=2, max_size=12)


def live_through(driver: Driver, history: list[Event]) -> None:
    for event in history:
        if event.name == "rounds":
            driver.go(event.number)
        else:
            {**ASKS, **FAULTS}[event.name](driver, event.number)


def heal(driver: Driver) -> None:
    """What is outside the engine's reach comes back: the machine, the place."""
    driver.world.unknown = ""
    for member in driver.world.members("db").values():
        member.lock_reachable = True
