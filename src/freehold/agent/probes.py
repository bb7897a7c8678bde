"""Carry out one probe: exec, http, tcp or hook. The verdict's bookkeeping is health.py's."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import msgspec

from freehold.agent import expectations, http
from freehold.agent.processes import Launch, Processes
from freehold.agent.rendering import Filling
from freehold.agent.worker_client import HookCall, Worker
from freehold.foundation.errors import FreeholdError, PermanentFault
from freehold.foundation.member import HttpCall, MemberSpec, Place, Probe


class Verdict(msgspec.Struct, frozen=True):
    passed: bool
    reason: str = ""
    value: str = ""  # what a role probe found


class Prober:
    """Asks the member's software, as its clients and its account would."""

    def __init__(self, processes: Processes, worker: Worker, main_pid: Callable[[], int]) -> None:
        self._processes = processes
        self._worker = worker
        self._main_pid = main_pid

    async def ask(self, probe: Probe, spec: MemberSpec, place: Place) -> Verdict:
        """Return the verdict; never raises: what cannot be asked has not passed."""
        try:
            if probe.exec:
                return await self._exec(probe, place)
            if probe.http is not None:
                return await self._http(probe, probe.http, place)
            if probe.tcp:
                return await self._tcp(probe, spec, place)
            return await self._hook(probe, spec, place)
        except FreeholdError as error:
            return Verdict(False, str(error))
        except OSError as error:
            return Verdict(False, f"cannot probe: {error}")

    async def _exec(self, probe: Probe, place: Place) -> Verdict:
        filling = Filling(place)
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            launch = Launch(
                process="probe",
                argv=[filling.fill(text) for text in probe.exec],
                cwd=place.run,
                stdout=writing,
            )
            child = self._processes.spawn(launch)
            os.close(writing)
            writing = -1
            try:
                code = await asyncio.wait_for(child.wait(), probe.timeout_s)
            except TimeoutError:
                child.signal(signal.SIGKILL)
                await self._processes.kill_all("probe", roots=frozenset({child.pid}))
                return Verdict(False, f"{probe.exec[0]} did not end in {probe.timeout_s:g} s")
            said = _said(reading)
        finally:
            os.close(reading)
            if writing >= 0:
                os.close(writing)
        first = said.splitlines()[0].strip() if said.strip() else ""
        if code in probe.passes:
            return Verdict(True, "", first)
        return Verdict(
            False, f"{probe.exec[0]} ended with code {code}" + f": {first}" * bool(first)
        )

    async def _http(self, probe: Probe, call: HttpCall, place: Place) -> Verdict:
        answer = await ask_call(call, place, probe.timeout_s)
        if not 200 <= answer.status < 300:
            return Verdict(False, f"{call.url} answered {answer.status}")
        if not probe.expect:
            return Verdict(True)
        document = decoded(answer.body)
        reason = expectations.unmet(document, probe.expect)
        return Verdict(not reason, reason, expectations.picked(document, probe.expect))

    async def _tcp(self, probe: Probe, spec: MemberSpec, place: Place) -> Verdict:
        ports = [listener.port for listener in spec.listeners if listener.name == probe.tcp]
        if not ports:
            raise PermanentFault(f"cannot probe {spec.name}: it has no listener {probe.tcp!r}")
        try:
            async with asyncio.timeout(probe.timeout_s):
                _, writer = await asyncio.open_connection(place.bind, ports[0])
            writer.close()
        except TimeoutError:
            return Verdict(
                False, f"no connection to {place.bind}:{ports[0]} in {probe.timeout_s:g} s"
            )
        except OSError as error:
            return Verdict(False, f"no connection to {place.bind}:{ports[0]}: {error.strerror}")
        return Verdict(True)

    async def _hook(self, probe: Probe, spec: MemberSpec, place: Place) -> Verdict:
        call = HookCall(
            kind="probe",
            hook=probe.hook,
            within_s=probe.timeout_s,
            secrets=readable_secrets(spec, place),
            main_pid=self._main_pid(),
        )
        answer = await self._worker.call(spec, place, call)
        if answer["kind"] != "value":
            return Verdict(False, str(answer.get("reason", "")))
        return verdict_of(answer["value"])


def verdict_of(value: Any) -> Verdict:
    """Read a hook's answer: bool, (bool, reason) or a role's name."""
    match value:
        case bool():
            return Verdict(value, "" if value else "the hook says no")
        case str():
            return Verdict(True, "", value)
        case [bool(passed), str(reason)]:
            return Verdict(passed, "" if passed else reason)
        case None:
            return Verdict(True)
    return Verdict(False, f"the hook answered {type(value).__name__}, not bool or str")


def readable_secrets(spec: MemberSpec, place: Place) -> tuple[str, ...]:
    """Return the names of the member's secrets whose value is one file here."""
    return tuple(
        name
        for name in spec.secrets
        if os.path.isfile(f"{place.secrets}/{name}")  # noqa: PTH113
    )


async def ask_call(call: HttpCall, place: Place, timeout_s: float) -> http.Answer:
    filled = Filling(place).fill_call(call)
    return await http.ask_url(
        filled.url,
        method=filled.method,
        headers=filled.headers,
        body=filled.body.encode(),
        user=filled.user,
        password=filled.password,
        ca=filled.ca,
        timeout_s=timeout_s,
    )


def decoded(body: bytes) -> Any:
    """Return the JSON in ``body``. Raises PermanentFault when there is none."""
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise PermanentFault("cannot read the answer: it is not JSON") from error


def _said(descriptor: int) -> str:
    try:
        return os.read(descriptor, 4096).decode(errors="replace")
    except BlockingIOError:
        return ""
