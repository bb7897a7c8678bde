"""Members that come and go: what the others have to do, and how one hands its data over."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import cluster
import cql
from cluster import NotYet
from jolokia import Jolokia, JolokiaError

from freehold.agent.hook import Arguments, Done, Failed, Member, Progress

Answer = Done | Progress | Failed

_A_CALL_S = 6.0  # of the 10 s a call may last
_GOSSIP_S = 4.0  # after so long the others know of a member that had joined
_COMPACT = "org.apache.cassandra.db:type=CompactionManager"
_CLEANUP = "forceKeyspaceCleanup(java.lang.String,[Ljava.lang.String;)"
_REPAIR = "repairAsync(java.lang.String,java.util.Map)"


def drain(member: Member, _arguments: Arguments) -> Answer:
    """Flush and stop listening, so that the next start has nothing to replay."""
    if not member.main_pid:
        return Done()
    asked = cluster.jolokia(member)
    mode = asked.read("OperationMode")
    if mode == "NORMAL":
        if asked.begin("drain"):
            return Done()
        return Progress("is flushing", again_s=0.3)
    if mode == "DRAINING":
        return Progress("is flushing", again_s=0.3)
    return Done()  # drained, gone, or has not begun to serve: nothing to flush


def leave(member: Member, _arguments: Arguments) -> Answer:
    """Hand all rows to the others and leave the ring, or find that it has left or never joined.

    Refuses to go below the copies that somebody chose for a keyspace.
    """
    asked = cluster.jolokia(member)
    try:
        view = cluster.look(asked) if member.main_pid else None
    except (OSError, JolokiaError):
        view = None
    if view is None or view.mode in ("STARTING", "JOINING", "JOINING_FAILED"):
        return _withdraw(member)
    if view.mode == "DECOMMISSIONED":
        return Done()
    if view.mode == "LEAVING":
        return Progress("hands its rows to the others", again_s=1.0)
    if view.mode not in ("NORMAL", "DECOMMISSION_FAILED"):
        return Progress(f"waits: it is {view.mode.lower()}", again_s=1.0)
    return _hand_over(member, asked, view)


def _withdraw(member: Member) -> Answer:
    """It does not serve: never joined, or restarting. See that one which never joined never will.

    Done must stay true even when nobody acts on it for hours, and a member that is still joining
    would own rows by then. So a file takes the place of its data folder (no Cassandra starts over
    that), its process is killed, and only when the others still do not know it is it gone. Its
    volumes hold nothing but copies, and nobody may use them again.
    """
    others = cluster.look_from_others(member)
    if others is None:
        raise NotYet("another member that answers")
    data = Path(member.volumes["data"]) / "data"
    aside = data.with_name("data.withdrawn")
    if member.advertise in others.joined:
        if data.is_file():  # it was quicker: it owns rows, and has to hand them over
            data.unlink()
            aside.rename(data)
        raise NotYet("this member to run: it still owns rows")
    if not data.is_file():
        if data.exists():
            data.rename(aside)
        data.touch()
    if member.main_pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member.main_pid, signal.SIGKILL)
    if time.time() - data.stat().st_mtime < _GOSSIP_S:
        return Progress("makes sure that it never joins", again_s=0.5)
    return Done()


def _hand_over(member: Member, asked: Jolokia, view: cluster.View) -> Answer:
    if away := view.joined - view.live:
        raise NotYet(f"{', '.join(sorted(away))} to be back: it may have to take rows")
    if busy := (view.joining | view.leaving) - {member.advertise}:
        raise NotYet(f"{', '.join(sorted(busy))} to finish joining or leaving")
    remaining = len(view.joined) - 1
    if remaining < 1:
        return Failed("it is the last member; its rows have nowhere to go")
    with cluster.administer(member) as session:
        held = cluster.replication(session)
        for keyspace, options in held.items():
            if keyspace not in cluster.OURS and cluster.copies(options) > remaining:
                return Failed(
                    f"keyspace {keyspace} keeps {cluster.copies(options)} copies of each row "
                    f"and {remaining} would remain: lower its replication first"
                )
        cluster.set_copies(cluster.Admin(member, session, view.live), remaining)
    asked.begin("decommission", False)  # the JVM goes on with it when we stop listening
    return Progress("hands its rows to the others", again_s=0.5)


def members_changed(member: Member, _arguments: Arguments) -> Answer:
    """Give logins and Cassandra's own tables as many copies as there are members, at most 3.

    One copy at a time, each filled by a repair before the next: with two empty copies of three a
    QUORUM of logins could find nobody.
    """
    asked = cluster.jolokia(member)
    view = cluster.look(asked)
    if away := view.joined - view.live:
        raise NotYet(f"{', '.join(sorted(away))} to be back")
    if view.joining or view.leaving:
        raise NotYet("a member to finish joining or leaving")
    members = len(view.joined)
    with cluster.administer(member) as session:
        if members > 1 and _owes_repair(session):
            return _repair_logins(asked)
        held = cluster.copies(cluster.replication(session)["system_auth"])
        cluster.set_copies(cluster.Admin(member, session, view.live), min(members, held + 1))
        if held < min(members, cluster.MOST_COPIES):
            return Progress(f"logins have {held + 1} copies", again_s=0.1)
    return Done()


def _owes_repair(session: cql.Session) -> bool:
    """Were the copies of logins changed since the service was formed, and not repaired since?"""
    changed = session.run(
        "SELECT writetime(replication) AS at FROM system_schema.keyspaces "
        "WHERE keyspace_name = 'system_auth'"
    )[0]["at"]
    formed = cluster.formed_at(session)
    if formed is None or changed <= formed:
        return False
    repairs = session.run(
        "SELECT keyspace_name, started_at, finished_at, exception_message "
        "FROM system_distributed.parent_repair_history"
    )
    return not any(
        row["keyspace_name"] == "system_auth"
        and row["finished_at"] is not None
        and not row["exception_message"]
        and row["started_at"] * 1000 > changed  # milliseconds; a write time is in microseconds
        for row in repairs
    )


def _repair_logins(asked: Jolokia) -> Answer:
    number = asked.run(_REPAIR, "system_auth", {"parallelism": "parallel", "incremental": "false"})
    deadline = time.monotonic() + _A_CALL_S
    while number and time.monotonic() < deadline:
        status = asked.run("getParentRepairStatus", number)
        if status and status[0] != "IN_PROGRESS":
            break
        time.sleep(0.1)
    return Progress("copies logins to the new members", again_s=0.2)


def clean_up(member: Member, _arguments: Arguments) -> Answer:
    """Drop the rows that a newer member has taken over. Nothing left to drop ends at once."""
    asked = cluster.jolokia(member)
    if any(each.get("taskType") == "Cleanup" for each in asked.read("Compactions", mbean=_COMPACT)):
        return Progress("drops rows that moved away", again_s=1.0)
    deadline = time.monotonic() + _A_CALL_S
    for keyspace in asked.read("NonSystemKeyspaces"):
        left_s = deadline - time.monotonic()
        try:
            replace(asked, timeout_s=max(0.1, left_s)).run(_CLEANUP, keyspace, [])
        except TimeoutError:  # the JVM goes on with it
            return Progress(f"drops rows of {keyspace} that moved away", again_s=1.0)
    return Done()
