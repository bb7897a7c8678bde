"""Make a member's folder, or bring a kept one back; and keep its place up to date.

The order matters for a crash at any point: ``uid`` comes last, so an unfinished folder does not
count and is finished by the next try; of a kept member ``retired.json`` goes last for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from freehold.engine.observed import Retirement
from freehold.engine.plan import Provision
from freehold.foundation.errors import PermanentFault, RefusedError, TransientFault
from freehold.foundation.member import MemberSpec, Orders, Place
from freehold.runtimes.local import sockets
from freehold.runtimes.local.files import write_durably
from freehold.runtimes.local.folders import MemberFolder, current_folder
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.places import place_of
from freehold.runtimes.local.processes import lock_holder
from freehold.runtimes.local.records import ServiceRecord, ServiceRecords

TreeFor = Callable[[str, str], Path]  # (definition's digest, version) -> laid-out software
DerivedFor = Callable[[Path, int | None], Path]  # (tree, account) -> its folder for derived files


class MemberSecrets(Protocol):
    """Where the values of secrets come from; :class:`freehold.adapters.secrets.SecretFiles`."""

    def member_files(
        self, lineage: str, member: str, names: Sequence[str]
    ) -> Mapping[str, bytes]: ...


class Provisioner:
    def __init__(
        self,
        paths: LocalPaths,
        records: ServiceRecords,
        secrets: MemberSecrets,
        tree_for: TreeFor,
        derived_for: DerivedFor | None = None,
    ) -> None:
        self._paths, self._records = paths, records
        self._secrets, self._tree_for, self._derived_for = secrets, tree_for, derived_for

    def provision(self, step: Provision) -> MemberFolder:
        """Return the member's folder, whole, with orders that say "do not run".

        Raises RefusedError: its volumes were handed over or replaced, a former incarnation still
        exists, or somebody listens on its address.
        """
        spec, service = step.spec, self._paths.service(step.service)
        folder = MemberFolder(self._paths.member(step.service, step.member, spec.incarnation))
        if folder.uid() and folder.retired() is None:
            return folder
        self._refuse_bad_ground(service, folder)
        record = self._record_with_addresses(step.service, spec)
        _refuse_without_worker(record, spec)
        _refuse_taken_address(record.addresses[spec.name], spec)
        if lock_holder(folder.agent_lock) is not None:
            raise TransientFault(f"cannot provision {step.member}: its former agent still ends")
        place = self._lay_out(folder, record, spec)
        former = folder.orders()
        stamp = step.stamp or (former.restart if former else "")
        orders = Orders(run=False, restart=stamp, incarnation=spec.incarnation)
        folder.write_documents(spec, place, orders)
        folder.mark_made()
        folder.mark_back()
        return folder

    def refresh(self, folder: MemberFolder, spec: MemberSpec) -> Place:
        """Return the place for a new spec; its volumes, secrets and software are there then."""
        record = self._record_with_addresses(folder.service, spec)
        _refuse_without_worker(record, spec)
        return self._lay_out(folder, record, spec)

    def deliver(
        self, folder: MemberFolder, files: Mapping[str, bytes], account: int | None
    ) -> None:
        """Write secrets 0600 for the account; files that are right already are not touched."""
        owner = None if account is None else (account, account)
        for name, content in files.items():
            file = folder.path / "secrets" / name
            if not file.exists() or file.read_bytes() != content:
                write_durably(file, content, mode=0o600, owner=owner)

    def _lay_out(self, folder: MemberFolder, record: ServiceRecord, spec: MemberSpec) -> Place:
        tree = self._tree_for(spec.definition, spec.version)
        folder.make([volume.name for volume in spec.volumes], record.account)
        files = self._secrets.member_files(record.wish.lineage, spec.name, spec.secrets)
        self.deliver(folder, files, record.account)
        derived = self._derived_for(tree, record.account) if self._derived_for else None
        return place_of(self._paths, record, folder, spec, (tree, derived))

    def _record_with_addresses(self, service: str, spec: MemberSpec) -> ServiceRecord:
        record = self._records.get(service)
        if record.wish.lineage != spec.lineage:
            raise RefusedError(f"cannot place {spec.name}: it is of another service {service}")
        self._records.reserve(record.wish, [*spec.peers, spec.name])
        return self._records.with_worker(service)

    def _refuse_bad_ground(self, service: Path, folder: MemberFolder) -> None:
        retired = folder.retired()
        if retired is not None and retired.retirement is not Retirement.NONE:
            raise RefusedError(
                f"cannot provision {folder.member}: its volumes were {retired.retirement} "
                "and must not be used again"
            )
        other = current_folder(service, folder.member)
        if other is not None:
            raise RefusedError(
                f"cannot provision {folder.member}: incarnation {other.incarnation} is still here"
            )


def _refuse_without_worker(record: ServiceRecord, spec: MemberSpec) -> None:
    if spec.hooks.module and not record.worker_python:
        raise PermanentFault(record.worker_problem, next_command="freehold doctor")


def _refuse_taken_address(address: str, spec: MemberSpec) -> None:
    for listener in spec.listeners:
        why = sockets.why_not_bindable(address, listener.port)
        if why is not None:
            raise RefusedError(
                f"cannot provision {spec.name}: {address}:{listener.port} is taken: {why}",
                next_command=f"ss -ltnp 'sport = :{listener.port}'",
            )
