"""Call hooks in a worker process: started on demand, killed at its deadline, ended when idle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from freehold.agent.jobs import Job
from freehold.agent.processes import Child, Launch, Processes
from freehold.agent.rendering import Filling
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.foundation.member import MemberSpec, Place

IDLE_S = 30.0
CALL_S = 10.0
GRACE_S = 2.0
_SHORTEST_SECRET = 6  # shorter values would blot out ordinary words
_LARGEST_ANSWER = 4 * 2**20


class HookCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one hook."""

    kind: str  # action, probe, metrics
    hook: str
    within_s: float = CALL_S
    arguments: Mapping[str, Any] = msgspec.field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # names
    main_pid: int = 0
    key: str = ""
    job: Job | None = None


class Worker:
    """One worker. Calls are made one after another; probes and actions have a worker each."""

    def __init__(self, kind: str, processes: Processes) -> None:
        self.kind = kind
        self._processes = processes
        self._turn = asyncio.Lock()
        self._child: Child | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._package: object = None
        self._idle: asyncio.TimerHandle | None = None
        self._number = 0

    async def call(self, spec: MemberSpec, place: Place, call: HookCall) -> dict[str, Any]:
        """Return the worker's answer, secrets blotted out of its texts.

        Raises TransientFault when the worker died or did not answer in time (it is killed), and
        PermanentFault when no worker can run here.
        """
        filling = Filling(place)
        values = {name: filling.secret(name) for name in call.secrets}
        request = {
            "kind": call.kind,
            "hook": call.hook,
            "member": _member(spec, place, call, values),
            "arguments": call.arguments,
        }
        async with self._turn:
            try:
                asking = self._ask(spec, place, request)
                answer = await asyncio.wait_for(asking, call.within_s + GRACE_S)
            except TimeoutError as error:
                await self._kill()
                why = f"{call.hook} did not answer in {call.within_s:g} s"
                raise TransientFault(f"cannot wait longer: {why}") from error
            except (OSError, EOFError, ValueError) as error:
                await self._kill()
                raise TransientFault(f"cannot finish {call.hook}: its worker died") from error
            except asyncio.CancelledError:
                await self._kill()
                raise
            self._rest()
        clean: dict[str, Any] = _blotted(answer, tuple(values.values()))
        return clean

    async def end(self) -> None:
        """Kill the worker, whatever it does."""
        await self._kill()

    async def _ask(
        self, spec: MemberSpec, place: Place, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        reader, writer = await self._ready(spec, place)
        self._number += 1
        writer.write(msgspec.json.encode({"id": self._number, **request}) + b"\n")
        await writer.drain()
        line = await reader.readline()
        if not line:
            raise EOFError
        answer: dict[str, Any] = msgspec.json.decode(line)
        if answer.get("id") != self._number:
            raise EOFError
        return answer

    async def _ready(
        self, spec: MemberSpec, place: Place
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        package = (spec.hooks, place.software, place.worker_python, place.run)
        if self._child is not None and (package != self._package or not self._child.lives):
            await self._kill()
        if self._streams is None:
            self._streams = await self._start(spec, place)
            self._package = package
        return self._streams

    async def _start(
        self, spec: MemberSpec, place: Place
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if not place.worker_python:
            raise PermanentFault(
                f"cannot run hooks of {spec.name}: no Python that its account may execute",
                next_command="freehold doctor",
            )
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = self._processes.spawn(
                Launch(
                    process=f"worker:{self.kind}",
                    argv=(place.worker_python, "-I", "-S", worker_program()),
                    cwd=place.run,
                    output=f"{place.log_folder}/worker.log",
                    stdio=theirs.fileno(),
                )
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LARGEST_ANSWER)
        libraries = f"{place.software}/{spec.hooks.libraries}" if spec.hooks.libraries else ""
        package = {
            "module": spec.hooks.module,
            "files": spec.hooks.files,
            "libraries": libraries,
        }
        writer.write(msgspec.json.encode(package) + b"\n")
        return reader, writer

    def _rest(self) -> None:
        loop = asyncio.get_running_loop()
        self._idle = loop.call_later(IDLE_S, lambda: loop.create_task(self._end_if_idle()))

    async def _end_if_idle(self) -> None:
        if not self._turn.locked():
            async with self._turn:
                await self._kill()

    async def _kill(self) -> None:
        child, streams = self._child, self._streams
        self._child = self._streams = None
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if streams is not None:
            with contextlib.suppress(OSError):
                streams[1].close()
        if child is not None:
            await self._processes.kill_all(f"worker:{self.kind}", roots=frozenset({child.pid}))


def worker_program() -> str:
    return str(Path(__file__).with_name("worker.py"))


def _member(
    spec: MemberSpec, place: Place, call: HookCall, secrets: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "name": spec.name,
        "service": spec.service,
        "component": spec.component,
        "ordinal": spec.ordinal,
        "incarnation": spec.incarnation,
        "version": spec.version,
        "bind": place.bind,
        "advertise": place.advertise,
        "addresses": place.addresses,
        "peers": spec.peers,
        "volumes": place.volumes,
        "conf": place.conf,
        "run": place.run,
        "software": place.software,
        "derived": place.derived,
        "facts": spec.facts,
        "secrets": secrets,
        "secret_files": _secret_files(place),
        "main_pid": call.main_pid,
        "key": call.key,
        "job": None if call.job is None else call.job._asdict(),
    }


def _secret_files(place: Place) -> dict[str, str]:
    """Return every file of the secrets folder: a certificate is several of them."""
    try:
        names = os.listdir(place.secrets)  # noqa: PTH208
    except OSError:
        return {}
    return {name: f"{place.secrets}/{name}" for name in sorted(names) if name[0] != "."}


def _blotted(value: Any, secrets: tuple[str, ...]) -> Any:
    """Remove secrets from an answer: it is kept on disk and shown."""
    match value:
        case str():
            for secret in secrets:
                if len(secret) >= _SHORTEST_SECRET:
                    value = value.replace(secret, "***")
            return value
        case dict():
            return {name: _blotted(item, secrets) for name, item in value.items()}
        case list():
            return [_blotted(item, secrets) for item in value]
    return value
