"""One simulated member: software and agent as two lives of their own.

The software goes on when the agent is gone, and only an agent starts it again, as in the real
runtimes. Times come from :class:`Habits`; whoever owns the member calls :meth:`pass_time`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from freehold.engine.observed import ObservedMember, Reach
from freehold.foundation.member import (
    ActionOrder,
    ActionPhase,
    ActionState,
    Certificate,
    MemberSpec,
    Phase,
)


class Software(StrEnum):
    OFF = "off"
    STARTING = "starting"
    UP = "up"
    FROZEN = "frozen"  # lives, answers nothing
    STOPPING = "stopping"
    CRASHED = "crashed"


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How long things take here, in seconds, and what never works."""

    start_s: float = 4.0
    stop_s: float = 1.0
    restart_pause_s: float = 0.5
    heed_s: float = 0.12  # from an order to restart until the software is told: it serves on
    deaf_s: float = 6.0  # until an agent kills software that answers nothing
    action_s: float = 3.0
    revive_s: float = 0.1
    needs_quorum: bool = False  # gets ready only while most of its component run what can work
    broken: frozenset[str] = frozenset()  # restart hashes whose software never gets ready
    failing: frozenset[str] = frozenset()  # actions that fail


@dataclass(eq=False)
class SimulatedMember:
    spec: MemberSpec
    uid: str
    address: str
    habits: Habits
    run: bool = False
    restart: str = ""  # last stamp carried out
    ordered: str = ""  # stamp of the latest order
    heeds_at: float | None = None  # when a restart that was ordered begins
    software: Software = Software.OFF
    until: float | None = None  # when the software's present state ends
    running: MemberSpec | None = None
    started_at: float | None = None
    initialised: bool = False
    role: str = ""
    yielded: bool = False  # it gave the lead away: elected last
    agent: Reach = Reach.ANSWERS
    silent_since: float | None = None
    unready_since: float | None = None
    lock_reachable: bool = True
    left: bool = False  # its hand-over is done: nothing of value in its volumes
    actions: dict[str, ActionState] = field(default_factory=dict)
    starts: int = 0
    has_quorum: bool = True  # told by the place before time passes

    @property
    def is_up(self) -> bool:
        return self.software is Software.UP

    @property
    def lives(self) -> bool:
        return self.software not in (Software.OFF, Software.CRASHED)

    @property
    def certificate(self) -> Certificate:
        if not self.lock_reachable:
            return Certificate.UNKNOWN
        return Certificate.HELD if self.lives else Certificate.FREE

    # what its agent is told

    def order_run(self, run: bool, stamp: str, now: float) -> None:
        self.run = run
        if run and not self.lives:
            self.restart = self.ordered = max(self.restart, stamp)
            self._start(now)
        elif not run and self.software is Software.CRASHED:
            self.software, self.until = Software.OFF, None
        elif not run and self.lives and self.software is not Software.STOPPING:
            self._change(Software.STOPPING, now, self.habits.stop_s)

    def order_restart(self, stamp: str, now: float) -> None:
        if max(self.restart, self.ordered) >= stamp:
            return
        self.ordered = stamp
        self._bounce(now)

    def accept(self, spec: MemberSpec, stamp: str, now: float) -> None:
        if spec.revision == self.spec.revision:
            return
        runs = self.running.restart_hash if self.running else self.spec.restart_hash
        restarts = spec.restart_hash != runs
        if not restarts and self.ordered == self.restart:
            self.heeds_at = None  # it went back before anything was done about it
        self.spec = spec
        if not self.run:
            return
        if restarts:
            self.ordered = max(self.restart, self.ordered, stamp)
            self._bounce(now)
        elif self.running is not None and self.running.restart_hash == spec.restart_hash:
            self.running = spec

    def order_action(self, order: ActionOrder, now: float) -> bool:
        """Return whether it is a new one."""
        if order.key in self.actions:
            return False
        self.actions[order.key] = ActionState(
            key=order.key, action=order.action, phase=ActionPhase.RUNNING, started_at=now
        )
        return True

    def cancel_action(self, key: str, now: float) -> None:
        self._end_action(key, ActionPhase.CANCELLED, now)

    def adopt(self, now: float) -> None:
        """A new agent: it finds the software as it is."""
        self.agent, self.silent_since = Reach.ANSWERS, None
        if self.run and not self.lives:
            self._start(now)
        if not self.run and self.lives and self.software is not Software.STOPPING:
            self._change(Software.STOPPING, now, self.habits.stop_s)

    # what happens to it

    def crash(self, now: float) -> None:
        if self.software is Software.STOPPING and not self.run:
            self._settle_off(now)
        elif self.lives:
            self._change(Software.CRASHED, now, self.habits.restart_pause_s)
            self.running = None

    def freeze(self, now: float) -> None:
        if self.software in (Software.UP, Software.STARTING):
            self._change(Software.FROZEN, now, self.habits.deaf_s)

    def lose_agent(self, reach: Reach, now: float) -> None:
        self.agent = reach
        self.silent_since = now if reach is Reach.SILENT else None

    def pass_time(self, now: float) -> None:
        """Let everything happen that was due by ``now``; without an agent, only to the software."""
        has_agent = self.agent is Reach.ANSWERS
        if has_agent and self.heeds_at is not None and self.heeds_at <= now:
            at, self.heeds_at = self.heeds_at, None
            if self.run and self.lives and self.software is not Software.STOPPING:
                self.restart = max(self.restart, self.ordered)
                self._change(Software.STOPPING, at, self.habits.stop_s)
        while self.until is not None and self.until <= now:
            at = self.until
            if self.software is Software.STARTING and self._gets_ready():
                self._become_up()
            elif self.software is Software.STOPPING:
                self._settle_off(at)
                if self.run and has_agent:
                    self._start(at)
            elif self.software is Software.FROZEN and has_agent:
                self._change(Software.CRASHED, at, self.habits.restart_pause_s)
            elif self.software is Software.CRASHED and has_agent and self.run:
                self._start(at)
            else:
                break
        if has_agent:
            self._advance_actions(now)

    def _advance_actions(self, now: float) -> None:
        for key, state in list(self.actions.items()):
            due = state.started_at + self.habits.action_s <= now
            if state.phase is ActionPhase.RUNNING and due and self.is_up:
                fails = state.action in self.habits.failing
                self._end_action(key, ActionPhase.FAILED if fails else ActionPhase.DONE, now)

    def _end_action(self, key: str, phase: ActionPhase, now: float) -> None:
        state = self.actions.get(key)
        if state is None or state.phase is not ActionPhase.RUNNING:
            return
        self.actions[key] = ActionState(
            key=key, action=state.action, phase=phase, started_at=state.started_at, ended_at=now
        )
        if phase is ActionPhase.DONE and key.startswith("leave:"):
            self.left = True
        if phase is ActionPhase.DONE and key.startswith("switchover:"):
            self.role, self.yielded = "follower", True

    @property
    def could_vote(self) -> bool:
        return self.software in (Software.STARTING, Software.UP) and not self._is_broken()

    def _is_broken(self) -> bool:
        return self.running is not None and self.running.restart_hash in self.habits.broken

    def _gets_ready(self) -> bool:
        return not self._is_broken() and (self.has_quorum or not self.habits.needs_quorum)

    def _start(self, now: float) -> None:
        self.restart, self.heeds_at = max(self.restart, self.ordered), None
        self.running = self.spec
        self.started_at = now
        self.starts += 1
        self._change(Software.STARTING, now, self.habits.start_s)

    def _bounce(self, now: float) -> None:
        if self.lives:
            self.heeds_at = now + self.habits.heed_s
        else:
            self._start(now)

    def _become_up(self) -> None:
        self.software, self.until = Software.UP, None
        self.initialised, self.unready_since = True, None

    def _settle_off(self, now: float) -> None:
        self._change(Software.OFF, now, None)
        self.running, self.started_at = None, None

    def _change(self, software: Software, now: float, lasts_s: float | None) -> None:
        if self.unready_since is None:
            self.unready_since = now
        self.software = software
        self.until = None if lasts_s is None else now + lasts_s

    def events(self) -> list[float]:
        """Return when something will happen to it by itself."""
        acting = self.agent is Reach.ANSWERS and self.is_up
        ends = [
            state.started_at + self.habits.action_s
            for state in self.actions.values()
            if acting and state.phase is ActionPhase.RUNNING
        ]
        return [*ends, *(at for at in (self.until, self.heeds_at) if at is not None)]

    # what can be seen of it

    def seen(self) -> ObservedMember:
        known = self.agent is Reach.ANSWERS
        return ObservedMember(
            name=self.spec.name,
            component=self.spec.component,
            group=self.spec.group,
            ordinal=self.spec.ordinal,
            uid=self.uid,
            incarnation=self.spec.incarnation,
            reach=self.agent,
            silent_since=self.silent_since,
            certificate=self.certificate,
            phase=self._phase() if known else None,
            run=self.run if known else None,
            revision_accepted=self.spec.revision if known else "",
            revision_running=self.running.revision if known and self.running else "",
            restart_hash=self.spec.restart_hash if known else "",
            restart=self.restart if known else "",
            restart_ordered=self.ordered if known else "",
            ready=self.is_up if known else None,
            unready_since=self.unready_since,
            started_at=self.started_at,
            role=self.role if known else "",
            initialised=self.initialised and known,
            actions=dict(self.actions) if known else {},
            address=self.address,
        )

    def _phase(self) -> Phase:
        match self.software:
            case Software.OFF:
                return Phase.WAITING if self.run else Phase.STOPPED
            case Software.STARTING:
                return Phase.STARTING
            case Software.UP | Software.FROZEN:
                return Phase.RUNNING
            case Software.STOPPING:
                return Phase.STOPPING
            case Software.CRASHED:
                return Phase.BACKOFF
