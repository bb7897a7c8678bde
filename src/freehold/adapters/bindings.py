"""Bindings on disk: one 0700 folder per application with 0600 files, as servicebinding.io names them.

Beside each folder lies a record of how far its binding is, so that one that was cut short is taken
up again. The record outlives the binding: the next one of that name needs a generation of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from freehold.foundation.errors import PermanentFault


class BindingPhase(StrEnum):
    BINDING = "binding"
    BOUND = "bound"
    UNBINDING = "unbinding"
    UNBOUND = "unbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRecord:
    application: str
    lineage: str
    generation: int
    phase: BindingPhase
    created_at: float
    entries: tuple[str, ...] = ()


class BindingFolders:
    def __init__(self, services: Path) -> None:
        self._services = services

    def folder(self, service: str, application: str) -> Path:
        return self._services / service / "bindings" / application

    def records(self, service: str) -> Sequence[BindingRecord]:
        above = self._services / service / "bindings"
        if not above.is_dir():
            return ()
        return [self._read(path) for path in sorted(above.glob(".*.json"))]

    def record(self, service: str, application: str) -> BindingRecord | None:
        path = self._record(service, application)
        return self._read(path) if path.exists() else None

    def put_record(self, service: str, record: BindingRecord) -> None:
        path = self._record(service, record.application)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        _write(path, msgspec.json.encode(record))

    def write(self, service: str, application: str, entries: Mapping[str, str]) -> None:
        """Write every entry, and remove files that are no entry any more."""
        folder = self.folder(service, application)
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, text in entries.items():
            _write(folder / name, text.encode())
        for path in folder.iterdir():
            if path.name not in entries:
                path.unlink()

    def remove(self, service: str, application: str) -> None:
        shutil.rmtree(self.folder(service, application), ignore_errors=True)

    def _record(self, service: str, application: str) -> Path:
        return self._services / service / "bindings" / f".{application}.json"

    def _read(self, path: Path) -> BindingRecord:
        try:
            return msgspec.json.decode(path.read_bytes(), type=BindingRecord)
        except (OSError, msgspec.MsgspecError) as error:
            raise PermanentFault(
                f"cannot read the binding {path.name}: {error}", next_command="freehold doctor"
            ) from error


def _write(path: Path, content: bytes) -> None:
    """Replace the file at once: a reader sees the old or the new text, never half of one."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
