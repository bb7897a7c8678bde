"""What is there, as far as anybody can know. Unknown is a value, never a default.

A runtime fills this in afresh for every round; nothing here is remembered between rounds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from freehold.foundation.member import ActionState, Certificate, MemberStatus, Phase


class Reach(StrEnum):
    """Can the member's agent be asked?"""

    ANSWERS = "answers"
    SILENT = "silent"  # it exists but does not answer: frozen, starting, or its machine is lost
    GONE = "gone"  # provably not running


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedMember:
    """A member that the runtime has made (its folder or objects exist and are not retired)."""

    name: str
    component: str
    group: int
    ordinal: int
    uid: str  # of this incarnation's volumes: precondition of destructive steps
    incarnation: int
    reach: Reach
    silent_since: float | None = None  # unix seconds; None: it answers, or nobody has counted
    certificate: Certificate
    phase: Phase | None = None  # None: unknown
    reason: str = ""
    run: bool | None = None  # the stored order
    revision_accepted: str = ""
    revision_running: str = ""
    restart_hash: str = ""  # of the accepted spec
    restart: str = ""  # last restart stamp carried out
    restart_ordered: str = ""  # stamp of the stored order; "": not told, it is ordered again
    ready: bool | None = None
    ready_since: float | None = None  # unix seconds
    unready_since: float | None = None  # unix seconds; None: ready, or nobody has counted
    started_at: float | None = None  # unix seconds, of the main process that runs now
    role: str = ""
    initialised: bool = False
    actions: Mapping[str, ActionState] = field(default_factory=dict)
    # For views only, no rule reads them: ages and pids would make every observation a change.
    address: str = field(default="", compare=False)
    status: MemberStatus | None = field(default=None, compare=False)  # the agent's own answer

    @property
    def is_ready(self) -> bool:
        return self.reach is Reach.ANSWERS and self.ready is True


class Retirement(StrEnum):
    NONE = ""  # kept by uninstall: comes back as it was
    LEFT = (
        "left"  # handed its data over and left the membership: its volumes must not be used again
    )
    REPLACED = "replaced"  # rebuilt elsewhere: revoked


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVolumes:
    """Volumes of a member that no longer exists; only a purge of this service removes them."""

    member: str
    uid: str
    incarnation: int
    retirement: Retirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    members: Mapping[str, ObservedMember] = field(default_factory=dict)
    kept: tuple[KeptVolumes, ...] = ()
    software: frozenset[str] = frozenset()  # versions laid out and verified
    secrets: frozenset[str] = frozenset()  # issued: "name" or "name@member"
    recorded: bool = True  # the service's own record still exists in the runtime
    unknown: str = ""  # why the runtime could not be asked at all; then nothing is planned
