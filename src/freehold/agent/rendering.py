"""Fill in what only the agent knows, and write the software's files.

A text is filled completely before the first byte is written: a missing secret changes nothing on
disk. Secrets go into files and HTTP calls only; in a command or an environment they are refused,
for anybody on the machine can read those.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.foundation.member import HttpCall, MemberSpec, Place, Process

# Compiled at their first use (re keeps them): not every start of an agent renders.
_PLACEHOLDER = r"\$(\$\{)|\$\{([a-z_]+)(?:([:.])([^}]*))?\}"
_SAFE_NAME = r"[A-Za-z0-9_@][A-Za-z0-9._@-]*"


class Filling:
    """The values of one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._plain = {
            "bind": place.bind,
            "advertise": place.advertise,
            "failure_domain": place.failure_domain,
            "conf": place.conf,
            "software": place.software,
            "derived": place.derived,
            "run": place.run,
            "member": place.member,
            "secrets": place.secrets,
            "python": place.worker_python,
        }

    def fill(self, text: str, *, secrets: bool = False) -> str:
        """Return ``text`` with every placeholder replaced; ``$${`` becomes ``${``.

        Raises PermanentFault for an unknown name, or a secret where none may stand.
        """

        def value(match: re.Match[str]) -> str:
            if match[1]:
                return "${"
            kind, mark, name = match[2], match[3], match[4]
            if mark is None and kind in self._plain:
                return self._plain[kind]
            return self._named(f"{kind}{mark or ''}", name or "", secrets)

        return re.sub(_PLACEHOLDER, value, text)

    def fill_process(self, process: Process) -> Process:
        return Process(
            argv=tuple(self.fill(text) for text in process.argv),
            env={name: self.fill(text) for name, text in process.env.items()},
            cwd=self.fill(process.cwd) if process.cwd else self.place.run,
        )

    def fill_call(self, call: HttpCall) -> HttpCall:
        return replace(
            call,
            url=self.fill(call.url),
            body=self.fill(call.body, secrets=True),
            headers={name: self.fill(text, secrets=True) for name, text in call.headers.items()},
            user=self.fill(call.user, secrets=True),
            password=self.fill(call.password, secrets=True),
            ca=self.fill(call.ca),
        )

    def secret(self, name: str) -> str:
        path = self.secret_file(name)
        try:
            return Path(path).read_text().removesuffix("\n")
        except OSError as error:
            raise TransientFault(f"cannot read the secret {name!r}: {error.strerror}") from error

    def secret_file(self, name: str) -> str:
        if not re.fullmatch(_SAFE_NAME, name):
            raise PermanentFault(f"cannot use {name!r} as the name of a secret")
        return f"{self.place.secrets}/{name}"

    def _named(self, kind: str, name: str, secrets: bool) -> str:
        if kind == "secret:":
            if not secrets:
                raise PermanentFault(
                    f"cannot put the secret {name!r} into a command, environment or address: "
                    "others can read it there; use ${secret_file:…} or a file"
                )
            return self.secret(name)
        if kind == "secret_file:":
            return self.secret_file(name)
        table: Mapping[str, Mapping[str, str]] = {
            "address:": self.place.addresses,
            "volume.": self.place.volumes,
        }
        try:
            return table[kind][name]
        except KeyError:
            raise PermanentFault(
                f"cannot fill in ${{{kind}{name}}} for {self.place.member}: no such value"
            ) from None


def render(spec: MemberSpec, place: Place) -> dict[str, bytes]:
    """Return the files of ``${conf}``: path -> content. Raises PermanentFault, TransientFault."""
    filling = Filling(place)
    files = {}
    for file in spec.files:
        parts = Path(file.path).parts
        if not parts or file.path.startswith("/") or ".." in parts:
            raise PermanentFault(f"cannot write {file.path!r}: it lies outside of ${{conf}}")
        files[file.path] = filling.fill(file.text, secrets=True).encode()
    return files


def write_files(files: Mapping[str, bytes], place: Place) -> tuple[str, ...]:
    """Write what differs, 0600 for the member's account; return the paths that changed.

    The account owns the folder, so as root every component is opened without following links:
    a link planted there must not make root write elsewhere.
    """
    changed = []
    for path, content in sorted(files.items()):
        *folders, name = Path(path).parts
        folder = _open_folder(place, folders)
        try:
            if _content(folder, name) != content:
                _replace(folder, name, content, place)
                changed.append(path)
        finally:
            os.close(folder)
    return tuple(changed)


def _open_folder(place: Place, parts: list[str]) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
    folder = os.open(place.conf, flags)
    for part in parts:
        try:
            os.mkdir(part, 0o700, dir_fd=folder)
        except FileExistsError:
            pass
        else:
            if place.uid is not None and os.geteuid() == 0:
                os.chown(part, place.uid, place.gid or place.uid, dir_fd=folder)
        below = os.open(part, flags, dir_fd=folder)
        os.close(folder)
        folder = below
    return folder


def _content(folder: int, name: str) -> bytes | None:
    try:
        descriptor = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _replace(folder: int, name: str, content: bytes, place: Place) -> None:
    aside = f".{name}.part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(aside, flags, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        if place.uid is not None and os.geteuid() == 0:
            os.fchown(descriptor, place.uid, place.gid or place.uid)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
