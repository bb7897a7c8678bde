"""A Cassandra of a few lines: members that answer CQL over TLS and Jolokia, over one shared state.

It knows just what the package's hooks ask, by the real protocols on the real ports, so the hooks
run unchanged. ``break_at`` loses the answer of one effect after it was carried out: the hook's
caller sees a dead connection, as after a crash.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import re
import socketserver
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from freehold.adapters.certificates import make_authority, make_certificate

CONTROL = "control-password"
LOADED = """java.lang.Object/null
|--org.apache.cassandra.db.Keyspace$1/0x00007fa2c81d09b0
|--org.apache.cassandra.utils.btree.BTree$$Lambda$1052/0x0000000100634420/0x00007fa2c81d09b0
|--java.lang.invoke.LambdaForm$MH/0x00000001006a9800/null
|--java.util.function.BiPredicate/null (intf)
|--java.lang.Throwable/null
|  |--java.lang.Error/null
|  |  |--java.lang.invoke.LambdaForm$Holder/null
"""
SITE = "here"


@dataclass
class Member:
    address: str
    mode: str = "NORMAL"
    answers: bool = True  # its JVM runs
    decommissioned: int = 0  # looks left until a decommission is over
    started_at: float = 0.0  # unix seconds
    shares: bool = False  # its JVM reads a class archive


@dataclass
class FakeCluster:
    members: dict[str, Member]
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    keyspaces: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)
    rows: dict[str, str] = field(default_factory=dict)
    joined: set[str] = field(default_factory=set)
    altered_at: int = 0  # of system_auth's replication, microseconds
    formed_at: int = 0
    repaired_at: int = 0
    effects: list[str] = field(default_factory=list)
    break_at: int = -1  # number of the effect whose answer is lost
    now: int = 1_000_000

    @property
    def live(self) -> set[str]:
        return {each.address for each in self.members.values() if each.answers}

    def effect(self, what: str) -> None:
        self.now += 1_000_000
        self.effects.append(what)
        if len(self.effects) - 1 == self.break_at:
            raise ConnectionAbortedError

    def state(self) -> dict[str, Any]:
        """Return what a crash must not change: everything but times and random passwords."""
        roles = {
            name: {key: value for key, value in role.items() if name != "cassandra" or key != "p"}
            for name, role in self.roles.items()
        }
        return {"roles": roles, "keyspaces": self.keyspaces, "tables": self.tables}


def fresh(addresses: list[str]) -> FakeCluster:
    """A cluster right after its first start: the superuser that everybody knows."""
    copies = {"class": "SimpleStrategy", "replication_factor": str(min(3, len(addresses)))}
    return FakeCluster(
        members={address: Member(address) for address in addresses},
        roles={"cassandra": {"p": "cassandra", "login": True, "super": True}},
        keyspaces={
            name: dict(copies) for name in ("system_auth", "system_distributed", "system_traces")
        },
        joined=set(addresses),
    )


# -- CQL ------------------------------------------------------------------------------------


class BadRequest(Exception):
    code = 0x2200


class BadLogin(BadRequest):
    code = 0x0100


def carry_out(cluster: FakeCluster, statement: str) -> list[dict[str, Any]]:
    for pattern, function in _STATEMENTS:
        if match := re.fullmatch(pattern, statement.strip()):
            return function(cluster, *match.groups()) or []
    raise BadRequest(f"not understood: {statement}")


def _create_role(cluster: FakeCluster, careful: str, name: str, rest: str) -> None:
    name = name.strip('"')
    if name not in cluster.roles:
        cluster.roles[name] = {"login": False, "super": False, "p": ""}
        _options(cluster.roles[name], rest)
    elif not careful:
        raise BadRequest(f"{name} exists")
    cluster.effect(f"create role {name}")


def _alter_role(cluster: FakeCluster, name: str, rest: str) -> None:
    _options(cluster.roles[name.strip('"')], rest)
    cluster.effect(f"alter role {name}")


def _options(role: dict[str, Any], text: str) -> None:
    for key, value in re.findall(r"(\w+) = ('(?:[^']|'')*'|\w+)", text):
        match key:
            case "PASSWORD":
                role["p"] = value[1:-1].replace("''", "'")
            case "LOGIN":
                role["login"] = value == "true"
            case "SUPERUSER":
                role["super"] = value == "true"


def _drop_role(cluster: FakeCluster, name: str) -> None:
    cluster.roles.pop(name.strip('"'), None)
    cluster.effect(f"drop role {name}")


def _keyspace(cluster: FakeCluster, verb: str, name: str, options: str) -> None:
    name = name.strip('"')
    if verb == "ALTER" or name not in cluster.keyspaces:
        pairs = re.findall(r"'(\w+)': (?:'(\w+)'|(\d+))", options)
        cluster.keyspaces[name] = {key: text or number for key, text, number in pairs}
        if name == "system_auth":
            cluster.altered_at = cluster.now
    cluster.effect(f"{verb.lower()} keyspace {name}")


def _table(cluster: FakeCluster, name: str) -> None:
    if name not in cluster.tables:
        cluster.tables.add(name)
        cluster.formed_at = cluster.now
    cluster.effect(f"create table {name}")


def _repairs(cluster: FakeCluster) -> list[dict[str, Any]]:
    if not cluster.repaired_at:
        return []
    at = cluster.repaired_at // 1000
    row = {"keyspace_name": "system_auth", "started_at": at, "finished_at": at}
    return [{**row, "exception_message": None}]


_STATEMENTS: list[tuple[str, Any]] = [
    (r"CREATE ROLE (IF NOT EXISTS )?(\S+) WITH (.*)", _create_role),
    (r"ALTER ROLE (\S+) WITH (.*)", _alter_role),
    (r"DROP ROLE IF EXISTS (\S+)", _drop_role),
    (r"(ALTER) KEYSPACE (\S+) WITH replication = (.*)", _keyspace),
    (r"(CREATE) KEYSPACE IF NOT EXISTS (\S+) WITH replication = (.*)", _keyspace),
    (r"CREATE TABLE IF NOT EXISTS (\S+) .*", _table),
    (r"GRANT ALL PERMISSIONS ON KEYSPACE (\w+) TO .*", lambda c, name: c.effect(f"grant {name}")),
    (
        r"INSERT INTO \S+ \(id, value\) VALUES \('(.*)', '(\w+)'\) USING TTL \d+",
        lambda c, key, value: c.rows.update({key: value}),
    ),
    (
        r"SELECT value FROM \S+ WHERE id = '(.*)'",
        lambda c, key: [{"value": c.rows[key]}] if key in c.rows else [],
    ),
    (
        r"SELECT role FROM system_auth.roles(?: WHERE role = '(.*)')?",
        lambda c, only: [{"role": name} for name in c.roles if only in (None, name)],
    ),
    (
        r"SELECT can_login, is_superuser FROM system_auth.roles WHERE role = '(\w+)'",
        lambda c, name: [
            {"can_login": role["login"], "is_superuser": role["super"]}
            for known, role in c.roles.items()
            if known == name
        ],
    ),
    (
        r"SELECT keyspace_name, replication FROM system_schema.keyspaces",
        lambda c: [
            {"keyspace_name": name, "replication": options} for name, options in c.keyspaces.items()
        ],
    ),
    (r"SELECT writetime\(replication\).*", lambda c: [{"at": c.altered_at}]),
    (r"SELECT writetime\(id\).*", lambda c: [{"at": c.formed_at}] if c.formed_at else []),
    (r"SELECT keyspace_name, started_at, finished_at, .*", _repairs),
]


class _Cql(socketserver.BaseRequestHandler):
    server: _CqlServer

    def handle(self) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            self.request.do_handshake()
            while True:
                _, _, stream, opcode, length = struct.unpack(">BBhBI", self._read(9))
                kind, body = self._answer(opcode, self._read(length))
                self.request.sendall(struct.pack(">BBhBI", 0x84, 0, stream, kind, len(body)) + body)

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            if not (part := self.request.recv(length - len(data))):
                raise ConnectionResetError
            data += part
        return bytes(data)

    def _answer(self, opcode: int, body: bytes) -> tuple[int, bytes]:
        cluster = self.server.cluster
        try:
            match opcode:
                case 0x01:
                    return 0x03, _string("PasswordAuthenticator")
                case 0x0F:
                    _, user, password = body[4:].decode().split("\0")
                    role = cluster.roles.get(user)
                    if role is None or role["p"] != password or not role["login"]:
                        raise BadLogin("Provided username and/or password are incorrect")
                    return 0x10, struct.pack(">i", -1)
                case _:
                    (length,) = struct.unpack(">I", body[:4])
                    return 0x08, encoded(carry_out(cluster, body[4 : 4 + length].decode()))
        except BadRequest as error:
            return 0x00, struct.pack(">i", error.code) + _string(str(error))


def _string(text: str) -> bytes:
    return struct.pack(">H", len(text.encode())) + text.encode()


def _value(raw: bytes | None) -> bytes:
    return struct.pack(">i", -1) if raw is None else struct.pack(">i", len(raw)) + raw


def encoded(rows: list[dict[str, Any]]) -> bytes:
    """Encode rows as the protocol's Rows, column types by the first row's values."""
    if not rows:
        return struct.pack(">i", 1)
    head = struct.pack(">iii", 2, 1, len(rows[0])) + _string("k") + _string("t")
    kinds = {bool: ">H4", int: ">H2", dict: ">H33"}
    for name, value in rows[0].items():
        kind = int(kinds.get(type(value), ">H13")[2:])
        head += _string(name) + struct.pack(">H", kind)
        if kind == 33:
            head += struct.pack(">HH", 13, 13)
    body = b"".join(_value(_raw(value)) for row in rows for value in row.values())
    return head + struct.pack(">i", len(rows)) + body


def _raw(value: Any) -> bytes | None:
    match value:
        case None:
            return None
        case bool():
            return bytes([value])
        case int():
            return struct.pack(">q", value)
        case dict():
            parts = b"".join(_value(each.encode()) for pair in value.items() for each in pair)
            return struct.pack(">i", len(value)) + parts
        case _:
            return str(value).encode()


class _CqlServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: str, cluster: FakeCluster, context: ssl.SSLContext) -> None:
        self.cluster = cluster
        super().__init__((address, 9042), _Cql)
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A lost answer is what a test asked for."""


# -- Jolokia --------------------------------------------------------------------------------


class _Jolokia(BaseHTTPRequestHandler):
    server: _JolokiaServer

    def do_POST(self) -> None:
        cluster, address = self.server.cluster, self.server.server_address[0]
        token = base64.b64encode(f"freehold:{CONTROL}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {token}":
            self.send_error(401)
            return
        member = cluster.members[str(address)]
        if not member.answers:
            self.close_connection = True
            return
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"status": 200, "value": self._value(cluster, member, asked)}
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _value(self, cluster: FakeCluster, member: Member, asked: dict[str, Any]) -> Any:
        if asked["type"] == "exec":
            return execute(cluster, member, asked["operation"].partition("(")[0])
        if member.mode == "LEAVING":
            member.decommissioned -= 1
            if member.decommissioned <= 0:
                member.mode = "DECOMMISSIONED"
                cluster.joined.discard(member.address)
        joining = {each.address for each in cluster.members.values() if each.mode == "JOINING"}
        known = {
            "OperationMode": member.mode,
            "LiveNodes": sorted(cluster.live),
            "JoiningNodes": sorted(joining),
            "LeavingNodes": [],
            "UnreachableNodes": [],
            "TokenToEndpointMap": dict(enumerate(sorted(cluster.joined))),
            "SchemaVersion": "one",
            "NonSystemKeyspaces": ["shop"],
            "Compactions": [],
            "StartTime": int(member.started_at * 1000),
        }
        wanted = asked["attribute"]
        return {name: known[name] for name in wanted} if isinstance(wanted, list) else known[wanted]

    def log_message(self, *_: object) -> None:
        pass


def execute(cluster: FakeCluster, member: Member, operation: str) -> Any:
    match operation:
        case "drain":
            member.mode = "DRAINED"
        case "decommission":
            member.mode, member.decommissioned = "LEAVING", 2
            cluster.effect("decommission")
        case "repairAsync":
            cluster.repaired_at = cluster.now
            cluster.effect("repair")
            return 1
        case "getParentRepairStatus":
            return ["COMPLETED"]
        case "vmClassHierarchy":
            return LOADED
        case "vmSystemProperties":
            mode = "mixed mode, sharing" if member.shares else "mixed mode"
            return f"#1\njava.version=17.0.9\njava.vm.info={mode}\njava.vm.name=sharing is caring\n"
        case "forceKeyspaceCleanup":
            cluster.effect("clean up")
            return 0
    return None


class _JolokiaServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: str, cluster: FakeCluster) -> None:
        self.cluster = cluster
        super().__init__((address, 8778), _Jolokia)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A lost answer is what a test asked for."""


@contextlib.contextmanager
def served(cluster: FakeCluster, folder: Path) -> Iterator[Path]:
    """Serve every member; return the path of the CA that signed their certificates."""
    now = dt.datetime.now(dt.UTC)
    authority = make_authority("fake", "lineage", now)
    (folder / "ca.crt").write_bytes(authority.certificate)
    servers: list[socketserver.BaseServer] = []
    for address in cluster.members:
        pair = make_certificate(authority, address, (address,), now)
        (folder / f"{address}.pem").write_bytes(pair.key + pair.certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / f"{address}.pem")
        servers += [_CqlServer(address, cluster, context), _JolokiaServer(address, cluster)]
    threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in servers]
    for thread in threads:
        thread.start()
    try:
        yield folder / "ca.crt"
    finally:
        for each in servers:
            each.shutdown()
            each.server_close()
        for thread in threads:
            thread.join()
