"""A daemon of a test's own: its home, its process, and its API, spoken to directly."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import freehold.testkit

_BYTECODE = tempfile.TemporaryDirectory(prefix="fh-bytecode-")
ECHO = str(Path(freehold.testkit.__file__).parent / "echo")
DEADLINE_S = 60.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("freehold", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Home:
    """One FREEHOLD_HOME. ``close`` ends everything that runs for it."""

    def __init__(self, environ: Mapping[str, str] | None = None, above: str = "/tmp") -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fhd-", dir=above))
        self.folder.chmod(0o755)  # software accounts have to pass through
        self.environ = {**os.environ, "FREEHOLD_HOME": str(self.folder), **(environ or {})}
        # As users have it: modules are compiled once, not at every start of a daemon.
        self.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.environ["PYTHONPYCACHEPREFIX"] = _BYTECODE.name
        self.daemon: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> str:
        return str(self.folder / "run/daemon.sock")

    @property
    def log(self) -> str:
        return (self.folder / "daemon.out").read_text(errors="replace")

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a daemon; return at once."""
        argv = command or (sys.executable, "-m", "freehold.serve")
        with (self.folder / "daemon.out").open("ab") as output:
            self.daemon = subprocess.Popen(
                argv, env=self.environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        return self.daemon

    def start(self, *command: str) -> None:
        """Start a daemon and wait until it answers."""
        process = self.spawn(*command)

        def answers() -> bool:
            assert process.poll() is None, self.log
            with contextlib.suppress(OSError):
                return self.ask("GET", "/v1/version")[0] == 200
            return False

        until(answers, "the daemon answers", lambda: self.log)

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.daemon is not None
        self.daemon.send_signal(number)
        return self.daemon.wait(timeout=DEADLINE_S)

    def ask(self, method: str, path: str, body: Any = None, raw: bytes | None = None) -> Any:
        """Return (status, answer)."""
        connection = _UnixConnection(self.socket, DEADLINE_S)
        try:
            sent = (
                raw if raw is not None else json.dumps(body).encode() if body is not None else b""
            )
            connection.request(method, path, body=sent)
            answer = connection.getresponse()
            content = answer.read()
            kind = answer.headers.get_content_type()
            return answer.status, json.loads(content) if kind == "application/json" else content
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        status, answer = self.ask("GET", path)
        assert status == 200, answer
        return answer

    def change(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = self.ask(method, path, body if body is not None else {})
        assert status in {200, 202}, (answer, self.log)
        return answer

    def stream(self, path: str, method: str = "GET", body: Any = None) -> Iterator[Any]:
        connection = _UnixConnection(self.socket, DEADLINE_S)
        try:
            connection.request(method, path, body=json.dumps(body).encode() if body else b"")
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            deadline = time.monotonic() + DEADLINE_S
            for line in answer:
                assert time.monotonic() < deadline, f"{path} has not ended\n{self.log}"
                if line.strip():
                    yield json.loads(line)
        finally:
            connection.close()

    def follow(self, accepted: Any) -> Any:
        """Wait for the operation's end through its stream; return its last view."""
        views = list(self.stream(f"/v1/operations/{accepted['operation']['id']}/watch"))
        assert views, self.log
        return views[-1]

    def done(self, accepted: Any) -> Any:
        last = self.follow(accepted)
        assert last["phase"] == "done", (last, self.log)
        return last

    def install(self, name: str = "echo", **fields: Any) -> Any:
        body = {"package": ECHO, "name": name, "preset": "dev", **fields}
        return self.change("POST", "/v1/services", body)

    def verb(self, name: str, verb: str, **fields: Any) -> Any:
        return self.change("POST", f"/v1/services/{name}/{verb}", fields)

    def close(self) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not self.processes(), "every process is gone", lambda: str(self.processes()))
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self) -> dict[int, str]:
        """Return what runs for this home: agents and software name its folder."""
        found = {}
        marker = str(self.folder).encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                if marker in words or marker in (entry / "environ").read_bytes():
                    found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
        return found


@contextlib.contextmanager
def home(environ: Mapping[str, str] | None = None, *, started: bool = True) -> Iterator[Home]:
    made = Home(environ)
    try:
        if started:
            made.start()
        yield made
    finally:
        made.close()


def until(
    holds: Callable[[], bool],
    what: str,
    evidence: Callable[[], str] = str,
    within_s: float = DEADLINE_S,
) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}\n{evidence()}"
        time.sleep(0.05)
