"""What should exist: a wish and a definition, rendered to member specs. Values only.

``render.py`` makes these; the rules compare them with :mod:`freehold.engine.observed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.engine.wish import Want
from freehold.foundation.member import MemberSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredMember:
    name: str
    component: str
    group: int
    ordinal: int
    incarnation: int
    spec: MemberSpec
    founder: bool  # of the first boot: starts at once with the other founders, never joins

    @property
    def revision(self) -> str:
        return self.spec.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredComponent:
    name: str
    members: tuple[DesiredMember, ...]  # by ordinal
    quorum: int  # per group: ready members that our own acts must leave
    down_at_once: int
    leader: str = ""  # role that leads
    start_after: tuple[str, ...] = ()
    joins_in_parallel: bool = False
    first_start_ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """An action the engine runs by itself because a fact asks for it; keyed, so never run twice."""

    action: str
    component: str
    when: str  # formed | members-changed | joined | settled
    title: str = ""
    deadline_s: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    service: str
    lineage: str
    want: Want
    version: str
    generation: int
    restart: str
    components: tuple[DesiredComponent, ...]
    secrets: tuple[str, ...]  # every secret that must have been issued, "name" or "name@member"
    duties: tuple[Duty, ...] = ()
    leave: Mapping[str, str] = field(
        default_factory=dict
    )  # component -> action that hands over before a member goes
    leave_deadline_s: float = 6 * 3600.0
    switchover: Mapping[str, str] = field(
        default_factory=dict
    )  # component -> action that moves the lead away
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> tuple[DesiredMember, ...]:
        return tuple(member for component in self.components for member in component.members)

    def component(self, name: str) -> DesiredComponent | None:
        return next((each for each in self.components if each.name == name), None)
