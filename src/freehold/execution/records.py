"""Operations and events: the record of what was asked and what happened.

An operation tracks one edit of a wish; it never drives anything. Losing all operations loses
history, not services.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class OperationPhase(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"  # with reason; the wish stays, the engine goes on trying
    CANCELLED = "cancelled"  # its fields went back
    SUPERSEDED = "superseded"  # by a newer wish


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One step the engine took for an operation."""

    step: str  # "start orders-node-1"
    because: str
    started_at: float
    ended_at: float | None = None
    outcome: str = ""  # "" while running, "done", or the fault's message
    note: str = ""
    ratio: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    id: str
    service: str
    lineage: str
    verb: str  # install, scale, stop, …
    actor: str  # "uid 1000 (ann)"
    project: str
    generation: int  # the wish's generation that it made
    before: Mapping[str, Any] = field(default_factory=dict)  # the edited fields, as they were
    after: Mapping[str, Any] = field(default_factory=dict)
    phase: OperationPhase = OperationPhase.RUNNING
    created_at: float = 0.0
    deadline_at: float = 0.0
    ended_at: float | None = None
    steps: tuple[StepRecord, ...] = ()
    waits: tuple[str, ...] = ()
    reason: str = ""  # of a failure, or who superseded it


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: float
    service: str
    member: str  # "" = the service
    kind: str  # operation, step, member, alert, agent, audit
    severity: str  # info | warning | error
    message: str
    operation: str = ""
    number: int = 0  # set by the journal
