"""Versions and their lock files: every version can be fetched, and says exactly what it is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from freehold.definition.checks.report import Report
from freehold.definition.document import Path
from freehold.definition.locks import lock_paths, names_in_folder
from freehold.definition.schema import Source, Version

PLATFORM = re.compile(r"(linux|darwin)-(x86_64|aarch64)(-musl)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMES = {"maven": re.compile(r"[\w.-]+:[\w.-]+(:[\w.-]+)?"), "pypi": re.compile(r"[\w.-]+")}
_FIELDS = frozenset(
    {"registry", "name", "version", "file", "size", "sha256", "into", "unpack", "python"}
)


def check_versions(report: Report) -> None:
    seen: set[str] = set()
    for number, version in enumerate(report.spec.versions):
        path: Path = ("spec", "versions", number)
        if version.version in seen:
            report.add((*path, "version"), f"{version.version!r} is listed twice")
        seen.add(version.version)
        for index, source in enumerate(version.software):
            _check_source(report, (*path, "software", index), source)
        _check_locks(report, path, version)


def _check_source(report: Report, path: Path, source: Source) -> None:
    if bool(source.maven) == bool(source.pypi):
        report.add(path, "exactly one of maven and pypi is needed")
    elif source.maven and not re.fullmatch(r"[\w.-]+:[\w.-]+:[\w.-]+(:[\w.-]+)?", source.maven):
        report.add((*path, "maven"), f"{source.maven!r} is not group:artifact:version[:classifier]")
    elif source.pypi and not re.fullmatch(r"[\w.-]+==[\w.+!-]+", source.pypi):
        report.add((*path, "pypi"), f"{source.pypi!r} is not name==version")
    for index, platform in enumerate(source.only):
        if not PLATFORM.fullmatch(platform):
            report.add(
                (*path, "only", index), f"{platform!r} is not a platform such as linux-x86_64"
            )


def _check_locks(report: Report, path: Path, version: Version) -> None:
    found = lock_paths(version, report.files)
    if not found:
        told = f"there is no lock file {version.locks}/<os>-<arch>.json; `freehold software lock` makes it"
        report.add((*path, "locks"), told)
    locks: list[tuple[str, dict[str, Any]]] = []
    for platform, file in found.items():
        if not PLATFORM.fullmatch(platform):
            report.add_in(file, 0, f"{platform!r} is not a platform such as linux-x86_64")
        lock = _read(report, file)
        if lock is None:
            continue
        _check_head(report, file, lock, version.version, platform)
        faults = list(_entry_faults(lock))
        for place, message in faults:
            report.add_in(file, 0, message, path=place)
        if not faults:
            locks.append((file, lock))
    _check_alike(report, locks)


def _read(report: Report, file: str) -> dict[str, Any] | None:
    try:
        lock = json.loads(report.files[file])
    except ValueError as error:
        report.add_in(
            file, getattr(error, "lineno", 0), f"is not JSON: {getattr(error, 'msg', error)}"
        )
        return None
    if not isinstance(lock, dict) or not isinstance(lock.get("files"), list):
        report.add_in(file, 0, "has no list of files")
        return None
    return lock


def _check_head(
    report: Report, file: str, lock: dict[str, Any], version: str, platform: str
) -> None:
    for field, wanted in (("format", 1), ("version", version), ("platform", platform)):
        if lock.get(field) != wanted:
            report.add_in(file, 0, f"is {lock.get(field)!r}, {wanted!r} expected", path=field)
    if "://" in json.dumps(lock):
        report.add_in(file, 0, "holds an address: a lock names files, never hosts")
    for field in sorted(set(lock) - {"format", "version", "platform", "files"}):
        report.add_in(file, 0, "unknown field", path=field)


def _entry_faults(lock: dict[str, Any]) -> Iterator[tuple[str, str]]:
    taken: set[tuple[str, str]] = set()
    for number, entry in enumerate(lock["files"]):
        place = f"files[{number}]"
        if not isinstance(entry, dict):
            yield place, "is not a mapping"
            continue
        yield from ((f"{place}.{field}", reason) for field, reason in _field_faults(entry))
        spot = (str(entry.get("into")), str(entry.get("file")))
        if spot in taken:
            yield place, f"{spot[1]!r} lies twice in {spot[0]!r}"
        taken.add(spot)


def _field_faults(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in sorted(set(entry) - _FIELDS):
        yield field, "unknown field"
    registry = entry.get("registry")
    if registry not in _NAMES:
        yield "registry", f"{registry!r} is not one of maven, pypi"
    elif not _NAMES[registry].fullmatch(str(entry.get("name", ""))):
        yield "name", f"{entry.get('name')!r} is not a name in {registry}"
    if not isinstance(entry.get("version"), str) or not entry["version"]:
        yield "version", "is missing"
    if not isinstance(entry.get("file"), str) or not re.fullmatch(r"[^/\\]+", entry["file"]):
        yield "file", f"{entry.get('file')!r} is not a file name"
    if not isinstance(entry.get("size"), int) or entry["size"] <= 0:
        yield "size", f"{entry.get('size')!r} is not a size in bytes"
    if not _SHA256.fullmatch(str(entry.get("sha256", ""))):
        yield "sha256", "is not 64 hexadecimal digits"
    into = PurePosixPath(str(entry.get("into", "")))
    if into.is_absolute() or ".." in into.parts:
        yield "into", f"{entry.get('into')!r} leads out of the software's folder"


def _check_alike(report: Report, locks: list[tuple[str, dict[str, Any]]]) -> None:
    """Templates see one list of names for all platforms, so it must be one."""
    if not locks:
        return
    _, first = locks[0]
    wanted = _folders_asked(report)
    for file, lock in locks[1:]:
        for folder in sorted(wanted):
            if names_in_folder(lock, folder) != names_in_folder(first, folder):
                told = f"software({folder!r}) differs from {locks[0][0]}: templates would too"
                report.add_in(file, 0, told)


def _folders_asked(report: Report) -> set[str]:
    pattern = re.compile(rb"\bsoftware\(\s*['\"]([^'\"]*)['\"]\s*\)")
    found = (
        pattern.findall(content) for path, content in report.files.items() if path.endswith(".j2")
    )
    return {folder.decode() for each in found for folder in each}
