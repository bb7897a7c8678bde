"""Ask registries about one file or one text: each address in turn, until one has it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from packaging.utils import canonicalize_name

from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.software.lock import LockedFile
from freehold.software.registries import Registries
from freehold.software.resolve.pom import Coordinate
from freehold.software.resolve.pypi import ACCEPT, IndexFile, parse_page
from freehold.software.transport import Address, Missing, Transport

_Answer = TypeVar("_Answer")


def first_answer(
    addresses: tuple[Address, ...], ask: Callable[[Address], _Answer], what: str
) -> _Answer:
    """Return the first registry's answer that has it.

    Raises:
        Missing: none has it. TransientFault: one that might have it does not answer.
    """
    unreached: TransientFault | None = None
    for address in addresses:
        try:
            return ask(address)
        except Missing:
            continue
        except TransientFault as fault:
            unreached = unreached or fault
    if unreached is not None:
        raise unreached
    asked = ", ".join(address.host for address in addresses)
    raise Missing(f"cannot find {what}: {asked} does not have it")


def maven_text(transport: Transport, registries: Registries, path: str) -> str:
    """Return a small text of a Maven repository: a POM, a checksum."""
    return first_answer(
        registries.maven,
        lambda address: transport.text(address.below(path))[0].decode("utf-8", "replace"),
        path,
    )


def index_files(
    transport: Transport, address: Address, distribution: str
) -> dict[str, tuple[IndexFile, Address]]:
    """Return the files that an index lists for a distribution, and where each lies."""
    page = address.below(f"{canonicalize_name(distribution)}/")
    data, content_type = transport.text(page, {"Accept": ACCEPT})
    files = parse_page(data, content_type, page.url)
    return {file.file: (file, page.moved(file.url)) for file in files}


def coordinate_of(file: LockedFile) -> Coordinate:
    """Return where a Maven repository keeps a locked file."""
    group, artifact, classifier = [*file.name.split(":"), ""][:3]
    return Coordinate(group, artifact, file.version, classifier, file.file.rpartition(".")[2])


class Locator:
    """Finds the addresses of locked files; asks each index page once. One thread's own."""

    def __init__(self, registries: Registries, transport: Transport) -> None:
        self._registries = registries
        self._transport = transport
        self._pages: dict[tuple[str, str], dict[str, tuple[IndexFile, Address]]] = {}

    def addresses(self, file: LockedFile) -> list[Address]:
        """Return where the file may be had, in the order to try.

        Raises:
            Missing: no Python index lists it. TransientFault: an index does not answer.
        """
        if file.registry == "maven":
            path = coordinate_of(file).path
            return [address.below(path) for address in self._registries.maven]
        return [
            first_answer(
                self._registries.pypi,
                lambda address: self._listed(address, file),
                f"{file.file} of {file.name}",
            )
        ]

    def _listed(self, index: Address, file: LockedFile) -> Address:
        key = (index.url, file.name)
        if key not in self._pages:
            self._pages[key] = index_files(self._transport, index, file.name)
        if file.file not in self._pages[key]:
            raise Missing(f"cannot find {file.file}: {index.host} does not list it")
        listed, address = self._pages[key][file.file]
        if listed.sha256 and listed.sha256 != file.sha256:
            raise PermanentFault(
                f"cannot use {file.file} from {index.host}: it lists sha256 {listed.sha256}, "
                f"the lock says {file.sha256}"
            )
        return address
