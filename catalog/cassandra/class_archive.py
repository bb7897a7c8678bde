"""Make the class archive: what a JVM has read and checked of its classes, for all later starts.

The member's own JVM tells which classes it has loaded (in less than 0.1 s); a second one, that gives way
to all other work, writes the archive of them beside the member, and it is renamed into place whole.
Every member of the account reads it at its next start, those of other services too.

A JVM that finds no archive, one of other files, or a damaged one, starts without it and says nothing.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from jolokia import Jolokia, JolokiaError

from freehold.agent.hook import Arguments, Done, Failed, Member, Progress, Run

ARCHIVE = "classes.jsa"  # java.options names it too
_DIAGNOSTICS = "com.sun.management:type=DiagnosticCommand"
_LEFT_S = 3600.0  # what is half made for so long was left by somebody who died
# "|--java.util.function.BiPredicate/0x00007fa2c81d09b0 (intf)": a name, and its loader. A hidden class
# has its own address in between: it has no name to be found by.
_LOADED = re.compile(r"^[|\- ]*([\w.$]+)/(?:null|0x[0-9a-f]+)(?: \(intf\))?$", re.MULTILINE)
# G1 alone writes an archive whose end is checked: a JVM would die of another one that was cut off.
_OPTIONS = ("-XX:+UseG1GC", "-Xmx128m", "-Xlog:disable", "-Xlog:all=error:stderr", "-Xshare:dump")
_PROGRAM = """
import os, subprocess, sys
java, stem, archive = sys.argv[1:]
os.nice(19)
try:
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")  # should memory be short, this goes first
except OSError:
    pass
try:
    code = subprocess.call([java, "@" + stem + ".args"])
    if code == 0:
        with open(stem + ".part", "rb") as file:
            os.fsync(file.fileno())
        os.rename(stem + ".part", archive)
finally:
    for end in (".args", ".list", ".part"):
        if os.path.exists(stem + end):
            os.unlink(stem + end)
sys.exit(code)
"""


def make(member: Member, _arguments: Arguments) -> Done | Failed | Progress | Run:
    """Answer Done when there is an archive that the members' JVMs can use."""
    if not member.derived:
        return Done()  # this place keeps nothing
    if member.job is None:
        return _begin(member, Path(member.derived, ARCHIVE))
    if member.job.exit_code is None:
        return Progress("a JVM writes it, when nobody else needs the CPU", again_s=2.0)
    if member.job.exit_code != 0:
        told = member.job.log_tail[-300:].strip()
        return Failed(f"its JVM ended with {member.job.exit_code}: {told}")
    return Done()


def _begin(member: Member, archive: Path) -> Done | Failed | Run:
    jvm = Jolokia(member.bind, member.secrets["control"], timeout_s=8.0)
    try:
        if _is_newer_than(archive, member.software) and _is_usable(archive, jvm):
            return Done()
        classes = _loaded(jvm)
    except JolokiaError as error:
        return Failed(f"the JVM does not tell its classes: {error}")
    if not classes:
        return Failed("the JVM names no class in the way this package reads")
    stem = Path(member.derived, member.name)
    try:
        _prepare(stem, classes, _class_path(member))
    except OSError as error:
        return Failed(f"{error.filename}: {error.strerror}")
    java = f"{member.software}/jdk/bin/java"
    return Run(("${python}", "-I", "-S", "-c", _PROGRAM, java, str(stem), str(archive)))


def _is_newer_than(archive: Path, software: str) -> bool:
    try:
        return archive.stat().st_mtime >= Path(software).stat().st_mtime
    except FileNotFoundError:
        return False


def _is_usable(archive: Path, jvm: Jolokia) -> bool:
    """Say no when a JVM started after the archive was made and did without it."""
    started_at: float = jvm.read("StartTime", mbean="java.lang:type=Runtime") / 1000
    if started_at <= archive.stat().st_mtime:
        return True  # nobody has tried
    properties: str = jvm.run("vmSystemProperties", mbean=_DIAGNOSTICS)
    return re.search(r"(?m)^java\.vm\.info=.*\bsharing\b", properties) is not None


def _loaded(jvm: Jolokia) -> list[str]:
    told: str = jvm.run("vmClassHierarchy", [], mbean=_DIAGNOSTICS)
    # Lambda forms look like names, and are made anew by every JVM.
    return sorted(
        {name.replace(".", "/") for name in _LOADED.findall(told) if "Lambda" not in name}
    )


def _class_path(member: Member) -> str:
    """Return the line that the members' JVMs are started with: one of other bytes is another path."""
    options = Path(member.conf, "java.options").read_text().splitlines()
    return next(line for line in options if line.startswith("-cp "))


def _prepare(stem: Path, classes: list[str], class_path: str) -> None:
    for left in stem.parent.iterdir():
        if left.name != ARCHIVE and time.time() - left.stat().st_mtime > _LEFT_S:
            left.unlink(missing_ok=True)
    stem.with_name(f"{stem.name}.list").write_text("\n".join(classes) + "\n")
    files = (f'"-XX:SharedClassListFile={stem}.list"', f'"-XX:SharedArchiveFile={stem}.part"')
    text = "\n".join((*_OPTIONS, *files, class_path))
    stem.with_name(f"{stem.name}.args").write_text(text + "\n")
