"""Make and refresh lock files from the ``software`` sources of a version.

Files that publish no .sha256 (a third of a Maven repository) are read once and hashed here, and
checked against what the repository does publish (.sha256, .sha1) at that moment. From then on
only the lock counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local

from freehold.definition.schema import Source, Version
from freehold.foundation.errors import DefinitionError, Fault, PermanentFault
from freehold.software.asking import first_answer, index_files, maven_text
from freehold.software.lock import Lock, LockedFile, sorted_lock
from freehold.software.network import Network
from freehold.software.registries import Registries
from freehold.software.resolve.maven import resolve
from freehold.software.resolve.pom import Coordinate
from freehold.software.resolve.pypi import pick_wheel
from freehold.software.transport import (
    NETWORK_ERRORS,
    Address,
    Missing,
    Transport,
    unreachable,
)

_CONNECTIONS = 8
_CHUNK = 1 << 18
_LARGEST_FILE = 4 << 30


class _RemotePoms:
    def __init__(self, transport: Transport, registries: Registries) -> None:
        self._transport = transport
        self._registries = registries

    def pom_text(self, coordinate: Coordinate) -> str:
        return maven_text(self._transport, self._registries, coordinate.path)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A Maven artifact and where it goes."""

    coordinate: Coordinate
    source: Source


def make_lock(
    version: Version,
    platform: str,
    registries: Registries,
    progress: Callable[[str], None] = lambda _: None,
) -> Lock:
    """Resolve the sources of ``version`` for ``platform`` and hash every file.

    Raises:
        DefinitionError: a source cannot be read. PermanentFault, TransientFault: the registries.
    """
    sources = [s for s in version.software if not s.only or platform in s.only]
    if faults := [f for n, s in enumerate(version.software) for f in _source_faults(n, s)]:
        raise DefinitionError(f"cannot lock version {version.version}", faults=tuple(faults))
    if not sources:
        raise DefinitionError(f"cannot lock version {version.version}: no source is for {platform}")
    makers = _Makers(registries)
    with makers:
        wanted = _maven_artifacts(sources, makers.transport(), registries)
        progress(f"{len(wanted)} Maven artifacts")
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            files = list(pool.map(makers.hash_artifact, wanted))
        files += [
            _lock_wheel(source, platform, makers.transport(), registries)
            for source in sources
            if source.pypi
        ]
    return sorted_lock(version.version, platform, files)


def _source_faults(number: int, source: Source) -> Iterable[Fault]:
    place = f"software[{number}]"
    if bool(source.maven) == bool(source.pypi):
        yield Fault("service.yaml", place, 0, "exactly one of maven and pypi is needed")
    elif source.maven and source.maven.count(":") not in (2, 3):
        yield Fault("service.yaml", place, 0, "maven is group:artifact:version[:classifier]")
    elif source.pypi and source.pypi.count("==") != 1:
        yield Fault("service.yaml", place, 0, "pypi is name==version")


def _maven_artifacts(
    sources: Sequence[Source], transport: Transport, registries: Registries
) -> list[_Wanted]:
    """Resolve all transitive sources of one folder together: one version of each library."""
    poms = _RemotePoms(transport, registries)
    wanted = [
        _Wanted(_root(source), source)
        for source in sources
        if source.maven and not source.transitive
    ]
    folders: dict[str, list[Source]] = {}
    for source in sources:
        if source.maven and source.transitive:
            folders.setdefault(source.into, []).append(source)
    for together in folders.values():
        own = {_root(source): source for source in together}
        found = resolve(list(own), poms)
        wanted += [_Wanted(one, own.get(one, _linked(together[0]))) for one in found]
    return wanted


def _root(source: Source) -> Coordinate:
    group, artifact, version, classifier = [*source.maven.split(":"), ""][:4]
    return Coordinate(group, artifact, version, classifier)


def _linked(source: Source) -> Source:
    return Source(maven=source.maven, into=source.into)


class _Makers:
    """One transport per thread, closed together."""

    def __init__(self, registries: Registries) -> None:
        self._registries = registries
        self._network = Network(registries.access)
        self._local = local()
        self._all: list[Transport] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        for transport in self._all:
            transport.close()

    def transport(self) -> Transport:
        if not hasattr(self._local, "transport"):
            self._local.transport = Transport(self._network)
            self._all.append(self._local.transport)
        transport: Transport = self._local.transport
        return transport

    def hash_artifact(self, wanted: _Wanted) -> LockedFile:
        coordinate, transport = wanted.coordinate, self.transport()
        size, sums = first_answer(
            self._registries.maven,
            lambda address: _read_and_hash(transport, address.below(coordinate.path)),
            str(coordinate),
        )
        self._check_published(coordinate, sums)
        return LockedFile(
            registry="maven",
            name=coordinate.name,
            version=coordinate.version,
            file=coordinate.file,
            size=size,
            sha256=sums["sha256"],
            into=wanted.source.into,
            unpack=wanted.source.unpack,
        )

    def _check_published(self, coordinate: Coordinate, sums: dict[str, str]) -> None:
        for kind in ("sha256", "sha1"):
            try:
                text = maven_text(self.transport(), self._registries, f"{coordinate.path}.{kind}")
            except Missing:
                continue
            published = text.split()[0].lower() if text.split() else ""
            if published != sums[kind]:
                raise PermanentFault(
                    f"cannot lock {coordinate}: its {kind} is {sums[kind]}, "
                    f"the repository publishes {published or 'nothing'}"
                )
            return
        raise PermanentFault(f"cannot lock {coordinate}: the repository publishes no checksum")


def _read_and_hash(transport: Transport, address: Address) -> tuple[int, dict[str, str]]:
    hashes = {"sha256": hashlib.sha256(), "sha1": hashlib.sha1(usedforsecurity=False)}
    size = 0
    try:
        response = transport.get(address)
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            for one in hashes.values():
                one.update(chunk)
            if size > _LARGEST_FILE:
                raise PermanentFault(f"cannot lock {address.url}: larger than 4 GiB")
    except NETWORK_ERRORS as error:
        transport.close()
        raise unreachable(address, error) from error
    return size, {kind: one.hexdigest() for kind, one in hashes.items()}


def _lock_wheel(
    source: Source, platform: str, transport: Transport, registries: Registries
) -> LockedFile:
    name, _, version = source.pypi.partition("==")
    listed = first_answer(
        registries.pypi, lambda address: index_files(transport, address, name), name
    )
    best = pick_wheel([f for f, _ in listed.values()], name, version, platform, source.python)
    size, sums = _read_and_hash(transport, listed[best.file][1])
    if best.sha256 and best.sha256 != sums["sha256"]:
        raise PermanentFault(
            f"cannot lock {best.file}: its sha256 is {sums['sha256']}, the index says {best.sha256}"
        )
    return LockedFile(
        registry="pypi",
        name=name,
        version=version,
        file=best.file,
        size=size,
        sha256=sums["sha256"],
        into=source.into,
        unpack=source.unpack,
        python=source.python,
    )
