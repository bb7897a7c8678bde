"""The loop without its I/O: observe, plan, perform one stage, observe again, on a simulated place.

Every round is judged by :mod:`oracle` before it is carried out, with the place's own truth, not
with what was observed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.property import oracle
from tests.property.worlds import Order, desired_of, wish_of

from freehold.engine.desired import Desired
from freehold.engine.observed import Observed
from freehold.engine.plan import FetchSoftware, IssueSecrets, Plan, Step
from freehold.engine.planner import plan
from freehold.foundation.errors import FreeholdError
from freehold.runtimes.simulated import FakeClock, Habits, LoopKilled, SimulatedWorld, perform

Planner = Callable[[Desired, Observed, float], Plan]


class Driver:
    def __init__(self, order: Order, habits: Habits | None = None, planner: Planner = plan) -> None:
        self.clock = FakeClock()
        self.world = SimulatedWorld(self.clock.now, habits)
        self.order = order
        self.planner = planner
        self.steps: list[Step] = []
        self.lost: set[int] = set()  # numbers of effects that never arrive
        self.killed_at: int | None = (
            None  # the loop dies around this effect, even before, odd after
        )
        self.points = 0
        self.record()

    def record(self) -> None:
        self.world.service(self.order.service).wish = wish_of(self.order)

    def ask(self, order: Order) -> None:
        self.order = order
        self.record()

    def look(self) -> tuple[Desired, Observed]:
        observed = replace(
            self.world.observe(self.order.service),
            software=frozenset(self.world.software),
            secrets=frozenset(self.world.secrets.get(self.order.lineage, ())),
        )
        return desired_of(self.order, observed), observed

    def round(self) -> Plan:
        desired, observed = self.look()
        planned = self.planner(desired, observed, self.clock.now())
        mirrored = replace(observed, members=dict(reversed(observed.members.items())))
        assert planned == self.planner(desired, mirrored, self.clock.now())
        oracle.judge(desired, self.world, planned, self.clock.now())
        for step in planned.stages[0] if planned.stages else ():
            try:
                self._carry_out(step)
            except FreeholdError:
                continue  # the next round plans it again
            except LoopKilled:
                break  # the next round is a new loop's first
        self._let_time_pass(idle=not planned.stages)
        return planned

    def settle(self, rounds: int = 400) -> None:
        """Go on until the order is fulfilled and stays so; fail when it never is.

        What is to be ordered in the background is ordered by then, and may still run.
        """
        for _ in range(rounds):
            planned = self.round()
            if planned.is_fulfilled and not planned.stages:
                return
        raise AssertionError(f"not fulfilled after {rounds} rounds:\n{planned}")

    def go(self, rounds: int) -> None:
        for _ in range(rounds):
            planned = self.round()
            if planned.is_fulfilled and not planned.stages:
                return

    def _carry_out(self, step: Step) -> None:
        self._failpoint()
        self.steps.append(step)
        match step:
            case FetchSoftware(version=version):
                if version not in self.world.software:
                    self.world.count(f"fetch {version}")
                self.world.software.add(version)
            case IssueSecrets(names=names):
                issued = self.world.secrets.setdefault(self.order.lineage, set())
                for name in set(names) - issued:
                    self.world.count(f"issue {name}")
                issued.update(names)
            case _:
                if len(self.steps) not in self.lost:
                    perform(self.world, step)
        self._failpoint()

    def _failpoint(self) -> None:
        self.points += 1
        if self.points == self.killed_at:
            raise LoopKilled(str(self.points))

    def _let_time_pass(self, *, idle: bool) -> None:
        at = self.world.next_event_at()
        if not idle:
            self.clock.advance(0.05)
        elif at is not None and at > self.clock.now():
            self.clock.advance(at - self.clock.now())
        else:
            self.clock.advance(5.0)

    def end_state(self) -> object:
        """What a consumer could tell apart, whatever the way there: no times, uids, incarnations."""
        service = self.world.services.get(self.order.service)
        if service is None:
            return None
        return {
            name: (m.spec.version, m.spec.facts, m.running == m.spec, m.run, m.is_up, m.left)
            for name, m in service.members.items()
        }
