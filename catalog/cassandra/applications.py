"""A login for one application, with a keyspace of its own."""

from __future__ import annotations

import re

import cluster
import cql

from freehold.agent.hook import Arguments, Done, Failed, Member, Progress

Answer = Done | Progress | Failed

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")  # a keyspace's name needs no quotes and has 48 at most
_RESERVED = frozenset({cluster.ADMIN, cluster.CHECK, "cassandra"})


def user(member: Member, arguments: Arguments) -> Answer:
    """Create, change or drop one application's role. Its keyspace outlives it: data is never dropped.

    Arguments: ``user``, the name of role and keyspace; ``secret``, the name of the secret that holds
    the password; ``wanted``, "present" or "absent".
    """
    name = str(arguments["user"])
    if name in _RESERVED or name.startswith("system") or not _NAME.fullmatch(name):
        return Failed(f"{name!r} is not a name an application may have here")
    with cluster.administer(member) as session:
        view = cluster.look(cluster.jolokia(member))
        if arguments["wanted"] == "absent":
            session.run(f"DROP ROLE IF EXISTS {cql.identifier(name)}")
            cluster.forget_logins(member, view.live)
            return Done({"user": name})
        _make_keyspace(cluster.Admin(member, session, view.live), name)
        _make_role(session, member, name, member.secrets[str(arguments["secret"])])
        session.run(f"GRANT ALL PERMISSIONS ON KEYSPACE {name} TO {cql.identifier(name)}")
        cluster.forget_logins(member, view.live)
    return Done({"user": name, "keyspace": name})


def _make_role(session: cql.Session, member: Member, name: str, password: str) -> None:
    """Make the role or change its password; one that is right stays, for a change is refused for 5 s."""
    options = f"WITH PASSWORD = {cql.literal(password)} AND LOGIN = true"
    known = session.run(
        f"SELECT role FROM system_auth.roles WHERE role = {cql.literal(name)}",
        consistency=cql.QUORUM,
    )
    if not known:
        session.run(f"CREATE ROLE {cql.identifier(name)} {options}")
        return
    try:
        cluster.log_in(member, name, password).close()
    except cql.CqlError as error:
        if error.code != cql.BAD_CREDENTIALS:
            raise
        session.run(f"ALTER ROLE {cql.identifier(name)} {options}")


def _make_keyspace(admin: cluster.Admin, keyspace: str) -> None:
    facts = admin.member.facts
    options = cluster.spread(facts["site"], int(facts["knobs"]["redundancy"]))
    admin.change(f"CREATE KEYSPACE IF NOT EXISTS {keyspace} WITH replication = {options}")
