"""What /proc tells about processes: who they are, whose they are, what they listen on.

Every reader tolerates that a process ends while it is looked at.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping

import msgspec

MEMBER_TAG = "FREEHOLD_MEMBER"  # <member>/<uid of its incarnation>
PROCESS_TAG = "FREEHOLD_PROCESS"  # main, companion:<name>, job:<key>, worker:<kind>, probe
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
_LISTEN = "0A"


class Stat(msgspec.Struct, frozen=True):
    name: str
    state: str
    parent: int
    ticks: int  # start, in clock ticks since boot
    cpu_s: float
    resident_bytes: int


def boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:  # noqa: PTH123
        return file.read().strip()


def oom_kills() -> int:
    """Count the processes killed for want of memory: of our cgroup, else of the machine."""
    own = _read("/proc/self/cgroup").decode().partition("0::")[2].strip()
    for path, name in (
        (f"/sys/fs/cgroup{own}/memory.events", "oom_kill"),
        ("/proc/vmstat", "oom_kill"),
    ):
        for line in _read(path).decode().splitlines():
            field, _, count = line.partition(" ")
            if field == name:
                return int(count)
    return 0


def stat(pid: int) -> Stat | None:
    text = _read(f"/proc/{pid}/stat")
    if not text:
        return None
    name_end = text.rindex(b")")
    fields = text[name_end + 2 :].split()
    return Stat(
        name=text[text.index(b"(") + 1 : name_end].decode(errors="replace"),
        state=fields[0].decode(),
        parent=int(fields[1]),
        ticks=int(fields[19]),
        cpu_s=(int(fields[11]) + int(fields[12])) / _TICK,
        resident_bytes=int(fields[21]) * _PAGE,
    )


def is_same(pid: int, ticks: int, boot: str) -> bool:
    """Whether ``pid`` still is the process that started at ``ticks`` of that boot, and lives."""
    if pid <= 0 or boot != boot_id():
        return False
    found = stat(pid)
    return found is not None and found.ticks == ticks and found.state not in "ZX"


def pids() -> Iterator[int]:
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            yield int(name)


def tags(pid: int) -> tuple[str, str]:
    """Return the process's member and process tag; "" where it has none or may not be read."""
    member = process = ""
    for entry in _read(f"/proc/{pid}/environ").split(b"\0"):
        if entry.startswith(b"FREEHOLD_"):
            name, _, value = entry.decode(errors="replace").partition("=")
            if name == MEMBER_TAG:
                member = value
            elif name == PROCESS_TAG:
                process = value
    return member, process


def tagged(member: str) -> Mapping[int, str]:
    """Return the living processes of a member: pid -> process tag."""
    found = {}
    for pid in pids():
        owner, process = tags(pid)
        if owner == member and _lives(pid):
            found[pid] = process
    return found


def family_of(main: int, member: str) -> frozenset[int]:
    """Return ``main``, its descendants, and what of it became the agent's: without a full walk."""
    orphans = [p for p in _children(os.getpid()) if tags(p) == (member, "main")]
    known: set[int] = set()
    ahead = [main, *orphans]
    while ahead:
        pid = ahead.pop()
        if pid not in known:
            known.add(pid)
            ahead += _children(pid)
    return frozenset(known)


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    except OSError:
        return []
    found: list[int] = []
    for task in tasks:
        found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    return found


def children_of(parents: frozenset[int]) -> frozenset[int]:
    """Return all living descendants of ``parents``, themselves not included."""
    parent_of = {pid: found.parent for pid in pids() if (found := stat(pid)) is not None}
    known, grew = set(parents), True
    while grew:
        more = {pid for pid, parent in parent_of.items() if parent in known} - known
        known |= more
        grew = bool(more)
    return frozenset(pid for pid in known - parents if _lives(pid))


def listener_of(address: str, port: int) -> str:
    """Return who listens on address:port: "python3 (pid 12)", "" when that cannot be read."""
    inode = _listening_inode(address, port)
    if inode is None:
        return ""
    for pid in pids():
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"socket:[{inode}]":  # noqa: PTH115
                    return describe(pid)
        except OSError:
            continue
    return ""


def holders_of(path: str) -> list[int]:
    """Return who has the file ``path`` open, the agent itself left out."""
    try:
        wanted = os.stat(path)  # noqa: PTH116
    except OSError:
        return []
    return [pid for pid in pids() if pid != os.getpid() and _has_open(pid, wanted)]


def uid_of(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116
    except OSError:
        return None


def _has_open(pid: int, wanted: os.stat_result) -> bool:
    try:
        for descriptor in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            if os.path.samestat(wanted, os.stat(f"/proc/{pid}/fd/{descriptor}")):  # noqa: PTH116
                return True
    except OSError:
        return False
    return False


def describe(pid: int) -> str:
    found = stat(pid)
    return f"{found.name if found else 'a process'} (pid {pid})"


def _listening_inode(address: str, port: int) -> int | None:
    wanted = {
        f"{_hex_of(address)}:{port:04X}",
        f"{'0' * 8}:{port:04X}",
        f"{'0' * 32}:{port:04X}",
    }
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read(table).decode().splitlines()[1:]:
            fields = line.split()
            if fields[1] in wanted and fields[3] == _LISTEN:
                return int(fields[9])
    return None


def _hex_of(address: str) -> str:
    try:
        return socket.inet_aton(address)[::-1].hex().upper()
    except OSError:
        return address


def _lives(pid: int) -> bool:
    found = stat(pid)
    return found is not None and found.state not in "ZX"


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return b""
