"""Measure the agent alone: spawn to first answer, PSS at rest, CPU at rest.

    python bench/agent.py [starts]

Prints min / median / max. The member is stopped for the starts; for memory and CPU it runs one
process with an alive and a ready probe every 2 s, as a real member does. Probe children and hook
workers are processes of their own and not counted.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import msgspec

from freehold.agent.tree import lay_out
from freehold.foundation.member import (
    HttpCall,
    Listener,
    MemberSpec,
    Orders,
    Place,
    Probe,
    Process,
)

ADDRESS, PORT, NAME = "127.41.255.1", 7001, "bench-node-0"
SERVER = """
import http.server, sys
class Ok(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "0"); self.end_headers()
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Ok).serve_forever()
"""


def documents(root: Path, number: int) -> tuple[MemberSpec, Place]:
    folder = root / str(number)
    for part in ("conf", "run", "secrets", "volumes/data", "logs", "metrics"):
        (folder / part).mkdir(parents=True)
    probe = Probe(http=HttpCall(url=f"http://${{bind}}:{PORT}/"))
    spec = MemberSpec(
        service="bench",
        lineage="bench",
        component="node",
        group=0,
        ordinal=0,
        name=NAME,
        site="here",
        incarnation=1,
        version="1",
        definition="d",
        main=Process(argv=("/usr/bin/python3", "-c", SERVER, "${bind}", str(PORT))),
        listeners=(Listener(name="http", port=PORT),),
        alive=probe,
        ready=probe,
        revision="1",
    )
    place = Place(
        member=NAME,
        bind=ADDRESS,
        advertise=ADDRESS,
        failure_domain="here",
        addresses={NAME: ADDRESS},
        folder=str(folder),
        conf=str(folder / "conf"),
        run=str(folder / "run"),
        secrets=str(folder / "secrets"),
        socket=str(folder / "api.sock"),
        health_socket=str(folder / "health.sock"),
        volumes={"data": str(folder / "volumes/data")},
        software=str(folder),
        log_folder=str(folder / "logs"),
        worker_python=sys.executable,
    )
    return spec, place


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("agent", timeout=5)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def ask(path: str, target: str = "/v1/status") -> bytes | None:
    connection = UnixConnection(path)
    try:
        connection.request("GET", target)
        return connection.getresponse().read()
    except OSError:
        return None
    finally:
        connection.close()


def start(tree: Path, spec: MemberSpec, place: Place, *, run: bool) -> subprocess.Popen[bytes]:
    for name, value in (
        ("member", spec),
        ("place", place),
        ("orders", Orders(run=run, incarnation=1)),
    ):
        (Path(place.folder) / f"{name}.json").write_bytes(msgspec.json.encode(value))
    command = [sys.executable, "-I", "-S", str(tree / "main.py"), place.folder]
    return subprocess.Popen(command, start_new_session=True, env={})


def pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Pss")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def line(what: str, values: list[float], unit: str) -> None:
    three = (min(values), statistics.median(values), max(values))
    print(f"{what}: {three[0]:.1f} / {three[1]:.1f} / {three[2]:.1f} {unit} (n={len(values)})")


def main() -> None:
    starts = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    root = Path(tempfile.mkdtemp(prefix="freehold-bench-"))
    try:
        tree = lay_out(root / "agents")
        times: list[float] = []
        spent: list[float] = []  # on a busy machine the honest figure
        for number in range(starts + 1):  # the first warms the page cache
            spec, place = documents(root, number)
            began = time.perf_counter()
            agent = start(tree, spec, place, run=False)
            while ask(place.socket) is None:
                time.sleep(0.0005)
            times.append((time.perf_counter() - began) * 1000)
            spent.append(int(Path(f"/proc/{agent.pid}/schedstat").read_text().split()[0]) / 1e6)
            agent.terminate()
            agent.wait()
        line("spawn to first answer", times[1:], "ms")
        line("CPU until then", spent[1:], "ms")
        restarts(root, tree, 10)
        at_rest(root, tree)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def restarts(root: Path, tree: Path, times: int) -> None:
    """kill -9 of the software until its successor listens; python's own start is part of it."""
    spec, place = documents(root, 2000)
    agent = start(tree, spec, place, run=True)
    status = b'"phase":"running"'
    try:
        taken: list[float] = []
        bare: list[float] = []
        for _ in range(times):
            while status not in (ask(place.socket) or b""):
                time.sleep(0.01)
            pid = msgspec.json.decode(ask(place.socket) or b"{}")["main"]["pid"]
            # A new sheet: the same cause again would wait, as it should.
            began = time.perf_counter()
            os.kill(pid, 9)
            wait_gone_then_open(pid)
            taken.append((time.perf_counter() - began) * 1000)
            restart_agent_memory(place)
        for number in range(times):
            argv = ["/usr/bin/python3", "-c", SERVER, ADDRESS, str(PORT + 1 + number)]
            began = time.perf_counter()
            server = subprocess.Popen(argv)
            while not listens(PORT + 1 + number):
                time.sleep(0.0005)
            bare.append((time.perf_counter() - began) * 1000)
            server.kill()
            server.wait()
        line("kill -9 to listening again", taken, "ms")
        line("the same server started by hand", bare, "ms")
    finally:
        agent.terminate()
        agent.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def wait_gone_then_open(pid: int) -> None:
    while Path(f"/proc/{pid}").exists():
        time.sleep(0.0005)
    while not listens(PORT):
        time.sleep(0.0005)


def restart_agent_memory(place: Place) -> None:
    """Order a restart stamp, which forgives: every kill measured is a first crash."""
    connection = UnixConnection(place.socket)
    orders = Orders(run=True, incarnation=1, restart=f"{time.time():.6f}")
    before = msgspec.json.decode(ask(place.socket) or b"{}")
    connection.request("PUT", "/v1/orders", msgspec.json.encode({"orders": orders}))
    connection.getresponse().read()
    connection.close()
    while True:
        now = msgspec.json.decode(ask(place.socket) or b"{}")
        if now["restart"] != before["restart"] and now["phase"] == "running":
            return
        time.sleep(0.01)


def at_rest(root: Path, tree: Path) -> None:
    spec, place = documents(root, 1000)
    agent = start(tree, replace(spec), place, run=True)
    try:
        while b'"phase":"running"' not in (ask(place.socket) or b""):
            time.sleep(0.05)
        time.sleep(5)
        memory, cpu = [], []
        for _ in range(6):
            before, began = cpu_s(agent.pid), time.perf_counter()
            time.sleep(10)
            cpu.append((cpu_s(agent.pid) - before) / (time.perf_counter() - began) * 100)
            memory.append(pss_bytes(agent.pid) / 2**20)
        line("PSS at rest", memory, "MiB")
        line("CPU at rest, two probes every 2 s", cpu, "% of a core")
    finally:
        agent.terminate()
        agent.wait()


if __name__ == "__main__":
    main()
