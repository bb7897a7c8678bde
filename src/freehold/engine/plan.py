"""A plan: stages of steps, each with its ``because``.

One class per kind of step and a closed union, so a new kind makes mypy point at every ``match``.
Every step is one external effect, idempotent, and named by service, member and uid.
``str(step)`` is what journals, screens and tests say of it: "start orders-node-1".
Destructive steps (``Retire``, ``DestroyVolumes``, ``Forget``) carry the uid they were decided for; the
runtime refuses when what it finds has another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from freehold.engine.observed import Retirement
from freehold.foundation.member import MemberSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSoftware:
    """Fetch, verify and lay out a version's locked software."""

    service: str
    version: str
    because: str

    def __str__(self) -> str:
        return f"fetch software {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueSecrets:
    """Generate the secrets and certificates that do not exist yet. Never replaces one."""

    service: str
    names: tuple[str, ...]
    because: str

    def __str__(self) -> str:
        return f"issue {len(self.names)} secret{'s' if len(self.names) > 1 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """Make the member's folder, volumes, address, secrets and agent; its order says "do not run"."""

    service: str
    member: str
    spec: MemberSpec
    because: str
    stamp: str = ""  # restart stamp it is born with: what is new needs no restart

    def __str__(self) -> str:
        return f"provision {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    service: str
    member: str
    because: str
    stamp: str = ""  # restart stamp that this start makes good

    def __str__(self) -> str:
        return f"start {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop gracefully (the agent runs ``stop.before`` and then the deadline's SIGKILL)."""

    service: str
    member: str
    because: str

    def __str__(self) -> str:
        return f"stop {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    service: str
    member: str
    stamp: str
    because: str

    def __str__(self) -> str:
        return f"restart {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """Hand the member its new accepted revision; its agent reloads or restarts as the hashes say."""

    service: str
    member: str
    spec: MemberSpec
    restarts: bool
    because: str
    stamp: str = ""  # restart stamp that its restart makes good; "" leaves the member's own

    def __str__(self) -> str:
        return f"configure {self.member}{' and restart it' if self.restarts else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Have the member's agent carry an action to its end. The key makes a second order a no-op."""

    service: str
    member: str
    action: str
    key: str
    because: str
    title: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    background: bool = False  # the wish is fulfilled without it

    def __str__(self) -> str:
        return f"{self.action} on {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAct:
    service: str
    member: str
    key: str
    because: str

    def __str__(self) -> str:
        return f"cancel {self.key} on {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revive:
    """Replace a silent or gone agent by a new one, which adopts the software if it lives."""

    service: str
    member: str
    because: str

    def __str__(self) -> str:
        return f"revive agent of {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """End the member's agent and its place in the runtime. Needs its death certificate; volumes are kept."""

    service: str
    member: str
    uid: str
    retirement: Retirement
    because: str

    def __str__(self) -> str:
        return f"retire {self.member}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyVolumes:
    """Remove kept volumes. Only ever planned for a purge of this service."""

    service: str
    lineage: str
    member: str
    uid: str
    because: str

    def __str__(self) -> str:
        return f"destroy volumes of {self.member} ({self.uid})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Remove the last traces of a purged service: secrets, account, addresses, record."""

    service: str
    lineage: str
    because: str

    def __str__(self) -> str:
        return f"forget {self.service}"


Step = (
    FetchSoftware
    | IssueSecrets
    | Provision
    | Start
    | Stop
    | Restart
    | Configure
    | Act
    | CancelAct
    | Revive
    | Retire
    | DestroyVolumes
    | Forget
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Why nothing more is planned now: shown as "waits for …"."""

    subject: str  # a member, or the service
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: waits for {self.what}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Stages run in order; the steps of one stage are independent and run together.

    A plan without waits, that is empty or holds background acts only, means: the wish is fulfilled.
    """

    stages: tuple[tuple[Step, ...], ...] = ()
    waits: tuple[Wait, ...] = ()

    @property
    def is_fulfilled(self) -> bool:
        in_background = (isinstance(step, Act) and step.background for step in self.steps)
        return not self.waits and all(in_background)

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for stage in self.stages for step in stage)

    def beside(self, other: Plan) -> Plan:
        """Return both plans as one: stages side by side, everything of both."""
        stages = tuple(
            mine + theirs for mine, theirs in zip_longest(self.stages, other.stages, fillvalue=())
        )
        return Plan(stages, self.waits + other.waits)

    def __str__(self) -> str:
        steps = (
            f"{number}. {step}: {step.because}"
            for number, stage in enumerate(self.stages, start=1)
            for step in stage
        )
        return "\n".join([*steps, *map(str, self.waits)])
