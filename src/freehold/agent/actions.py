"""Run a package's actions: call the hook again and again until it is Done, Failed or too late.

Everything needed to go on is on disk before it is acted on, so an action survives the death of its
worker, of the agent and of the engine. The same key never runs twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from msgspec import structs

from freehold.agent.jobs import Jobs
from freehold.agent.state import ActionRecord
from freehold.agent.worker_client import CALL_S, HookCall, Worker
from freehold.foundation.errors import (
    FreeholdError,
    NotFoundError,
    PermanentFault,
    RefusedError,
    TransientFault,
)
from freehold.foundation.member import (
    ActionOrder,
    ActionPhase,
    ActionSpec,
    ActionState,
    MemberSpec,
    Place,
)

KEPT = 100
_AGAIN_AFTER_FAULT_S = 1.0
_HOPELESS_S = 30.0  # so long the same hook may raise what is not the world's fault


class Actions:
    """The actions of one member. ``keep`` stores all records durably, or raises OSError."""

    def __init__(
        self,
        *,
        records: Mapping[str, ActionRecord],
        keep: Callable[[Mapping[str, ActionRecord]], None],
        definition: Callable[[], tuple[MemberSpec, Place]],
        worker: Worker,
        stop_worker: Worker,
        jobs: Jobs,
        main_pid: Callable[[], int],
        changed: Callable[[str], None],
    ) -> None:
        self.records = dict(records)
        self._keep = keep
        self._definition = definition
        self._worker = worker
        self._stop_worker = stop_worker  # a stop never queues behind another action's hook
        self._jobs = jobs
        self._main_pid = main_pid
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def resume(self) -> None:
        """Go on with what was running when the agent ended."""
        for key, record in self.records.items():
            if record.state.phase is ActionPhase.RUNNING:
                self._begin(key)

    def submit(self, order: ActionOrder) -> ActionState:
        """Accept an order, once per key. Raises RefusedError, NotFoundError, TransientFault."""
        known = self.records.get(order.key)
        if known is not None:
            if known.order.action != order.action:
                raise RefusedError(
                    f"cannot run {order.action} as {order.key!r}: that key is {known.order.action}"
                )
            if order.cancelled:
                return self.cancel(order.key)
            return known.state
        spec, _ = self._definition()
        action = _action_of(spec, order.action)
        now = time.time()
        phase = ActionPhase.CANCELLED if order.cancelled else ActionPhase.RUNNING
        state = ActionState(key=order.key, action=order.action, phase=phase, started_at=now)
        self._store(ActionRecord(order=order, state=state, deadline_at=now + action.deadline_s))
        if phase is ActionPhase.RUNNING:
            self._begin(order.key)
        return state

    def cancel(self, key: str) -> ActionState:
        """Stop calling the hook and kill its job; what it has done stays done."""
        record = self.records.get(key)
        if record is None:
            raise NotFoundError(f"cannot cancel {key!r}: no such action")
        if record.state.phase is not ActionPhase.RUNNING:
            return record.state
        state = replace(record.state, phase=ActionPhase.CANCELLED, ended_at=time.time())
        order = replace(record.order, cancelled=True)
        self._store(structs.replace(record, state=state, order=order))
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()
        self._jobs.cancel_soon(key, record.job_number)
        return state

    def cancel_all(self) -> None:
        """A fenced member acts no more."""
        for key, record in list(self.records.items()):
            if record.state.phase is ActionPhase.RUNNING:
                self.cancel(key)

    def state(self, key: str) -> ActionState:
        if key not in self.records:
            raise NotFoundError(f"cannot show {key!r}: no such action")
        return self.records[key].state

    async def end(self) -> None:
        """Stop calling hooks; the records say that they go on with the next agent."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._worker.end()
        await self._stop_worker.end()

    async def run_now(self, name: str, within_s: float) -> str:
        """Run an action that is part of a stop: not recorded. Returns why it failed, or ""."""
        spec, _ = self._definition()
        action = _action_of(spec, name)
        call = HookCall(kind="action", hook=action.hook, key=f"{name}-{time.time():.3f}")
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0:
            try:
                answer = await self._call(self._stop_worker, action, left, call)
            except TransientFault as fault:
                answer = {"kind": "progress", "note": str(fault), "again_s": _AGAIN_AFTER_FAULT_S}
            match answer["kind"]:
                case "done":
                    return ""
                case "failed" | "run":
                    return str(answer.get("reason", "it asked for a job"))
                case _:
                    pause = float(answer.get("again_s", _AGAIN_AFTER_FAULT_S))
                    await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))
        return f"it was not done in {within_s:g} s"

    def _begin(self, key: str) -> None:
        task = asyncio.create_task(self._drive(key))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _drive(self, key: str) -> None:
        raising_since: float | None = None
        while (record := self.records[key]).state.phase is ActionPhase.RUNNING:
            if time.time() >= record.deadline_at:
                note = f" ({record.state.note})" if record.state.note else ""
                self._end(key, ActionPhase.FAILED, f"not done by its deadline{note}")
                self._jobs.cancel_soon(key, record.job_number)
                return
            answer = await self._next_answer(record)
            if answer["kind"] == "raised" and not answer.get("transient"):
                raising_since = raising_since or time.monotonic()
                if time.monotonic() - raising_since >= _HOPELESS_S:
                    self._end(key, ActionPhase.FAILED, str(answer["reason"]))
                    return
            else:
                raising_since = None
            pause = self._take(key, answer)
            if pause > 0:
                until_deadline = max(0.0, record.deadline_at - time.time())
                await self._jobs.ended_or(
                    key, self.records[key].job_number, min(pause, until_deadline)
                )

    async def _next_answer(self, record: ActionRecord) -> dict[str, Any]:
        spec, _ = self._definition()
        try:
            action = _action_of(spec, record.order.action)
            key, number = record.order.key, record.job_number
            call = HookCall(
                kind="action",
                hook=action.hook,
                arguments=record.order.arguments,
                key=key,
                job=self._jobs.state(key, number) if record.job else None,
            )
            left = record.deadline_at - time.time()
            return await self._call(self._worker, action, left, call)
        except TransientFault as fault:
            return {"kind": "raised", "transient": True, "reason": str(fault)}
        except FreeholdError as error:
            return {"kind": "failed", "reason": str(error)}

    async def _call(
        self, worker: Worker, action: ActionSpec, within_s: float, call: HookCall
    ) -> dict[str, Any]:
        spec, place = self._definition()
        call = structs.replace(
            call,
            within_s=min(CALL_S, max(0.1, within_s)),
            secrets=_secrets(action, call.arguments),
            main_pid=self._main_pid(),
        )
        return await worker.call(spec, place, call)

    def _take(self, key: str, answer: Mapping[str, Any]) -> float:
        """Note an answer; return the seconds until the next call."""
        match answer["kind"]:
            case "done":
                self._end(key, ActionPhase.DONE, "", answer.get("value"))
            case "failed":
                self._end(key, ActionPhase.FAILED, str(answer["reason"]))
            case "progress":
                self._note(key, str(answer.get("note", "")), answer.get("ratio"))
                return max(0.05, float(answer.get("again_s", 1.0)))
            case "run":
                self._run_job(key, tuple(answer["argv"]))
                self._note(key, str(answer.get("note", "")), None)
                return 2.0
            case _:
                self._note(key, str(answer.get("reason", "no answer")), None)
                return _AGAIN_AFTER_FAULT_S
        return 0.0

    def _run_job(self, key: str, argv: tuple[str, ...]) -> None:
        record = self.records[key]
        if record.job == argv and self._jobs.runs(key, record.job_number):
            return
        number = record.job_number + 1
        self._store(structs.replace(record, job=argv, job_number=number))
        try:
            self._jobs.start(key, number, argv, self._definition()[1])
        except TransientFault as fault:
            self._note(key, str(fault), None)

    def _note(self, key: str, note: str, ratio: float | None) -> None:
        """Progress is only shown: losing it loses nothing, so it is not written every second."""
        record = self.records[key]
        state = replace(record.state, note=note, ratio=ratio)
        if record.state.phase is ActionPhase.RUNNING and state != record.state:
            self.records[key] = structs.replace(record, state=state)
            self._changed("")

    def _end(self, key: str, phase: ActionPhase, note: str, value: Any = None) -> None:
        record = self.records[key]
        if record.state.phase is not ActionPhase.RUNNING:
            return
        ratio = 1.0 if phase is ActionPhase.DONE else record.state.ratio
        state = replace(
            record.state, phase=phase, note=note, value=value, ratio=ratio, ended_at=time.time()
        )
        try:
            self._store(structs.replace(record, state=state))
        except FreeholdError:  # full disk: known to the caller now, run again after a restart
            self.records[key] = structs.replace(record, state=state)
        self._changed(f"action {record.order.action} {phase.value}" + f": {note}" * bool(note))

    def _store(self, record: ActionRecord) -> None:
        records = {**self.records, record.order.key: record}
        ended = [key for key, r in records.items() if r.state.phase is not ActionPhase.RUNNING]
        for key in ended[: max(0, len(records) - KEPT)]:
            if key != record.order.key:
                del records[key]
        try:
            self._keep(records)
        except OSError as error:
            raise TransientFault(
                f"cannot store the action {record.order.key!r}: {error.strerror}"
            ) from error
        self.records = records


def _action_of(spec: MemberSpec, name: str) -> ActionSpec:
    for action in spec.actions:
        if action.name == name:
            return action
    raise PermanentFault(f"cannot run {name!r} on {spec.name}: its package has no such action")


def _secrets(action: ActionSpec, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the secrets a hook gets: the action's, and the one its order names (``user``)."""
    named = arguments.get("secret")
    more = (named,) if isinstance(named, str) and named not in action.secrets else ()
    return (*action.secrets, *more)
