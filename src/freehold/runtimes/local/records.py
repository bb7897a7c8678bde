"""What this home remembers of a service beside its members: wish, account, addresses, definition.

``service.json`` is the runtime's own; the journal may be lost and is rebuilt from it. It is written
before anything of the service is made and removed after everything of it is gone.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from freehold.definition.archive import archive
from freehold.definition.package import Package
from freehold.engine.wish import Wish
from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.foundation.member import Place
from freehold.runtimes.local import accounts
from freehold.runtimes.local.addresses import Block, allocate
from freehold.runtimes.local.files import make_folder, sync_folder, write_durably, write_json
from freehold.runtimes.local.folders import member_folders, service_folders
from freehold.runtimes.local.paths import LocalPaths

FORMAT = 1
MOST_RESERVED = 64  # services that were planned and never installed; the oldest is forgotten first


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    wish: Wish
    account: int | None = None  # None: members run as the daemon's own user
    addresses: Mapping[str, str] = field(default_factory=dict)  # member -> address, for life
    worker_python: str = ""
    worker_problem: str = ""
    format: int = FORMAT


class ServiceRecords:
    """Reads and writes the records of one home; gives out accounts and addresses."""

    def __init__(
        self,
        paths: LocalPaths,
        block: Callable[[], Block],
    ) -> None:
        self._paths, self._block = paths, block
        self._reserved: dict[str, Mapping[str, str]] = {}  # lineage -> addresses, before a record
        self._turn = threading.RLock()  # addresses and accounts are given out by one at a time

    def read(self, service: str) -> ServiceRecord | None:
        file = self._paths.service(service) / "service.json"
        try:
            record = msgspec.json.decode(file.read_bytes(), type=ServiceRecord)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, OSError) as error:
            raise PermanentFault(
                f"cannot read {file}: {error}", next_command="freehold doctor"
            ) from error
        if record.format > FORMAT:
            raise PermanentFault(f"cannot read {file}: a newer Freehold wrote it")
        return record

    def get(self, service: str) -> ServiceRecord:
        record = self.read(service)
        if record is None:
            raise RefusedError(
                f"cannot change {service}: it has no record here", next_command="freehold adopt"
            )
        return record

    def every(self) -> Mapping[str, ServiceRecord]:
        found = {}
        for folder in service_folders(self._paths.services):
            record = self.read(folder.name)
            if record is not None:
                found[folder.name] = record
        return found

    def put(self, wish: Wish, package: Package) -> None:
        """Store the wish; account and addresses stay what they were from the first call on."""
        with self._turn:
            self._put(wish, package)

    def _put(self, wish: Wish, package: Package) -> None:
        before = self.read(wish.service)
        if before is not None and before.wish.lineage != wish.lineage:
            raise RefusedError(
                f"cannot record {wish.service}: another service of this name is still here",
                next_command=f"freehold purge {wish.service}",
            )
        folder = self._paths.service(wish.service)
        is_new = not folder.exists()
        make_folder(folder, mode=0o711 if self._paths.is_root else 0o700)
        self._put_archive(folder, package)
        record = before or self._new_record(wish)
        record = replace(record, wish=wish)
        if record != before:
            write_json(folder / "service.json", record)
        if is_new:
            sync_folder(folder.parent)
        self._reserved.pop(wish.lineage, None)

    def reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        """Return an address for each member; kept for life once the service has a record."""
        with self._turn:
            return self._reserve(wish, members)

    def _reserve(self, wish: Wish, members: Sequence[str]) -> Mapping[str, str]:
        record = self.read(wish.service)
        own = record is not None and record.wish.lineage == wish.lineage
        known = record.addresses if record and own else self._reserved.get(wish.lineage, {})
        if all(member in known for member in members):
            return {member: known[member] for member in members}
        given = allocate(self._block(), known, members, reserved=self._addresses_but(wish.lineage))
        if record and own:
            file = self._paths.service(wish.service) / "service.json"
            write_json(file, replace(record, addresses=given))
        else:
            while len(self._reserved) >= MOST_RESERVED:
                self._reserved.pop(next(iter(self._reserved)))
            self._reserved[wish.lineage] = given
        return {member: given[member] for member in members}

    def with_worker(self, service: str) -> ServiceRecord:
        """Return the record, having looked again for an interpreter if there was none."""
        with self._turn:
            return self._with_worker(service)

    def _with_worker(self, service: str) -> ServiceRecord:
        record = self.get(service)
        if record.worker_python and Path(record.worker_python).exists():
            return record
        worker = accounts.find_interpreter(record.account, accounts.interpreter_candidates())
        found = replace(record, worker_python=worker.path, worker_problem=worker.problem)
        if found != record:
            write_json(self._paths.service(service) / "service.json", found)
        return found

    def _addresses_but(self, lineage: str) -> set[str]:
        recorded = (
            each.addresses.values()
            for each in self.every().values()
            if each.wish.lineage != lineage
        )
        pending = (each.values() for key, each in self._reserved.items() if key != lineage)
        return {address for some in (*recorded, *pending) for address in some}

    def _new_record(self, wish: Wish) -> ServiceRecord:
        """Begin a record; where members exist without one (it was lost), take it from them."""
        places = self._places_left(wish)
        owners = {place.uid for place in places if place.uid is not None}
        account = min(owners, default=None)
        if account is None and self._paths.is_root:
            account = self._new_account()
        worker = accounts.find_interpreter(account, accounts.interpreter_candidates())
        left = {member: at for place in places for member, at in place.addresses.items()}
        return ServiceRecord(
            wish=wish,
            account=account,
            addresses=left or self._reserved.get(wish.lineage, {}),
            worker_python=worker.path,
            worker_problem=worker.problem,
        )

    def _places_left(self, wish: Wish) -> list[Place]:
        places = []
        for folder in member_folders(self._paths.service(wish.service)):
            spec, place = folder.spec(), folder.place()
            if spec is not None and spec.lineage != wish.lineage:
                raise RefusedError(
                    f"cannot record {wish.service}: volumes of another service are in its folder",
                    next_command="freehold doctor",
                )
            if place is not None:
                places.append(place)
        return places

    def _new_account(self) -> int:
        used = {each.account for each in self.every().values() if each.account is not None}
        used |= accounts.running_uids()
        first = 0
        if self._paths.data != Path("/var/lib/freehold"):  # a second home must not share accounts
            digest = hashlib.sha256(str(self._paths.data).encode()).digest()
            first = int.from_bytes(digest[:4]) % accounts.ACCOUNTS
        return accounts.choose_account(used, accounts.is_in_passwd, first=first)

    def _put_archive(self, folder: Path, package: Package) -> None:
        stamp = folder / "definition.digest"
        if stamp.exists() and stamp.read_text().strip() == package.digest:
            return
        write_durably(folder / "definition.tar", archive(package.files))
        write_durably(stamp, package.digest.encode() + b"\n")
