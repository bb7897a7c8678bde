"""Real Cassandra under real agents, through the real command: what no fake can show."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.cassandra.conftest import CATALOG
from tests.scenario.home import Home, kill, until

pytestmark = pytest.mark.slow

ENGINE = "org.apache.cassandra.service.CassandraDaemon"
# The package's client in a process of its own: its module names are nobody else's business here.
CLIENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import cql
told = json.load(sys.stdin)
try:
    with cql.connect(told["host"], ca=told["ca"], user=told["user"], password=told["password"]) as session:
        for statement in told["statements"]:
            rows = session.run(statement, consistency=told["consistency"])
    print(json.dumps(rows))
except cql.CqlError as error:
    print(json.dumps({"code": error.code}))
"""
ONE, QUORUM = 1, 4


@pytest.fixture(scope="module")
def store() -> Iterator[Path]:
    """Return a software store that holds Cassandra: homes link from it."""
    with Home.new() as first:
        first.run("software", "fetch", "cassandra", within_s=600)
        kept = Path(tempfile.mkdtemp(prefix="fh-store-", dir=first.folder.parent))
        shutil.move(first.folder / "data/store", kept / "store")
    yield kept / "store"
    shutil.rmtree(kept)


@pytest.fixture
def home(store) -> Iterator[Home]:
    with Home.new(store) as made:
        yield made


def ask(
    host: str, ca: Path, user: str, password: str, *statements: str, consistency: int = QUORUM
) -> Any:
    told = {"host": host, "ca": str(ca), "user": user, "password": password}
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(CATALOG)],
        input=json.dumps({**told, "statements": statements, "consistency": consistency}),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def bound(home: Home, service: str) -> dict[str, str]:
    folder = Path(home.json("bind", service, "shop")["folder"])
    return {each.name: str(each) for each in folder.iterdir()} | {
        each.name: each.read_text() for each in folder.iterdir() if each.suffix != ".crt"
    }


def as_shop(binding: dict[str, str], *statements: str, host: str = "", **more: int) -> Any:
    ca = Path(binding["ca.crt"])
    host = host or binding["host"]
    return ask(host, ca, binding["username"], binding["password"], *statements, **more)


def listening(pid: int) -> set[tuple[str, int]]:
    """Return the addresses and ports that a process listens on."""
    inodes = {
        link.name
        for each in Path(f"/proc/{pid}/fd").iterdir()
        if (link := Path(str(each.readlink()))).name.startswith("socket:")
    }
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, state, inode = (line.split()[n] for n in (1, 3, 9))
        if state == "0A" and f"socket:[{inode}]" in inodes:
            address, port = local.split(":")
            found.add((socket.inet_ntoa(bytes.fromhex(address)[::-1]), int(port, 16)))
    return found


def test_one_member_is_closed_to_everybody_without_a_password(home):
    home.run("install", "cassandra", "solo", "--preset", "dev", "--yes", within_s=400)
    home.run("check", "solo")
    binding, member = bound(home, "solo"), home.member("solo", 0)
    host, ca = binding["host"], Path(binding["ca.crt"])
    assert ask(host, ca, "cassandra", "cassandra", "SELECT key FROM system.local") == {"code": 256}
    refused = as_shop(binding, "SELECT role FROM system_auth.roles")
    assert refused == {"code": 0x2100}
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://{host}:8778/jolokia/version", timeout=5)
    ports = {port for _, port in listening(member["pid"])}
    assert {address for address, _ in listening(member["pid"])} == {host}
    assert ports == {9042, 7000, 8778}  # no JMX port
    with socket.create_connection((host, 9042), 5) as plain:
        plain.sendall(b"\x04\x00\x00\x00\x05\x00\x00\x00\x00")  # OPTIONS without TLS
        with contextlib.suppress(ConnectionResetError):
            assert plain.recv(64)[:1] != b"\x84"
    folder = home.folder / "data/services/solo"
    secrets = [
        path.read_text() for path in folder.glob("members/*/*/secrets/*") if path.suffix == ""
    ]
    lines = " ".join(home.processes().values()) + "".join(home.spoken)
    assert len(secrets) >= 2
    assert not any(secret in lines for secret in secrets)
    conf = list(folder.glob("members/*/*/conf/*"))
    assert all(path.stat().st_mode & 0o077 == 0 for path in conf)
    owned = home.run(
        "install", "cassandra", "other", "--set", "settings.authenticator=AllowAllAuthenticator",
        "--yes", code=3,
    )  # fmt: skip
    assert "authenticator" in owned.stderr


def test_one_member_becomes_three_evenly_and_one_again_with_every_row(home):
    few = ("--preset", "dev", "--set", "settings.concurrent_reads=24")
    home.run("install", "cassandra", "orders", *few, "--yes", within_s=400)
    binding = bound(home, "orders")
    rows = [f"INSERT INTO t (id, v) VALUES ({n}, 'v{n}')" for n in range(200)]
    as_shop(binding, "USE shop", "CREATE TABLE t (id int PRIMARY KEY, v text)", *rows)
    count = ("USE shop", "SELECT count(*) FROM t")

    home.run("scale", "orders", "--members", "3", "--yes", within_s=600)
    seen = home.until_state("orders", "ready", within_s=300)
    hosts = [each["address"] for each in seen["members"]]
    for host in hosts:  # every member knows the login, and finds every row
        assert as_shop(binding, *count, host=host) == [{"count": 200}]
    owned = [float(each) for each in shares(home, hosts)]
    assert sum(owned) == pytest.approx(1.0, abs=0.001)
    assert max(owned) - min(owned) < 0.01

    kill(home.member("orders", 2)["pid"])
    until(
        lambda: home.member("orders", 2),
        lambda each: each["state"] == "ready" and each["restarts"] == 1,
        240,
        "the killed one is back",
        home.evidence,
    )
    assert as_shop(binding, *count) == [{"count": 200}]
    home.run("scale", "orders", "--members", "1", "--yes", within_s=600)
    home.until_state("orders", "ready", within_s=300)
    assert len(home.engines(ENGINE)) == 1
    assert as_shop(binding, *count, consistency=ONE) == [{"count": 200}]
    home.run("check", "orders")


def shares(home: Home, hosts: list[str]) -> list[float]:
    """Return what part of the ring each member owns, as the first member's JVM says."""
    folder = home.folder / "data/services/orders/members/orders-node-0/0/secrets"
    manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    url = (
        f"http://{hosts[0]}:8778/jolokia/read/org.apache.cassandra.db:type=StorageService/Ownership"
    )
    manager.add_password(None, url, "freehold", (folder / "control").read_text())
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
    with opener.open(url, timeout=10) as answer:
        value = json.load(answer)["value"]
    return [value[f"/{host}"] for host in hosts]
