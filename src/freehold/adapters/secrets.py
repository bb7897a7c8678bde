"""The secrets of services as files: issued once, never replaced, never shown.

    services/<service>/secrets/            0700
        lineage                            whose secrets these are
        <name>/current -> 1                the generation that is handed out
        <name>/1/value                     a password
        <name>/1/key.pem, certificate.pem  a certificate or an authority

A value leaves only as content of a member's or a binding's own files. A generation appears whole
(made aside, fsynced, renamed) and ``current`` is turned to it last, so a crash leaves a secret that
exists or one that does not. Later generations are how rotation will come: nothing else changes.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import re
import secrets
import shutil
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from freehold.adapters import certificates
from freehold.adapters.certificates import Pair
from freehold.definition.package import Package
from freehold.definition.schema import Secret
from freehold.engine.wish import Wish
from freehold.foundation.errors import NotFoundError, PermanentFault, RefusedError, TransientFault

AUTHORITY = "ca"  # the authority's name where a package declares certificates but names none
FIRST_GENERATION = "1"
# Letters and digits only: safe unquoted in YAML, properties files, URLs and CQL alike.
ALPHABET = string.ascii_letters + string.digits
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(@[a-z0-9][-a-z0-9]*)?")


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class SecretFiles:
    """Implements the port :class:`~freehold.execution.ports.SecretStore` below one folder."""

    def __init__(self, services: Path, now: Callable[[], dt.datetime] = utc_now) -> None:
        self._services, self._now = services, now

    async def issued(self, lineage: str) -> frozenset[str]:
        folder = self._find(lineage)
        return frozenset(_names_in(folder)) if folder else frozenset()

    async def issue(
        self, wish: Wish, package: Package, names: Sequence[str], addresses: Mapping[str, str]
    ) -> None:
        """Make each secret that does not exist yet; an existing one is left exactly as it is."""
        with self._prepared(wish.service, wish.lineage) as folder:
            self._issue(folder, wish, package, names, addresses)

    def _issue(
        self,
        folder: Path,
        wish: Wish,
        package: Package,
        names: Sequence[str],
        addresses: Mapping[str, str],
    ) -> None:
        declared = package.spec.secrets
        authority = next(
            (name for name, each in sorted(declared.items()) if each.kind == "ca"), AUTHORITY
        )
        for name in names:
            if _has(folder, name):
                continue
            kind = declared.get(name.partition("@")[0])
            if kind is None and name != authority:
                raise PermanentFault(
                    f"cannot issue {name}: package {package.name} declares no such secret"
                )
            if kind is not None and kind.kind == "password":
                self._put(folder, name, {"value": _password(kind.length)})
                continue
            signer = self._authority(folder, authority, wish)
            if kind is not None and kind.kind == "certificate":
                subject = _subject(wish, name, kind, addresses)
                pair = certificates.make_certificate(signer, subject[0], subject[1:], self._now())
                self._put(folder, name, _files_of(pair))

    async def destroy(self, lineage: str) -> None:
        folder = self._find(lineage)
        if folder is None:
            return
        doomed = folder.with_name(".removing-secrets")
        shutil.rmtree(doomed, ignore_errors=True)
        folder.rename(doomed)
        shutil.rmtree(doomed)

    def issue_password(self, service: str, lineage: str, name: str, *, length: int = 32) -> None:
        """Make a password outside the definition: an application's, for its binding."""
        with self._prepared(service, lineage) as folder:
            if not _has(folder, name):
                self._put(folder, name, {"value": _password(length)})

    def value(self, lineage: str, name: str) -> str:
        """Return a password. The caller writes it into a 0600 file and forgets it."""
        return self._read(lineage, name, "value").decode()

    def authority_bundle(self, lineage: str) -> bytes:
        """Return every certificate a client of the service shall trust, PEM, newest first."""
        folder = self._folder(lineage)
        found = (_as_authority(folder / name) for name in _names_in(folder))
        return b"".join(each for each in found if each is not None)

    def remove(self, lineage: str, name: str) -> None:
        """Forget one secret: an application was unbound."""
        folder = self._find(lineage)
        if folder is None or not _has(folder, name):
            return
        (folder / name / "current").unlink()
        shutil.rmtree(folder / name)

    def member_files(self, lineage: str, member: str, names: Sequence[str]) -> Mapping[str, bytes]:
        """Return what belongs into a member's secrets folder: file name -> content.

        A password is a file of its name; a certificate ``tls`` becomes tls.key, tls.crt and tls.pem
        (key and chain in one), an authority only its bundle, ca.crt: its key never leaves.
        """
        folder = self._folder(lineage)
        files: dict[str, bytes] = {}
        for name in names:
            plain, _, owner = name.partition("@")
            if owner and owner != member:
                raise RefusedError(f"cannot hand {name} to {member}: it is another member's")
            source = folder / (name if _has(folder, name) else f"{plain}@{member}")
            files |= self._handed_out(lineage, source, plain)
        return files

    def _handed_out(self, lineage: str, source: Path, name: str) -> dict[str, bytes]:
        current = source / "current"
        if (current / "value").exists():
            return {name: (current / "value").read_bytes()}
        if not (current / "certificate.pem").exists():
            raise TransientFault(f"cannot hand out {name}: it has not been issued yet")
        if _as_authority(source) is not None:
            return {f"{name}.crt": self.authority_bundle(lineage)}
        key = (current / "key.pem").read_bytes()
        certificate = (current / "certificate.pem").read_bytes()
        return {
            f"{name}.key": key,
            f"{name}.crt": certificate,
            f"{name}.pem": key + certificate,
            f"{AUTHORITY}.crt": self.authority_bundle(lineage),
        }

    def _authority(self, folder: Path, name: str, wish: Wish) -> Pair:
        if not _has(folder, name):
            made = certificates.make_authority(wish.service, wish.lineage, self._now())
            self._put(folder, name, {**_files_of(made), "authority": b""})
        current = folder / name / "current"
        return Pair(
            key=(current / "key.pem").read_bytes(),
            certificate=(current / "certificate.pem").read_bytes(),
        )

    def _find(self, lineage: str) -> Path | None:
        with suppress(FileNotFoundError):
            for service in sorted(self._services.iterdir()):
                folder = service / "secrets"
                with suppress(FileNotFoundError, NotADirectoryError):
                    if (folder / "lineage").read_text() == lineage:
                        return folder
        return None

    def _folder(self, lineage: str) -> Path:
        folder = self._find(lineage)
        if folder is None:
            raise NotFoundError(f"cannot read secrets of {lineage[:12]}: there are none here")
        return folder

    def _read(self, lineage: str, name: str, file: str) -> bytes:
        folder = self._folder(lineage)
        if not _has(folder, name):
            raise NotFoundError(f"cannot read secret {name}: it was never issued")
        return (folder / name / "current" / file).read_bytes()

    @contextmanager
    def _prepared(self, service: str, lineage: str) -> Iterator[Path]:
        """Hand out the service's folder, locked: two issuers make one value between them."""
        folder = self._services / service / "secrets"
        try:
            if not folder.parent.is_dir():  # the runtime makes it, with the mode that it needs
                folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TransientFault(f"cannot make {folder}: {error.strerror or error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._refuse_foreign(folder, service, lineage)
            yield folder
        finally:
            os.close(descriptor)

    def _refuse_foreign(self, folder: Path, service: str, lineage: str) -> None:
        owner = folder / "lineage"
        if not owner.exists():
            draft = folder / ".lineage"
            _write(draft, lineage.encode())
            draft.replace(owner)
            _sync(folder)
        if owner.read_text() != lineage:
            raise RefusedError(
                f"cannot issue secrets of {service}: those of another service of this name are here",
                next_command=f"freehold purge {service}",
            )

    def _put(self, folder: Path, name: str, files: Mapping[str, bytes]) -> None:
        if not _NAME.fullmatch(name):
            raise PermanentFault(f"cannot issue {name!r}: not a name for a secret")
        target = folder / name
        aside = folder / f".making-{name}"
        try:
            shutil.rmtree(aside, ignore_errors=True)
            shutil.rmtree(target, ignore_errors=True)  # half made: it has no ``current``
            generation = aside / FIRST_GENERATION
            generation.mkdir(mode=0o700, parents=True)
            aside.chmod(0o700)
            for file, content in files.items():
                _write(generation / file, content)
            _sync(generation)
            (aside / "current").symlink_to(FIRST_GENERATION)
            _sync(aside)
            aside.rename(target)
            _sync(folder)
        except OSError as error:
            raise TransientFault(f"cannot store {name}: {error.strerror or error}") from error


def _has(folder: Path, name: str) -> bool:
    return (folder / name / "current").exists()


def _names_in(folder: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return sorted(
            each.name
            for each in folder.iterdir()
            if not each.name.startswith(".") and (each / "current").exists()
        )
    return []


def _as_authority(secret: Path) -> bytes | None:
    """Return the certificates of all generations when this secret is an authority."""
    if not (secret / "current" / "authority").exists():
        return None
    generations = sorted((each for each in secret.iterdir() if each.name.isdigit()), reverse=True)
    return b"".join((each / "certificate.pem").read_bytes() for each in generations)


def _files_of(pair: Pair) -> dict[str, bytes]:
    return {"key.pem": pair.key, "certificate.pem": pair.certificate}


def _password(length: int) -> bytes:
    return "".join(secrets.choice(ALPHABET) for _ in range(length)).encode()


def _subject(wish: Wish, name: str, kind: Secret, addresses: Mapping[str, str]) -> tuple[str, ...]:
    """Return the common name, then every name and address the certificate is valid for."""
    member = name.partition("@")[2]
    if member:
        if member not in addresses:
            raise TransientFault(f"cannot issue {name}: {member} has no address yet")
        return (member, member, addresses[member], *kind.also)
    own = sorted(addresses) if addresses else []
    return (wish.service, wish.service, *own, *(addresses[each] for each in own), *kind.also)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
