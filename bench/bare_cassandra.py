"""The same Cassandra processes with the same flags, started by a bare script: no Freehold at run time.

What Freehold's own install is measured against (`bench/` prints both). Files, certificates and command lines are
rendered before the clock starts; then this only starts processes, asks them, and replaces the
default superuser as carefully as the package does.

    python bench/bare_cassandra.py                 three members at once, the package's flags
    python bench/bare_cassandra.py --sequential    the stock procedure: one after another, default
                                                   delays, both compilers, random tokens
    --archive FILE                                 with a class archive (see docs/explanation/cassandra.md)
    --json                                         one JSON object instead of lines

The software must have been fetched: `freehold software fetch cassandra`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from freehold.adapters.catalog import read_folder
from freehold.adapters.secrets import SecretFiles
from freehold.agent import rendering
from freehold.definition import knobs, loader
from freehold.definition.package import Package
from freehold.engine.desired import Desired
from freehold.engine.render import render
from freehold.engine.wish import Wish
from freehold.foundation.member import MemberSpec, Place
from freehold.runtimes.local.paths import LocalPaths
from freehold.software.locked import LockedSoftware
from freehold.software.store import Store

PACKAGE = Path(__file__).parents[1] / "catalog/cassandra"
sys.path.insert(0, str(PACKAGE))

import cql  # noqa: E402  the package's client: a driver would be measured with it
from jolokia import Jolokia, JolokiaError  # noqa: E402

SITE = "local"
# What the stock procedure does not set: the package's shorter delays, its compiler, its copies.
TUNING = re.compile(
    r"-XX:TieredStopAtLevel=1|-Dcassandra\.(ring_delay|gossip_settle|skip_schema|superuser_setup"
    r"|memtable\.row_overhead|system_\w+\.default_rf).*"
)


@dataclass(frozen=True, kw_only=True)
class Member:
    name: str
    address: str
    argv: tuple[str, ...]
    place: Place
    spec: MemberSpec


@dataclass(kw_only=True)
class Bare:
    """A cluster's members, rendered and not started."""

    folder: Path
    members: list[Member]
    secrets: Mapping[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, member: Member) -> None:
        output = (Path(member.place.log_folder) / "output.log").open("ab")
        with output:
            process = subprocess.Popen(
                member.argv,
                cwd=member.place.run,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)

    def asked(self, member: Member) -> Jolokia:
        return Jolokia(member.address, self.secrets["control"])

    def serves(self, member: Member) -> bool:
        seen = self.asked(member).read("OperationMode", "NativeTransportRunning")
        return bool(seen["OperationMode"] == "NORMAL" and seen["NativeTransportRunning"])

    def sees_all(self, member: Member) -> bool:
        return len(self.asked(member).read("LiveNodes")) == len(self.members)

    def log_in(self, member: Member, user: str, password: str) -> cql.Session:
        ca = f"{member.place.secrets}/ca.crt"
        return cql.connect(member.address, ca=ca, user=user, password=password)

    def until(self, holds: Callable[[], bool], what: str, within_s: float = 300.0) -> None:
        deadline = time.monotonic() + within_s
        while True:
            try:
                if holds():
                    return
            except (OSError, JolokiaError, cql.CqlError) as error:
                what = f"{what.partition(' (')[0]} ({error})"
            if any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"a member ended while waiting for {what}: see {self.folder}")
            if time.monotonic() > deadline:
                raise TimeoutError(what)
            time.sleep(0.05)

    def until_one_schema(self) -> None:
        self.until(
            lambda: len({self.asked(each).read("SchemaVersion") for each in self.members}) == 1,
            "one schema",
        )

    def cpu_seconds(self) -> list[float]:
        ticks = os.sysconf("SC_CLK_TCK")
        found = []
        for process in self.processes:
            fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
            found.append(round((int(fields[11]) + int(fields[12])) / ticks, 2))
        return found

    def kill(self) -> None:
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


def prepare(folder: Path, count: int, block: str, values: Mapping[str, Any]) -> Bare:
    """Render everything, as Freehold would, into ``folder``."""
    package = loader.load_package(read_folder(PACKAGE), "catalog/cassandra")
    tree = _tree(package)
    wish = Wish(
        service="bare",
        lineage="bare",
        package=package.name,
        version=package.spec.versions[0].version,
        definition=package.digest,
        preset="ha",
        knobs=knobs.resolve(package, "ha", {"members": count, **values}),
        site=SITE,
        founders={"node": count},
    )
    desired = render(wish, package, {})
    addresses = {each.name: f"{block}.{each.ordinal + 1}" for each in desired.members}
    store = SecretFiles(folder / "services")
    asyncio.run(store.issue(wish, package, desired.secrets, addresses))
    names = ("admin", "control")
    secrets = {name: store.value(wish.lineage, name) for name in names}
    members = [_member(folder, tree, store, desired, index, addresses) for index in range(count)]
    return Bare(folder=folder, members=members, secrets=secrets)


def _tree(package: Package) -> Path:
    paths = LocalPaths.of(os.environ, os.getuid())
    tree = LockedSoftware(Store(paths.store)).tree_for(package, package.spec.versions[0].version)
    if not tree.is_dir():
        raise SystemExit(
            f"cannot start {package.name}: not fetched; freehold software fetch {package.name}"
        )
    return tree


def _member(  # noqa: PLR0917  what one member is made of
    folder: Path,
    tree: Path,
    store: SecretFiles,
    desired: Desired,
    index: int,
    addresses: Mapping[str, str],
) -> Member:
    spec = desired.members[index].spec
    own = folder / spec.name
    for part in ("conf", "run", "secrets", "logs", *(f"volumes/{v.name}" for v in spec.volumes)):
        (own / part).mkdir(parents=True)
    for name, content in store.member_files(desired.lineage, spec.name, spec.secrets).items():
        (own / "secrets" / name).write_bytes(content)
        (own / "secrets" / name).chmod(0o600)
    place = Place(
        member=spec.name,
        bind=addresses[spec.name],
        advertise=addresses[spec.name],
        failure_domain="this-machine",
        addresses=addresses,
        folder=str(own),
        conf=str(own / "conf"),
        run=str(own / "run"),
        secrets=str(own / "secrets"),
        socket="",
        health_socket="",
        volumes={volume.name: str(own / "volumes" / volume.name) for volume in spec.volumes},
        software=str(tree),
        log_folder=str(own / "logs"),
        worker_python="",
    )
    rendering.write_files(rendering.render(spec, place), place)
    argv = rendering.Filling(place).fill_process(spec.main).argv
    return Member(name=spec.name, address=addresses[spec.name], argv=argv, place=place, spec=spec)


def make_stock(bare: Bare) -> None:
    """Rewrite the files to what an administrator's first cluster has: defaults, one seed."""
    first = bare.members[0]
    for member in bare.members:
        options = Path(member.place.conf) / "java.options"
        kept = [line for line in options.read_text().splitlines() if not TUNING.fullmatch(line)]
        options.write_text("\n".join(kept) + "\n")
        config = Path(member.place.conf) / "cassandra.yaml"
        text = re.sub(r"(?m)^initial_token:.*\n", "", config.read_text())
        text = re.sub(r"(?m)^(\s+- seeds:).*$", rf'\1 "{first.address}:7000"', text)
        text = text.replace("auto_bootstrap: false", "auto_bootstrap: true")
        config.write_text(text)


def use_archive(bare: Bare, archive: str) -> None:
    for member in bare.members:
        options = Path(member.place.conf) / "java.options"
        options.write_text(f'"-XX:SharedArchiveFile={archive}"\n{options.read_text()}')


def replace_superuser(bare: Bare) -> None:
    """The package's order, without its care for being interrupted."""
    copies = min(3, len(bare.members))
    first, last = bare.members[0], bare.members[-1]
    known = ("cassandra", "cassandra")
    bare.until(
        lambda: bool(bare.log_in(first, *known).run("SELECT key FROM system.local")), "login"
    )
    bare.until_one_schema()
    with bare.log_in(first, *known) as session:
        session.run(
            "ALTER KEYSPACE system_auth WITH replication = "
            f"{{'class': 'NetworkTopologyStrategy', '{SITE}': {copies}}}"
        )
        bare.until_one_schema()
        session.run(
            f"CREATE ROLE bench WITH PASSWORD = {cql.literal(bare.secrets['admin'])} "
            "AND SUPERUSER = true AND LOGIN = true"
        )
    with bare.log_in(last, "bench", bare.secrets["admin"]) as session:
        session.run("ALTER ROLE cassandra WITH SUPERUSER = false AND LOGIN = false")
        roles = session.run("SELECT role FROM system_auth.roles", consistency=cql.QUORUM)
        if len(roles) > 2:
            raise RuntimeError("a third role exists")


def write_and_read(bare: Bare) -> None:
    copies = min(3, len(bare.members))
    with bare.log_in(bare.members[0], "bench", bare.secrets["admin"]) as session:
        session.run(
            "CREATE KEYSPACE bench WITH replication = "
            f"{{'class': 'NetworkTopologyStrategy', '{SITE}': {copies}}}"
        )
        session.run("CREATE TABLE bench.rows (id int PRIMARY KEY, v text)")
        bare.until_one_schema()
        for number in range(20):
            session.run(
                f"INSERT INTO bench.rows (id, v) VALUES ({number}, 'v')", consistency=cql.QUORUM
            )


def measure(bare: Bare, *, sequential: bool) -> dict[str, Any]:
    """Start the members and return the seconds at which each state was reached."""
    began = time.monotonic()

    def passed() -> float:
        return round(time.monotonic() - began, 2)

    found: dict[str, Any] = {}
    for member in bare.members:
        bare.start(member)
        if sequential:
            bare.until(lambda each=member: bare.serves(each), f"{member.name} to serve")
            found.setdefault("first_cql_s", passed())
    if not sequential:
        bare.until(lambda: any(_serves(bare, each) for each in bare.members), "a first to serve")
        found["first_cql_s"] = passed()
    for member in bare.members:
        bare.until(lambda each=member: bare.serves(each) and bare.sees_all(each), "all to be live")
    found["all_live_s"] = passed()
    replace_superuser(bare)
    found["superuser_replaced_s"] = passed()
    write_and_read(bare)
    found["ready_s"] = passed()
    found["cpu_s_each"] = bare.cpu_seconds()
    return found


def _serves(bare: Bare, member: Member) -> bool:
    try:
        return bare.serves(member)
    except (OSError, JolokiaError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--sequential", action="store_true")
    parser.add_argument("--archive", default="")
    parser.add_argument(
        "--block", default="127.43.200", help="first three numbers of the addresses"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    told = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="freehold-bare-"))
    bare = prepare(folder, told.members, told.block, dict(each.split("=", 1) for each in told.set))
    if told.sequential:
        make_stock(bare)
    if told.archive:
        use_archive(bare, told.archive)
    try:
        found = measure(bare, sequential=told.sequential)
    finally:
        bare.kill()
        if not told.keep:
            shutil.rmtree(folder)
    found = {"members": told.members, "sequential": told.sequential, **found}
    if told.json:
        print(json.dumps(found))
    else:
        print("\n".join(f"{name:22} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
