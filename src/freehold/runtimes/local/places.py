"""Where a member lives on this machine, as a value for its agent."""

from __future__ import annotations

from pathlib import Path

from freehold.foundation.member import MemberSpec, Place
from freehold.runtimes.local.folders import MemberFolder
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.records import ServiceRecord

FAILURE_DOMAIN = "this-machine"  # a constant: software keeps it for life, a host's name can change


def place_of(
    paths: LocalPaths,
    record: ServiceRecord,
    folder: MemberFolder,
    spec: MemberSpec,
    software: tuple[Path, Path | None],
) -> Place:
    """Return the member's place; ``record`` holds an address for it and every peer.

    Args:
        software: the laid-out tree, and the account's folder for what is derived from it.
    """
    tree, derived = software
    address = record.addresses[spec.name]
    known = {*spec.peers, spec.name}
    return Place(
        member=spec.name,
        bind=address,
        advertise=address,
        failure_domain=FAILURE_DOMAIN,
        addresses={name: at for name, at in sorted(record.addresses.items()) if name in known},
        folder=str(folder.path),
        conf=str(folder.path / "conf"),
        run=str(folder.path / "run"),
        secrets=str(folder.path / "secrets"),
        socket=str(paths.socket(folder.path)),
        health_socket=str(paths.health_socket(folder.path)),
        volumes={each.name: str(folder.path / "volumes" / each.name) for each in spec.volumes},
        software=str(tree),
        log_folder=str(folder.path / "logs"),
        worker_python=record.worker_python,
        uid=record.account,
        gid=record.account,
        derived=str(derived) if derived else "",
    )
