"""What Freehold can do inside a Cassandra member. Each function may be called again at any point.

No function remembers anything: it looks at the cluster, does the next thing, and answers within
10 s. Long operations of Cassandra run in its JVM; the hook starts them and comes back to look.
"""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Callable

import applications
import class_archive
import cluster
import cql
import membership
from cluster import ADMIN, CHECK, NotYet
from jolokia import JolokiaError

from freehold.agent.hook import Arguments, Done, Failed, Member, Progress, Run

Answer = Done | Progress | Failed | Run
Hook = Callable[[Member, Arguments], Answer]

_DEFAULT = "cassandra"  # the superuser that Cassandra makes at its first start


def _patient(hook: Hook) -> Hook:
    """Turn "not answering" and "not yet" into Progress: the agent's deadline ends the waiting."""

    @functools.wraps(hook)
    def call(member: Member, arguments: Arguments) -> Answer:
        try:
            return hook(member, arguments)
        except NotYet as wait:
            return Progress(f"waits for {wait}", again_s=0.3)
        except (OSError, JolokiaError, cql.CqlError) as error:
            return Progress(f"waits for an answer: {error}", again_s=1.0)

    return call


@_patient
def formed(member: Member, _arguments: Arguments) -> Answer:
    """Replace the superuser that everybody knows by the generated administrator.

    Order, each step read back by the next call: every founder is live; logins are held by all;
    the administrator exists; it, seen from another member, takes the default's rights away; no
    third role exists. Whoever was quicker with the known password is found by the last one.
    """
    view = cluster.look(cluster.jolokia(member))
    founders = {member.addresses[name] for name in member.facts["founders"]}
    if missing := founders - view.live:
        return Progress(f"waits for {', '.join(sorted(missing))}", again_s=0.2)
    if intruder := _make_administrator(member, view.live):
        return Failed(intruder)
    # Another member: this one may remember for 2 s that there was no such role.
    elsewhere = max(view.live - {member.advertise}, default=member.advertise)
    with _administer(member, elsewhere) as session:
        if cluster.formed_at(session) is not None and not _is_open(session):
            return Done()
        admin = cluster.Admin(member, session, view.live)
        _spread_logins(admin)
        session.run(
            f"ALTER ROLE {_DEFAULT} WITH SUPERUSER = false AND LOGIN = false "
            f"AND PASSWORD = {cql.literal(secrets.token_urlsafe(32))}"
        )
        cluster.forget_logins(member, view.live)
        if intruder := _third_role(session):
            return Failed(intruder)
        _make_check_place(admin)  # last: it is the mark that all of this was done
    return Done()


def _administer(member: Member, address: str) -> cql.Session:
    try:
        return cluster.administer(member, address)
    except cql.CqlError as error:
        if error.code == cql.BAD_CREDENTIALS:
            raise NotYet("the first login to be made") from error
        raise


def _make_administrator(member: Member, live: frozenset[str]) -> str:
    """Make it while the default superuser can still log in; return who was quicker, if anybody."""
    try:
        session = cluster.log_in(member, _DEFAULT, _DEFAULT)
    except cql.CqlError as error:
        if error.code == cql.BAD_CREDENTIALS:
            return ""  # closed already, or not made yet: the administrator's login will tell
        raise
    with session:
        if intruder := _third_role(session):
            return intruder
        cluster.await_one_schema(member, live)
        _spread_logins(cluster.Admin(member, session, live))
        session.run(
            f"CREATE ROLE IF NOT EXISTS {ADMIN} WITH PASSWORD = "
            f"{cql.literal(member.secrets['admin'])} AND SUPERUSER = true AND LOGIN = true"
        )
    return ""


def _spread_logins(admin: cluster.Admin) -> None:
    options = cluster.replication(admin.session)["system_auth"]
    wanted = min(cluster.MOST_COPIES, len(admin.live))
    if options.get(admin.member.facts["site"]) != str(wanted):
        admin.spread("system_auth", wanted)


def _third_role(session: cql.Session) -> str:
    rows = session.run("SELECT role FROM system_auth.roles", consistency=cql.QUORUM)
    others = sorted({row["role"] for row in rows} - {_DEFAULT, ADMIN})
    if not others:
        return ""
    return (
        f"somebody made the role {others[0]} before the default password was closed; "
        "purge this still empty service and install it again"
    )


def _is_open(session: cql.Session) -> bool:
    rows = session.run(
        f"SELECT can_login, is_superuser FROM system_auth.roles WHERE role = '{_DEFAULT}'",
        consistency=cql.QUORUM,
    )
    return any(row["can_login"] or row["is_superuser"] for row in rows)


def _make_check_place(admin: cluster.Admin) -> None:
    number = min(cluster.MOST_COPIES, len(admin.live))
    options = cluster.spread(admin.member.facts["site"], number)
    admin.session.run(f"CREATE KEYSPACE IF NOT EXISTS {CHECK} WITH replication = {options}")
    admin.change(
        f"CREATE TABLE IF NOT EXISTS {CHECK}.rows (id text PRIMARY KEY, value text) "
        "WITH default_time_to_live = 3600"
    )


@_patient
def check(member: Member, arguments: Arguments) -> Answer:
    """Write one row at QUORUM and read it back; it expires by itself."""
    key, value = cql.literal(str(arguments.get("token", member.name))), secrets.token_hex(8)
    lives_s = max(1, int(arguments.get("expires_s", 3600)))
    began = time.monotonic()
    with cluster.administer(member) as session:
        session.run(
            f"INSERT INTO {CHECK}.rows (id, value) VALUES ({key}, '{value}') USING TTL {lives_s}",
            consistency=cql.QUORUM,
        )
        rows = session.run(
            f"SELECT value FROM {CHECK}.rows WHERE id = {key}", consistency=cql.QUORUM
        )
    if [row["value"] for row in rows] != [value]:
        return Failed("the row that was written at QUORUM is not what a QUORUM read returns")
    took_ms = (time.monotonic() - began) * 1000
    return Done({"detail": f"wrote one row at QUORUM and read it back in {took_ms:.0f} ms"})


drain = _patient(membership.drain)
leave = _patient(membership.leave)
members_changed = _patient(membership.members_changed)
clean_up = _patient(membership.clean_up)
user = _patient(applications.user)
make_class_archive = _patient(class_archive.make)


def metrics(member: Member, _arguments: Arguments) -> dict[str, float]:
    """Count the members of the ring, and those of them that this one sees down.

    Cassandra's own UnreachableNodes also names, for three days, every member that has left.
    """
    view = cluster.look(cluster.jolokia(member))
    return {
        "ring_members": float(len(view.joined)),
        "unreachable_members": float(len(view.joined - view.live)),
    }
