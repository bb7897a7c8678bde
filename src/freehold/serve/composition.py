"""Put the pieces of one home together: the only place that knows which adapter stands where."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import freehold
from freehold.adapters.bindings import BindingFolders
from freehold.adapters.catalog import FolderPackages
from freehold.adapters.clock import NoFailpoints, SystemClock, TimedIds
from freehold.adapters.journal import SqliteJournal
from freehold.adapters.secrets import SecretFiles
from freehold.execution.engine_loop import Engine, World
from freehold.execution.ports import Failpoints
from freehold.operations.desk import Desk
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.runtime import LocalRuntime
from freehold.serve.examiner import LocalExaminer
from freehold.serve.software_store import StoreKeeper
from freehold.software.locked import LockedSoftware
from freehold.software.store import Store, derived_folder

Log = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Everything of a home but its journal: these work while the state cannot be read."""

    paths: LocalPaths
    packages: FolderPackages
    secrets: SecretFiles
    software: LockedSoftware
    runtime: LocalRuntime
    failpoints: Failpoints
    log: Log
    clock: SystemClock
    ids: TimedIds


def pieces(
    paths: LocalPaths,
    environ: Mapping[str, str],
    log: Log,
    failpoints: Failpoints | None = None,
) -> Pieces:
    packages = FolderPackages(catalog_folders(environ), paths.packages)
    secrets = SecretFiles(paths.services)
    software = LockedSoftware(Store(paths.store))

    def tree_for(definition: str, version: str) -> Path:
        return software.tree_for(packages.by_digest(definition), version)

    return Pieces(
        paths=paths,
        packages=packages,
        secrets=secrets,
        software=software,
        runtime=LocalRuntime(paths, secrets, tree_for, derived_for=derived_folder),
        failpoints=failpoints or NoFailpoints(),
        log=log,
        clock=SystemClock(),
        ids=TimedIds(),
    )


def open_desk(pieces: Pieces, journal: SqliteJournal) -> tuple[Desk, Engine]:
    """Return where verbs work, and the engine behind it; the engine is not started."""
    engine = Engine(
        World(
            runtime=pieces.runtime,
            journal=journal,
            packages=pieces.packages,
            software=pieces.software,
            secrets=pieces.secrets,
            clock=pieces.clock,
            ids=pieces.ids,
            failpoints=pieces.failpoints,
            log=pieces.log,
        )
    )
    desk = Desk(
        journal=journal,
        packages=pieces.packages,
        engine=engine,
        place=pieces.runtime,
        examiner=LocalExaminer(
            pieces.paths, pieces.runtime, lambda: {wish.service for wish in journal.wishes()}
        ),
        software=pieces.software,
        store=StoreKeeper(pieces.software),
        secrets=pieces.secrets,
        bindings=BindingFolders(pieces.paths.services),
        clock=pieces.clock,
        ids=pieces.ids,
    )
    return desk, engine


def catalog_folders(environ: Mapping[str, str]) -> list[Path]:
    """Return the user's own catalogs (FREEHOLD_CATALOG, as PATH is written), then the shipped one."""
    own = [Path(each) for each in environ.get("FREEHOLD_CATALOG", "").split(os.pathsep) if each]
    package = Path(freehold.__file__).resolve().parent
    shipped = [package / "catalog", package.parent.parent / "catalog"]  # wheel; a checkout
    return [*own, *(folder for folder in shipped if folder.is_dir())]
