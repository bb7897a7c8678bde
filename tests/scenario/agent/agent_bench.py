"""A member with a real agent and real software, and what tests ask of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from freehold.agent import proc
from freehold.agent.client import AgentClient
from freehold.foundation.errors import FreeholdError, TransientFault
from freehold.foundation.member import (
    HttpCall,
    Listener,
    MemberSpec,
    MemberStatus,
    Orders,
    Phase,
    Place,
    Probe,
    Process,
)

BODY = Path(__file__).with_name("body.py")
BODY_PYTHON = "/usr/bin/python3"  # an unprivileged account may execute it
DEADLINE_S = 20.0
PORT = 9042
T = TypeVar("T")
_addresses = iter(range(1, 250))


class Bench:
    """One member: its folder, its agent, its client."""

    def __init__(self, root: Path, tree: Path, uid: int | None = None) -> None:
        name = f"t{uuid.uuid4().hex[:8]}-node-0"
        self.folder = root / name
        self.tree = tree
        self.agent: subprocess.Popen[bytes] | None = None
        address = f"127.41.{os.getpid() % 250}.{next(_addresses)}"
        for part in ("conf", "run", "secrets", "volumes/data", "logs", "metrics"):
            (self.folder / part).mkdir(parents=True)
        (self.folder / "uid").write_text(uuid.uuid4().hex)
        if uid is not None:
            for part in ("conf", "run", "secrets", "volumes/data"):
                os.chown(self.folder / part, uid, uid)
        self.place = Place(
            member=name,
            bind=address,
            advertise=address,
            failure_domain="here",
            addresses={name: address},
            folder=str(self.folder),
            conf=str(self.folder / "conf"),
            run=str(self.folder / "run"),
            secrets=str(self.folder / "secrets"),
            socket=str(self.folder / "api.sock"),
            health_socket=str(self.folder / "health.sock"),
            volumes={"data": str(self.folder / "volumes/data")},
            software=str(BODY.parent),
            log_folder=str(self.folder / "logs"),
            worker_python=BODY_PYTHON,
            uid=uid,
            gid=uid,
        )
        self.spec = MemberSpec(
            service=name.rsplit("-", 2)[0],
            lineage="l",
            component="node",
            group=0,
            ordinal=0,
            name=name,
            site="here",
            incarnation=1,
            version="1",
            definition="d",
            main=self.body(),
            listeners=(Listener(name="main", port=PORT),),
            alive=self.probe("/alive"),
            ready=self.probe("/ready"),
            peers=(name,),
            restart_hash="r1",
            reload_hash="l1",
            revision="v1",
        )
        self.orders = Orders(run=True, incarnation=1)
        self.client = AgentClient(self.place.socket)

    def body(self, *options: str) -> Process:
        return Process(argv=(BODY_PYTHON, "-I", "-S", str(BODY), "${bind}", str(PORT), *options))

    def probe(self, path: str, **changes: Any) -> Probe:
        call = HttpCall(url=f"http://${{bind}}:{PORT}{path}")
        return Probe(http=call, every_s=0.2, timeout_s=0.5, fails=3, **changes)

    def write(self) -> None:
        for name, value in (
            ("member", self.spec),
            ("place", self.place),
            ("orders", self.orders),
        ):
            (self.folder / f"{name}.json").write_bytes(msgspec.json.encode(value))

    def start_agent(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-I", "-S", str(self.tree / "main.py"), str(self.folder)]
        with (self.folder / "agent.err").open("ab") as output:
            self.agent = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "SECRET_OF_THE_STARTER": "planted"},
            )
        return self.agent

    def kill_agent(self) -> None:
        assert self.agent is not None
        self.agent.kill()
        self.agent.wait()

    async def start(self, **changes: Any) -> MemberStatus:
        """Write the documents, start the agent, and wait until the member is ready."""
        self.spec = replace(self.spec, **changes)
        self.write()
        self.start_agent()
        return await self.until(lambda s: s.phase is Phase.RUNNING and s.ready is True)

    async def until(self, condition: Callable[[MemberStatus], bool]) -> MemberStatus:
        """Ask the agent until the condition holds. The deadline is generous: 2 shared cores."""
        last: object = None

        async def holds() -> MemberStatus | None:
            nonlocal last
            try:
                last = status = await self.client.status()
            except FreeholdError as error:
                last = error
                return None
            return status if condition(status) else None

        try:
            return await eventually(holds)
        except AssertionError:
            errors = (self.folder / "agent.err").read_text()
            events = await self.client.events() if isinstance(last, MemberStatus) else []
            told = "\n".join(str(event) for event in events)
            raise AssertionError(f"last seen: {last}\n{told}\n{errors}") from None

    async def order(self, **changes: Any) -> MemberStatus:
        self.orders = replace(self.orders, **changes)
        return await self.client.order(orders=self.orders)

    async def change(self, **changes: Any) -> MemberStatus:
        self.spec = replace(self.spec, **changes)
        return await self.client.order(spec=self.spec)

    async def send_again(self) -> None:
        """Send everything whole, as a level-triggered engine does, until the agent took it."""

        async def sent() -> MemberStatus | None:
            try:
                return await self.client.order(spec=self.spec, orders=self.orders)
            except TransientFault:
                return None

        await eventually(sent)

    async def ask(self, path: str) -> str:
        reader, writer = await asyncio.open_connection(self.place.bind, PORT)
        try:
            writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = (await reader.read()).decode()
        finally:
            writer.close()
        return answer.partition("\r\n\r\n")[2]

    def processes(self) -> dict[int, str]:
        uid = (self.folder / "uid").read_text()
        return dict(proc.tagged(f"{self.spec.name}/{uid}"))

    def end(self) -> None:
        if self.agent is not None and self.agent.poll() is None:
            self.agent.kill()
            self.agent.wait()
        deadline = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.01)
        shutil.rmtree(self.folder, ignore_errors=True)


async def eventually(look: Callable[[], Awaitable[T | None]], within_s: float = DEADLINE_S) -> T:
    """Look again and again until there is something; fail after the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        found = await look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"nothing within {within_s} s")
        await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    found = proc.stat(pid)
    return found is not None and found.state not in "ZX"


async def gone(pid: int) -> None:
    async def look() -> bool | None:
        return None if lives(pid) else True

    await eventually(look)


def is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
