"""One member's agent put together: listeners, supervisor, actions, metrics, logs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from freehold.agent import http, lean
from freehold.agent.actions import Actions
from freehold.agent.api import Api
from freehold.agent.events import Events
from freehold.agent.jobs import Jobs
from freehold.agent.logs import Logs
from freehold.agent.memory import Memory
from freehold.agent.metrics import Metrics
from freehold.agent.probes import Prober
from freehold.agent.processes import Processes
from freehold.agent.state import ActionRecord, Documents
from freehold.agent.status import status_of
from freehold.agent.supervisor import Supervisor
from freehold.agent.worker_client import Worker
from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.foundation.member import MemberSpec, MemberStatus, Orders, Phase, Place

HANDED_OVER = "FREEHOLD_HANDED_OVER"  # "lock=5,api=6,health=7": descriptors kept across replace


class Agent:
    def __init__(self, folder: Path, handed_over: Mapping[str, int], lock: int) -> None:
        self._folder = folder
        self._handed_over = handed_over
        self._lock = lock
        documents = Documents(folder)
        self.memory = Memory(documents)
        place = self.memory.place
        tag = f"{self.memory.spec.name}/{documents.uid()}"
        self.processes = Processes(tag, place.uid, place.gid)
        self.events = Events(place.log_folder, self.memory.spec.name)
        self._jobs = Jobs(folder, self.processes)
        # Workers of their own: a hook that hangs delays only hooks of its kind.
        self._probe_worker = Worker("probe", self.processes)
        self._metrics_worker = Worker("metrics", self.processes)
        self._listeners: dict[str, socket.socket] = {}
        self._ended = asyncio.Event()
        self._replacement: Path | None = None
        self.actions = Actions(
            records=self.memory.state.actions,
            keep=self._keep_actions,
            definition=lambda: self.supervisor.definition,
            worker=Worker("action", self.processes),
            stop_worker=Worker("stop", self.processes),
            jobs=self._jobs,
            main_pid=lambda: self.supervisor.main.pid,
            changed=lambda note: self.events.add("action", note) if note else None,
        )
        prober = Prober(self.processes, self._probe_worker, lambda: self.supervisor.main.pid)
        self.supervisor = Supervisor(
            self.memory, self.processes, prober, self.events, self.actions.run_now
        )
        self.metrics = Metrics(
            folder / "metrics",
            definition=lambda: self.supervisor.definition,
            observed=self._observed,
            worker=self._metrics_worker,
            processes=self.processes,
        )
        self.supervisor.on_ready = self.metrics.soon
        self.logs = Logs(definition=lambda: self.supervisor.definition, events=self.events)

    def status(self) -> MemberStatus:
        return status_of(
            self.memory,
            self.supervisor,
            self.actions,
            self.metrics.volumes_used,
            self.metrics.latest,
        )

    def order(self, spec: MemberSpec | None, place: Place | None, orders: Orders | None) -> None:
        if place is not None:
            self._refuse_other_place(place)
        if spec is not None and spec.name != self.memory.spec.name:
            raise RefusedError(f"cannot become {spec.name}: this is {self.memory.spec.name}")
        is_new = self.memory.accept(spec, place, orders)
        if self.memory.fenced:
            self.actions.cancel_all()
        if is_new:
            self.supervisor.changed(place=place is not None)

    async def replace(self, folder: str) -> Callable[[], None]:
        """Prepare to become the agent in ``folder``; the software goes on meanwhile."""
        entry = Path(folder) / "main.py"
        if not entry.is_file():
            raise PermanentFault(f"cannot become the agent in {folder}: it has no main.py")
        test = (sys.executable, "-I", "-S", str(entry), "--check")
        if not await self.processes.try_out(test):
            raise PermanentFault(f"cannot become the agent in {folder}: it does not start")
        self._replacement = entry
        return self._ended.set

    def shutdown(self) -> Callable[[], None]:
        if self.supervisor.phase not in (Phase.STOPPED, Phase.FENCED) or self.supervisor.main.alive:
            raise RefusedError(
                f"cannot end the agent of {self.memory.spec.name}: it is {self.supervisor.phase}"
            )
        return self._leave

    async def run(self) -> int:
        """Serve until told to end; return the exit code."""
        api = Api(self)
        place = self.memory.place
        servers = [await self._listen("api", place.socket, api.handle)]
        if place.health_socket:
            servers.append(await self._listen("health", place.health_socket, api.handle_health))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        await asyncio.sleep(0)  # the first answer comes before the heavy part of a start
        lean.settle()
        self.processes.become_reaper()
        await self.processes.kill_all("worker:", "probe", "reload")
        if self.memory.fenced:
            self.actions.cancel_all()
        self.actions.resume()
        tasks = [
            asyncio.create_task(work)
            for work in (self._supervise(), self.metrics.run(), self.logs.run())
        ]
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait({ended, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        return await self._end(servers, tasks)

    async def _supervise(self) -> None:
        await self.supervisor.run()
        self._ended.set()

    async def _end(self, servers: list[asyncio.Server], tasks: list[asyncio.Task[None]]) -> int:
        failed = [t.exception() for t in tasks if t.done() and not t.cancelled() and t.exception()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.supervisor.health.end()
        await self.actions.end()
        await self._probe_worker.end()
        await self._metrics_worker.end()
        if self._replacement is not None and not failed:
            self._become(self._replacement)
        if self.supervisor.main.alive:  # an error of ours: the next agent adopts it
            self.events.add("error", f"the agent ends: {failed}", "error")
        else:
            await self._jobs.kill_all()
        for server in servers:
            server.close()
        for path in (self.memory.place.socket, self.memory.place.health_socket):
            _remove_socket(path)
        return 70 if failed else 0

    def _become(self, entry: Path) -> None:
        kept = {"lock": self._lock} | {n: s.fileno() for n, s in self._listeners.items()}
        for descriptor in kept.values():
            os.set_inheritable(descriptor, True)
        environment = {
            **os.environ,
            HANDED_OVER: ",".join(f"{name}={number}" for name, number in kept.items()),
        }
        command = [sys.executable, "-I", "-S", str(entry), str(self._folder)]
        os.execve(sys.executable, command, environment)  # noqa: S606

    def _leave(self) -> None:
        self.supervisor.leave()

    async def _listen(self, name: str, address: str, handler: http.Handler) -> asyncio.Server:
        listener = self._inherited(name) or _listener(address)
        self._listeners[name] = listener

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await http.serve_connection(reader, writer, handler)

        if listener.family == socket.AF_UNIX:
            return await asyncio.start_unix_server(serve, sock=listener)
        return await asyncio.start_server(serve, sock=listener)

    def _inherited(self, name: str) -> socket.socket | None:
        descriptor = self._handed_over.get(name)
        if descriptor is None:
            return None
        os.set_inheritable(descriptor, False)
        return socket.socket(fileno=descriptor)

    def _keep_actions(self, records: Mapping[str, ActionRecord]) -> None:
        self.memory.update_or_fail(actions=records)

    def _observed(self) -> dict[str, float]:
        main = self.supervisor.main
        return {
            "pid": float(main.pid),
            "restarts": float(main.life.restarts),
            "ready": float(self.supervisor.ready is True),
            "lines_dropped": float(self.logs.lines_dropped),
        }

    def _refuse_other_place(self, place: Place) -> None:
        known = self.memory.place
        if (place.member, place.folder) != (known.member, known.folder):
            raise RefusedError(f"cannot move {known.member} from {known.folder} to {place.folder}")


def _remove_socket(address: str) -> None:
    if address.startswith("/"):
        Path(address).unlink(missing_ok=True)


def _listener(address: str) -> socket.socket:
    """Open a listener on a unix path or host:port. The agent's lock makes a stale path ours."""
    if not address.startswith("/"):
        host, _, port = address.rpartition(":")
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    else:
        path = Path(address)
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            listener.bind(address)
        finally:
            os.umask(mask)
    listener.listen(64)
    listener.setblocking(False)
    return listener
