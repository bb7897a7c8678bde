"""How an operation's record changes as its steps are taken. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from freehold.engine.describe import describe
from freehold.engine.plan import Step
from freehold.execution.executor import Outcome
from freehold.execution.records import Operation, OperationPhase, StepRecord

MOST_STEPS = 400  # a record that only grows would fill the disk: the first and the newest are kept


def steps_started(
    operation: Operation, steps: Sequence[Step], now: float, waits: tuple[str, ...]
) -> Operation:
    records = tuple(
        StepRecord(step=describe(step), because=step.because, started_at=now) for step in steps
    )
    kept = operation.steps
    if len(kept) > MOST_STEPS:
        kept = (*kept[: MOST_STEPS // 4], *kept[-MOST_STEPS // 2 :])
    return replace(operation, steps=(*kept, *records), waits=waits)


def steps_ended(operation: Operation, outcomes: Sequence[Outcome], now: float) -> Operation:
    """Fill in the outcome of each step that was still open."""
    results = {describe(each.step): str(each.fault) if each.fault else "done" for each in outcomes}
    steps = tuple(
        replace(record, ended_at=now, outcome=results[record.step])
        if record.ended_at is None and record.step in results
        else record
        for record in operation.steps
    )
    return replace(operation, steps=steps)


def ended(operation: Operation, phase: OperationPhase, reason: str, now: float) -> Operation:
    steps = tuple(
        record
        if record.ended_at is not None
        else replace(record, ended_at=now, outcome=f"left open: {phase}")
        for record in operation.steps
    )
    return replace(operation, phase=phase, reason=reason, ended_at=now, steps=steps, waits=())


def with_notes(operation: Operation, notes: Mapping[str, tuple[str, float | None]]) -> Operation:
    """Return the operation with the live notes of steps that are being carried out."""
    steps = tuple(
        replace(record, note=notes[record.step][0], ratio=notes[record.step][1])
        if record.ended_at is None and record.step in notes
        else record
        for record in operation.steps
    )
    return replace(operation, steps=steps)
