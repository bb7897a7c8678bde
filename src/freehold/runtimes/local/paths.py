"""Where everything of one home lies on a plain machine.

One home is one user's Freehold: its data, its daemon, its members. ``FREEHOLD_HOME`` moves all of it
(tests, a second home); root has FHS folders; everybody else XDG ones. Unix socket paths are short by
construction, because the kernel refuses more than 107 bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from freehold.foundation.errors import RefusedError

LONGEST_SOCKET_PATH = 100  # the kernel's 107, and room for a temporary suffix
_LONGEST_RUN_NAME = "m/0123456789ab.health"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPaths:
    """The folders of one home; nothing is created by asking."""

    data: Path
    cache: Path
    run: Path
    uid: int

    @classmethod
    def of(cls, environ: Mapping[str, str], uid: int) -> LocalPaths:
        """Return the folders that this environment and user mean."""
        home = environ.get("FREEHOLD_HOME", "")
        if home:
            top = Path(os.path.abspath(home))  # noqa: PTH100  keeps links: the user's own name for it
            run = _short_enough(top / "run", environ, uid, top)
            return cls(data=top / "data", cache=top / "cache", run=run, uid=uid)
        if uid == 0:
            return cls(
                data=Path("/var/lib/freehold"),
                cache=Path("/var/cache/freehold"),
                run=Path("/run/freehold"),
                uid=uid,
            )
        user = Path(environ.get("HOME") or "/")
        data = Path(environ.get("XDG_DATA_HOME") or user / ".local/share") / "freehold"
        cache = Path(environ.get("XDG_CACHE_HOME") or user / ".cache") / "freehold"
        runtime = environ.get("XDG_RUNTIME_DIR", "")
        run = Path(runtime) / "freehold" if runtime else Path(f"/tmp/freehold-{uid}")  # noqa: S108  made 0700 and its owner checked
        return cls(data=data, cache=cache, run=_short_enough(run, environ, uid, data), uid=uid)

    @property
    def is_root(self) -> bool:
        return self.uid == 0

    @property
    def state_database(self) -> Path:
        return self.data / "state.db"

    @property
    def state_marker(self) -> Path:
        return self.data / "state.marker"

    @property
    def daemon_log(self) -> Path:
        return self.data / "daemon.log"

    @property
    def block(self) -> Path:
        return self.data / "block.json"

    @property
    def dead_uids(self) -> Path:
        """Uids of volumes that were destroyed here: whatever still carries one is an orphan."""
        return self.data / "dead-uids"

    @property
    def agents(self) -> Path:
        return self.data / "agents"

    @property
    def store(self) -> Path:
        return self.data / "store"

    @property
    def packages(self) -> Path:
        return self.data / "packages"

    @property
    def services(self) -> Path:
        return self.data / "services"

    @property
    def daemon_socket(self) -> Path:
        return self.run / "daemon.sock"

    @property
    def daemon_lock(self) -> Path:
        return self.run / "daemon.lock"

    @property
    def member_sockets(self) -> Path:
        return self.run / "m"

    def service(self, service: str) -> Path:
        return self.services / service

    def member(self, service: str, member: str, incarnation: int) -> Path:
        return self.services / service / "members" / member / str(incarnation)

    def socket(self, member_folder: Path) -> Path:
        return self.member_sockets / f"{_short(str(member_folder))}.sock"

    def health_socket(self, member_folder: Path) -> Path:
        return self.member_sockets / f"{_short(str(member_folder))}.health"

    def prepare(self) -> None:
        """Create the folders, and refuse those that somebody else made or can write to.

        As root the way down to members and software is open for passing through (0711), since
        services run under accounts of their own; nothing in it can be listed.
        """
        mode = 0o711 if self.is_root else 0o700
        for folder in (self.data, self.cache, self.run):
            _make_way(folder.parent, 0o711 if self.is_root else 0o700)
            folder.mkdir(mode=mode, exist_ok=True)
            _refuse_foreign(folder, self.uid)
            folder.chmod(mode)
        for folder in (self.services, self.agents):
            folder.mkdir(mode=mode, exist_ok=True)
            folder.chmod(mode)
        self.member_sockets.mkdir(mode=0o700, exist_ok=True)


def _make_way(folder: Path, mode: int) -> None:
    """Make the folders above with this mode, whatever the umask; those that exist stay as they are."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        each.chmod(mode)


def _short_enough(run: Path, environ: Mapping[str, str], uid: int, top: Path) -> Path:
    if len(str(run / _LONGEST_RUN_NAME).encode()) <= LONGEST_SOCKET_PATH:
        return run
    shorter = Path(environ.get("XDG_RUNTIME_DIR") or "/tmp")  # noqa: S108  made 0700 and its owner checked
    if len(str(shorter).encode()) > 40:
        shorter = Path("/tmp")  # noqa: S108
    return shorter / f"freehold-{uid}-{_short(str(top))}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _refuse_foreign(folder: Path, uid: int) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != uid:
        raise RefusedError(
            f"cannot use {folder}: it belongs to uid {found.st_uid}, not to uid {uid}",
            next_command="FREEHOLD_HOME=<a folder of your own> freehold doctor",
        )
