"""Find what belongs to this home and to nothing in it any more: orphans.

Rules, strongest first:

1. Only what carries our tag counts: ``FREEHOLD_MEMBER=<member>/<uid>``, as agents and software have.
2. A uid is dead when its volumes were destroyed here (recorded before) or its member is retired. A
   uid that this home never heard of may be another home's: it is left alone.
3. Sockets without a member and agent copies without an agent are removed; a member's or a service's
   folder is reported and never touched.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from freehold.agent import proc
from freehold.runtimes.local.folders import MemberFolder, member_folders, service_folders
from freehold.runtimes.local.paths import LocalPaths
from freehold.runtimes.local.processes import ProcessId, command_line_of, identify, kill


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    process: ProcessId
    member: str
    uid: str
    what: str  # the name of its program

    def __str__(self) -> str:
        return f"process {self.process.pid} ({self.what}) of {self.member}, whose volumes are gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    orphans: tuple[Orphan, ...] = ()
    sockets: tuple[Path, ...] = ()  # of members that do not exist
    trees: tuple[Path, ...] = ()  # agent copies of a former Freehold that nobody runs from
    folders: tuple[Path, ...] = ()  # services without a record, members never finished


def judge_orphans(
    tagged: Mapping[ProcessId, tuple[str, str]], dead: Iterable[str]
) -> tuple[Orphan, ...]:
    """Return those of the tagged processes (process -> tag, program) whose uid is dead."""
    gone, found = frozenset(dead), []
    for process, (tag, what) in sorted(tagged.items(), key=lambda each: each[0].pid):
        member, _, uid = tag.partition("/")
        if uid in gone:
            found.append(Orphan(process=process, member=member, uid=uid, what=what))
    return tuple(found)


def look(paths: LocalPaths, tree: Path | None = None) -> Findings:
    """Look through processes, sockets and folders; changes nothing.

    ``tree`` is the agent copy that new agents start from.
    """
    folders = [
        each for service in service_folders(paths.services) for each in member_folders(service)
    ]
    dead = {each.uid() for each in folders if each.retired() is not None}
    with suppress(FileNotFoundError):
        dead |= set(paths.dead_uids.read_text().split())
    known = {each for folder in folders for each in _sockets_of(paths, folder)}
    there = paths.member_sockets.iterdir() if paths.member_sockets.exists() else ()
    return Findings(
        orphans=judge_orphans(_tagged(), dead),
        sockets=tuple(sorted(each for each in there if each not in known)),
        trees=tuple(_unused_trees(paths, tree)) if tree is not None else (),
        folders=tuple(_unfinished(paths)),
    )


def end(findings: Findings) -> tuple[Orphan, ...]:
    """Kill the orphans, each as exactly the process that was found; return those that were."""
    for path in findings.sockets:
        path.unlink(missing_ok=True)
    for tree in findings.trees:
        shutil.rmtree(tree, ignore_errors=True)
    return tuple(orphan for orphan in findings.orphans if kill(orphan.process))


def _tagged() -> Mapping[ProcessId, tuple[str, str]]:
    found = {}
    for pid in proc.pids():
        tag, _ = proc.tags(pid)
        process, stat = identify(pid) if tag else None, proc.stat(pid) if tag else None
        if process is not None and stat is not None:
            found[process] = (tag, stat.name)
    return found


def _unused_trees(paths: LocalPaths, tree: Path) -> Iterable[Path]:
    commands = [command_line_of(pid) for pid in proc.pids()]
    used = {word for command in commands for word in command if word.endswith(".py")}
    for each in sorted(paths.agents.iterdir()):
        if each != tree and not any(Path(word).is_relative_to(each) for word in used):
            yield each


def _sockets_of(paths: LocalPaths, folder: MemberFolder) -> tuple[Path, Path]:
    return paths.socket(folder.path), paths.health_socket(folder.path)


def _unfinished(paths: LocalPaths) -> Iterable[Path]:
    for service in service_folders(paths.services):
        if not (service / "service.json").exists():
            yield service
        for incarnation in sorted((service / "members").glob("*/*")):
            if incarnation.name.isdigit() and not MemberFolder(incarnation).uid():
                yield incarnation
