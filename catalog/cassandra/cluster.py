"""The cluster as its members see it, and the few changes that every action makes to it.

Rules:

1. After each change of the schema wait for one schema version on every live member: until then
   a QUORUM write may fail, because one replica does not know the table yet.
2. Nothing is remembered between calls: what has happened is read from the cluster.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import cql
from jolokia import Jolokia, JolokiaError

from freehold.agent.hook import Member

ADMIN = "freehold_admin"
CHECK = "freehold_check"
# Keyspaces that nobody chose a number of copies for: they follow the number of members.
OURS = ("system_auth", "system_distributed", "system_traces", CHECK)
MOST_COPIES = 3  # of OURS: a fourth copy adds work and no safety


class NotYet(Exception):
    """What an action needs is not there yet; the text says what it waits for."""


@dataclass(frozen=True)
class View:
    """What one member's JVM says about itself and the others."""

    mode: str
    joined: frozenset[str]  # addresses that own a part of the ring
    live: frozenset[str]
    joining: frozenset[str]
    leaving: frozenset[str]
    unreachable: frozenset[str]


def jolokia(member: Member, name: str = "") -> Jolokia:
    return Jolokia(member.addresses[name or member.name], member.secrets["control"])


def look(asked: Jolokia) -> View:
    """Ask one member. Raises OSError when its JVM does not answer, JolokiaError while it starts."""
    seen = asked.read(
        "OperationMode",
        "LiveNodes",
        "JoiningNodes",
        "LeavingNodes",
        "UnreachableNodes",
        "TokenToEndpointMap",
    )
    joining = frozenset(seen["JoiningNodes"])
    return View(
        mode=seen["OperationMode"],
        joined=frozenset(seen["TokenToEndpointMap"].values()) - joining,
        live=frozenset(seen["LiveNodes"]),
        joining=joining,
        leaving=frozenset(seen["LeavingNodes"]),
        unreachable=frozenset(seen["UnreachableNodes"]),
    )


def look_from_others(member: Member) -> View | None:
    """Return what the first other member that serves says; None when none answers."""
    for name in member.addresses:
        if name == member.name:
            continue
        try:
            view = look(jolokia(member, name))
        except (OSError, JolokiaError):
            continue
        if view.mode == "NORMAL":
            return view
    return None


def administer(member: Member, address: str = "") -> cql.Session:
    """Log in as the generated administrator, here or at another member."""
    return log_in(member, ADMIN, member.secrets["admin"], address)


def log_in(member: Member, user: str, password: str, address: str = "") -> cql.Session:
    return cql.connect(
        address or member.advertise,
        ca=member.secret_files["ca.crt"],
        user=user,
        password=password,
    )


def await_one_schema(member: Member, live: frozenset[str], within_s: float = 4.0) -> None:
    """Wait until every live member has the same schema. Raises NotYet; then the caller comes again.

    Each is asked itself: what one knows of the others' schema is a round of gossip (1 s) old.
    """
    deadline = time.monotonic() + within_s
    while True:
        versions = {
            Jolokia(address, member.secrets["control"]).read("SchemaVersion") for address in live
        }
        if len(versions) == 1:
            return
        if time.monotonic() > deadline:
            raise NotYet(f"{len(versions)} schema versions to become one")
        time.sleep(0.02)


@dataclass(frozen=True)
class Admin:
    """An administrator's session that waits for one schema after each change of it."""

    member: Member
    session: cql.Session
    live: frozenset[str]

    def change(self, statement: str) -> None:
        self.session.run(statement)
        await_one_schema(self.member, self.live)

    def spread(self, keyspace: str, number: int) -> None:
        """Give a keyspace so many copies in this site."""
        options = spread(self.member.facts["site"], number)
        self.change(f"ALTER KEYSPACE {cql.identifier(keyspace)} WITH replication = {options}")


def replication(session: cql.Session) -> dict[str, dict[str, str]]:
    """Return keyspace -> its replication options, local ones left out."""
    rows = session.run("SELECT keyspace_name, replication FROM system_schema.keyspaces")
    return {
        row["keyspace_name"]: row["replication"]
        for row in rows
        if not row["replication"]["class"].endswith("LocalStrategy")
    }


def copies(options: dict[str, str]) -> int:
    """Return how many members hold each row under these replication options."""
    return sum(
        int(value.split("/")[0])
        for key, value in options.items()
        if key not in ("class", "replication_factor_per_dc") and value.split("/")[0].isdigit()
    )


def spread(site: str, number: int) -> str:
    """Return CQL replication options: so many copies in this site."""
    return f"{{'class': 'NetworkTopologyStrategy', {cql.literal(site)}: {number}}}"


def set_copies(admin: Admin, wanted: int) -> None:
    """Give the keyspaces of OURS so many copies, at most 3; those that have them stay as they are."""
    wanted = min(MOST_COPIES, wanted)
    for keyspace, options in replication(admin.session).items():
        if keyspace in OURS and copies(options) != wanted:
            admin.spread(keyspace, wanted)


def forget_logins(member: Member, live: frozenset[str]) -> None:
    """Make every live member look up logins and rights anew: a change of them counts at once."""
    for address in live:
        asked = Jolokia(address, member.secrets["control"])
        for cache in ("CredentialsCache", "RolesCache", "PermissionsCache"):
            asked.run("invalidate", mbean=f"org.apache.cassandra.auth:type={cache}")


def formed_at(session: cql.Session) -> int | None:
    """Return when forming ended (microseconds), None before: its last act is to make the check's table."""
    rows = session.run(
        "SELECT writetime(id) AS at FROM system_schema.tables "
        f"WHERE keyspace_name = '{CHECK}' AND table_name = 'rows'"
    )
    return rows[0]["at"] if rows else None
