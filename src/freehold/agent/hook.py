"""What a package's ``hooks.py`` imports: the answers of an action, and its view of the member.

Standard library only: the worker may run under another interpreter than Freehold itself.

    from freehold.agent.hook import Done, Failed, Member, Progress

    def leave(member: Member, arguments: Arguments) -> Done | Progress | Failed: ...

A hook is re-entrant: each call takes at most 10 s, looks at the engine, advances, and answers. It
survives the death of worker, agent and engine because it remembers nothing: it looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """Finished. ``value`` (JSON, never a secret) is kept with the action."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Not finished: call again after ``again_s``."""

    note: str = ""
    ratio: float | None = None  # 0.0 to 1.0
    again_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Failed:
    """Will not succeed by calling again; ``reason`` reads on after "cannot <action> <member>: "."""

    reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """Ask the agent to run a long command beside the member; later calls see its state in ``member.job``."""

    argv: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """State of the command a former call asked for."""

    exit_code: int | None  # None: still running
    log_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The member a hook runs beside, as its agent knows it."""

    name: str
    service: str
    component: str
    ordinal: int
    incarnation: int
    version: str
    bind: str
    advertise: str
    addresses: Mapping[str, str]  # member name -> advertise; itself included
    peers: tuple[str, ...]
    volumes: Mapping[str, str]
    conf: str
    run: str
    software: str
    derived: str = ""  # folder for what is made from the software; "" = none
    facts: Mapping[str, Any] = field(default_factory=dict)  # knobs and more, as rendered
    secrets: Mapping[str, str] = field(default_factory=dict)  # only those that the action names
    secret_files: Mapping[str, str] = field(
        default_factory=dict
    )  # path of each, readable by the account
    main_pid: int = 0  # 0: not running
    key: str = ""  # of the action: the same on every call of one operation
    job: Job | None = None
