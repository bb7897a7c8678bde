"""A member's folder: what it consists of, who owns which part, and how it ends.

members/<member>/<incarnation>/
    uid            written last when the folder is made: without it the folder does not count
    retired.json   the member is gone and its volumes are kept
    member.json place.json orders.json state.json   the agent's documents
    alive.lock agent.lock
    conf/ run/ volumes/<name>/   the service's account owns these
    secrets/       root's as root, readable by the account: it could plant links in its own
    logs/ metrics/ the agent's
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from freehold.engine.observed import Retirement
from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.foundation.member import MemberSpec, Orders, Place
from freehold.runtimes.local.files import (
    REMOVING,
    make_folder,
    sync_folder,
    write_durably,
    write_json,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired:
    """The content of ``retired.json``."""

    uid: str
    retirement: Retirement
    because: str
    at: float


@dataclass(frozen=True, slots=True)
class MemberFolder:
    """One incarnation of one member on disk."""

    path: Path

    @property
    def member(self) -> str:
        return self.path.parent.name

    @property
    def service(self) -> str:
        return self.path.parents[2].name

    @property
    def incarnation(self) -> int:
        return int(self.path.name)

    @property
    def alive_lock(self) -> Path:
        return self.path / "alive.lock"

    @property
    def agent_lock(self) -> Path:
        return self.path / "agent.lock"

    @property
    def agent_log(self) -> Path:
        return self.path / "logs" / "agent.log"

    def uid(self) -> str:
        """Return the uid of these volumes, "" when the folder was never finished."""
        with suppress(FileNotFoundError):
            return (self.path / "uid").read_text().strip()
        return ""

    def retired(self) -> Retired | None:
        return _read(self.path / "retired.json", Retired)

    def spec(self) -> MemberSpec | None:
        return _read(self.path / "member.json", MemberSpec)

    def place(self) -> Place | None:
        return _read(self.path / "place.json", Place)

    def orders(self) -> Orders | None:
        return _read(self.path / "orders.json", Orders)

    def make(self, volumes: Iterable[str], account: int | None) -> None:
        """Create what is missing of the folder; content stays untouched."""
        owner = None if account is None else (account, account)
        passable = 0o700 if account is None else 0o711
        for above in (self.path.parents[2], self.path.parents[1], self.path.parent, self.path):
            make_folder(above, mode=passable)
        for name in ("conf", "run"):
            make_folder(self.path / name, mode=0o700, owner=owner)
        make_folder(self.path / "volumes", mode=passable)
        for name in volumes:
            make_folder(self.path / "volumes" / name, mode=0o700, owner=owner)
        readable = None if account is None else (0, account)
        make_folder(self.path / "secrets", mode=0o700 if account is None else 0o750, owner=readable)
        make_folder(self.path / "logs", mode=0o700 if account is None else 0o750, owner=readable)
        make_folder(self.path / "metrics", mode=0o700)

    def write_documents(self, spec: MemberSpec, place: Place, orders: Orders) -> None:
        """Write all three; only while no agent runs, which owns them otherwise."""
        write_json(self.path / "member.json", spec)
        write_json(self.path / "place.json", place)
        write_json(self.path / "orders.json", orders)

    def mark_made(self) -> None:
        """Let the folder count. The way to its volumes is on disk before anything can be in them."""
        if not self.uid():
            for way in (self.path / "volumes", self.path, *self.path.parents[:4]):
                sync_folder(way)
            write_durably(self.path / "uid", uuid.uuid4().hex.encode() + b"\n", mode=0o600)

    def mark_retired(self, retired: Retired) -> None:
        write_json(self.path / "retired.json", retired)

    def mark_back(self) -> None:
        """The kept member is wanted again, as it was."""
        (self.path / "retired.json").unlink(missing_ok=True)


def member_folders(service: Path) -> Iterator[MemberFolder]:
    """Yield every finished folder of a service, retired ones too, by member and incarnation."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for member in sorted((service / "members").iterdir()):
            if member.name.startswith(".") or not member.is_dir():
                continue
            numbers = [each.name for each in member.iterdir() if each.name.isdigit()]
            for number in sorted(numbers, key=int):
                folder = MemberFolder(member / number)
                if folder.uid():
                    yield folder


def service_folders(services: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        for folder in sorted(services.iterdir()):
            if folder.is_dir() and not folder.name.startswith(REMOVING):
                yield folder


def current_folder(service: Path, member: str) -> MemberFolder | None:
    """Return the member's incarnation that is not retired: the one that exists for the engine."""
    living = [each for each in member_folders(service) if each.member == member]
    return next((each for each in reversed(living) if each.retired() is None), None)


def refuse_other_uid(folder: MemberFolder, uid: str, doing: str) -> None:
    """The precondition of destructive steps: decided for these very volumes, or not at all."""
    if folder.uid() != uid:
        raise RefusedError(
            f"cannot {doing} {folder.member}: it was decided for volumes {uid[:8]}, "
            f"here are {folder.uid()[:8]}"
        )


def _read(file: Path, kind: type[T]) -> T | None:
    try:
        found = file.stat()
        state = (found.st_ino, found.st_mtime_ns, found.st_size)
        decoded: T = _decoded(str(file), cast("Hashable", kind), state)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise PermanentFault(
            f"cannot read {file}: {error}", next_command="freehold doctor"
        ) from error
    return decoded


@functools.lru_cache(maxsize=4096)
def _decoded(file: str, kind: Any, _state: tuple[int, int, int]) -> Any:
    """Decode one state of a document once: it is looked at every few seconds and rarely changes.

    Documents are replaced by a rename, so another content is another inode.
    """
    return msgspec.json.decode(Path(file).read_bytes(), type=kind)
