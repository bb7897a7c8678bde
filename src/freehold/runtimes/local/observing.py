"""Look at a service's members: what their agents say, and what is provable without them.

An agent that answers is believed. One that does not is SILENT while it holds ``agent.lock`` and GONE
otherwise; of a gone agent's software only the death certificate is known, and we try it ourselves.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from freehold.engine.observed import KeptVolumes, Observed, ObservedMember, Reach
from freehold.engine.wish import Wish
from freehold.foundation.errors import FreeholdError
from freehold.foundation.member import Certificate, MemberStatus
from freehold.runtimes.local.agents import Agents
from freehold.runtimes.local.folders import MemberFolder, member_folders
from freehold.runtimes.local.processes import read_certificate
from freehold.runtimes.local.records import ServiceRecords

STATUS_WITHIN_S = 1.5


class _Remembered(msgspec.Struct):
    """The one thing of ``state.json`` that counts when no agent can be asked."""

    initialised: bool = False


class Observer:
    """Observes; remembers only since when a member is ready or silent, as no file says so."""

    def __init__(
        self, agents: Agents, records: ServiceRecords, now: Callable[[], float] = time.time
    ) -> None:
        self._agents, self._records, self._now = agents, records, now
        self._since: dict[tuple[str, Path], float] = {}

    async def observe(self, wish: Wish, folder: Path) -> Observed:
        """Return what is there; never raises for a member that does not answer."""
        try:
            record = self._records.read(wish.service)
            folders = list(member_folders(folder))
            retired = {each.path: each.retired() for each in folders}
        except FreeholdError as fault:
            return Observed(unknown=str(fault))
        if record is not None and record.wish.lineage != wish.lineage:
            return Observed(unknown=f"another service named {wish.service} is recorded here")
        living = [each for each in folders if retired[each.path] is None]
        members = await asyncio.gather(*(self.member(each) for each in living))
        return Observed(
            members={each.name: each for each in members},  # by incarnation: the newest stays
            kept=tuple(
                KeptVolumes(
                    member=each.member,
                    uid=each.uid(),
                    incarnation=each.incarnation,
                    retirement=found.retirement,
                )
                for each in folders
                if (found := retired[each.path]) is not None
            ),
            recorded=record is not None,
        )

    async def member(self, folder: MemberFolder) -> ObservedMember:
        try:
            status = await self._agents.client(folder, timeout_s=STATUS_WITHIN_S).status()
        except FreeholdError:
            return self._unheard(folder)
        return self._heard(folder, status)

    def _lasting(self, what: str, folder: MemberFolder, *, lasts: bool) -> float | None:
        """Return since when this has been seen without a break; None when it is not so now."""
        key = (what, folder.path)
        if lasts:
            return self._since.setdefault(key, self._now())
        self._since.pop(key, None)
        return None

    def _heard(self, folder: MemberFolder, status: MemberStatus) -> ObservedMember:
        self._lasting("silent", folder, lasts=False)
        spec, place, orders = folder.spec(), folder.place(), folder.orders()
        accepted = spec is not None and spec.revision == status.revision_accepted
        component, group, ordinal = self._identity(folder)
        return ObservedMember(
            name=folder.member,
            component=component,
            group=group,
            ordinal=ordinal,
            uid=folder.uid(),
            incarnation=folder.incarnation,
            reach=Reach.ANSWERS,
            certificate=status.certificate,
            phase=status.phase,
            reason=status.reason,
            run=status.run,
            revision_accepted=status.revision_accepted,
            revision_running=status.revision_running,
            restart_hash=spec.restart_hash if spec and accepted else "",
            restart=status.restart,
            restart_ordered=orders.restart if orders else "",
            ready=status.ready,
            ready_since=self._lasting("ready", folder, lasts=status.ready is True),
            unready_since=self._lasting("unready", folder, lasts=status.ready is not True),
            started_at=status.main.started_at if status.main.pid else None,
            role=status.role,
            initialised=status.initialised,
            actions=status.actions,
            address=place.advertise if place else "",
            status=status,
        )

    def _unheard(self, folder: MemberFolder) -> ObservedMember:
        is_there = self._agents.holder(folder) is not None
        self._lasting("ready", folder, lasts=False)
        spec = orders = place = None
        with suppress(FreeholdError):  # unreadable documents are as unknown as the rest
            spec, orders, place = folder.spec(), folder.orders(), folder.place()
        component, group, ordinal = self._identity(folder)
        return ObservedMember(
            name=folder.member,
            component=component,
            group=group,
            ordinal=ordinal,
            uid=folder.uid(),
            incarnation=folder.incarnation,
            reach=Reach.SILENT if is_there else Reach.GONE,
            certificate=(Certificate.UNKNOWN if is_there else read_certificate(folder.alive_lock)),
            silent_since=self._lasting("silent", folder, lasts=is_there),
            unready_since=self._lasting("unready", folder, lasts=True),
            reason="its agent does not answer" if is_there else "it has no agent",
            run=orders.run if orders else None,
            revision_accepted=spec.revision if spec else "",
            restart_hash=spec.restart_hash if spec else "",
            initialised=_was_initialised(folder),
            address=place.advertise if place else "",
        )

    def _identity(self, folder: MemberFolder) -> tuple[str, int, int]:
        with suppress(FreeholdError):
            spec = folder.spec()
            if spec is not None:
                return spec.component, spec.group, spec.ordinal
        component, _, ordinal = folder.member.removeprefix(f"{folder.service}-").rpartition("-")
        return component, 0, int(ordinal) if ordinal.isdigit() else 0


def _was_initialised(folder: MemberFolder) -> bool:
    with suppress(OSError, msgspec.MsgspecError):
        content = (folder.path / "state.json").read_bytes()
        return msgspec.json.decode(content, type=_Remembered).initialised
    return False
