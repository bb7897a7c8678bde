"""End members, remove kept volumes, forget services: the steps that cannot be undone.

Each holds the death certificate while it acts, compares uid and lineage with a fresh look at the
disk, and can be repeated after a crash at any point.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from freehold.agent import proc
from freehold.engine.observed import Retirement
from freehold.engine.plan import DestroyVolumes, Forget, Retire
from freehold.foundation.errors import FreeholdError, RefusedError
from freehold.foundation.member import Certificate, MemberStatus, Orders, Phase
from freehold.runtimes.local.agents import Agents
from freehold.runtimes.local.files import REMOVING, remove_tree, write_json
from freehold.runtimes.local.folders import (
    MemberFolder,
    Retired,
    current_folder,
    member_folders,
    refuse_other_uid,
    service_folders,
)
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.processes import certificate_held, identify, kill
from freehold.runtimes.local.records import ServiceRecords
from freehold.runtimes.local.spawning import tag_of
from freehold.runtimes.local.threads import finish_in_thread

_ENDED = {Phase.STOPPED, Phase.FENCED}


class Endings:
    def __init__(
        self,
        paths: LocalPaths,
        records: ServiceRecords,
        agents: Agents,
        now: Callable[[], float],
    ) -> None:
        self._paths, self._records, self._agents, self._now = paths, records, agents, now

    async def retire(self, step: Retire) -> None:
        folder = current_folder(self._paths.service(step.service), step.member)
        if folder is None:
            return
        refuse_other_uid(folder, step.uid, "retire")
        status = await self._status_of(folder)
        if status is not None and status.phase not in _ENDED:
            raise RefusedError(f"cannot retire {step.member}: it is {status.phase}, not stopped")
        if status is not None:
            await self._agents.end(folder)
        with certificate_held(folder.alive_lock) as certificate:
            if certificate is not Certificate.FREE:
                raise RefusedError(
                    f"cannot retire {step.member}: its death certificate is {certificate}"
                )
            await self._agents.end(
                folder, by_force=True
            )  # a silent one; it can start nothing while we hold this
            _kill_leftovers(folder)
            write_json(
                folder.path / "orders.json",
                Orders(
                    run=False,
                    incarnation=folder.incarnation,
                    fenced=step.retirement is not Retirement.NONE,
                ),
            )
            folder.mark_retired(
                Retired(
                    uid=step.uid,
                    retirement=step.retirement,
                    because=step.because,
                    at=self._now(),
                )
            )
        self._remove_sockets(folder)

    async def destroy_volumes(self, step: DestroyVolumes) -> None:
        service = self._paths.service(step.service)
        found = [each for each in member_folders(service) if each.member == step.member]
        folder = next((each for each in found if each.uid() == step.uid), None)
        if folder is None:
            return
        self._refuse_other_lineage(step.service, step.lineage, f"destroy {step.member}")
        spec = folder.spec()
        if spec is not None and spec.lineage != step.lineage:
            raise RefusedError(f"cannot destroy {step.member}: its volumes are another service's")
        if folder.retired() is None:
            raise RefusedError(f"cannot destroy {step.member}: it is still here, not retired")
        with certificate_held(folder.alive_lock) as certificate:
            if certificate is not Certificate.FREE:
                raise RefusedError(
                    f"cannot destroy {step.member}: its death certificate is {certificate}"
                )
            self._remove_sockets(folder)
            await finish_in_thread(self._bury, folder)
        _remove_if_empty(folder.path.parent)

    def _bury(self, folder: MemberFolder) -> None:
        """Remember the uid as dead, so that a sweep may kill what carries it; then remove all."""
        with self._paths.dead_uids.open("a") as file:
            file.write(f"{folder.uid()}\n")
            file.flush()
            os.fsync(file.fileno())
        remove_tree(folder.path)

    async def forget(self, step: Forget) -> None:
        service = self._paths.service(step.service)
        if not service.exists():
            return
        self._refuse_other_lineage(step.service, step.lineage, f"forget {step.service}")
        left = sorted({each.member for each in member_folders(service)})
        if left:
            raise RefusedError(
                f"cannot forget {step.service}: {', '.join(left)} still have volumes here"
            )
        await finish_in_thread(remove_tree, service)

    def finish_removals(self) -> None:
        """Go on with removals that a crash interrupted: their intent is in the folder's name."""
        for doomed in (
            *self._paths.services.glob(f"{REMOVING}*"),
            *self._paths.services.glob(f"*/members/*/{REMOVING}*"),
        ):
            remove_tree(doomed)
        for service in service_folders(self._paths.services):
            for member in (service / "members").glob("*"):
                _remove_if_empty(member)

    async def _status_of(self, folder: MemberFolder) -> MemberStatus | None:
        try:
            return await self._agents.client(folder).status()
        except FreeholdError:
            return None  # silent or gone: the certificate alone decides

    def _refuse_other_lineage(self, service: str, lineage: str, doing: str) -> None:
        here = self._records.get(service).wish.lineage
        if here != lineage:
            raise RefusedError(
                f"cannot {doing}: it was decided for lineage {lineage[:12]}, here is {here[:12]}"
            )

    def _remove_sockets(self, folder: MemberFolder) -> None:
        self._paths.socket(folder.path).unlink(missing_ok=True)
        self._paths.health_socket(folder.path).unlink(missing_ok=True)


def _kill_leftovers(folder: MemberFolder) -> None:
    """End hook workers of an agent that was killed; the software is proven dead by our caller."""
    for pid in proc.tagged(tag_of(folder)):
        process = identify(pid)
        if process is not None:
            kill(process)


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another incarnation's volumes are in it, or it is gone
