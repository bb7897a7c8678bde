"""A daemon that says what a test wants it to: real HTTP on a real socket, canned answers."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

Lines = list[Any]
Answer = tuple[int, Any]  # a status and a JSON value; Lines: ndjson
Route = Answer | Lines | Callable[[dict[str, Any]], Answer | Lines]


class FakeDaemon:
    """``routes`` maps "GET /v1/services" to an answer; ``asked`` records what came."""

    def __init__(self, routes: dict[str, Route]) -> None:
        self.routes = routes
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def answer(self, line: str, body: dict[str, Any]) -> Answer | Lines:
        self.asked.append((line, body))
        route = self.routes.get(line.partition("?")[0])
        if route is None:
            return 404, {"error": "NotFoundError", "message": f"cannot find {line}"}
        return route(body) if callable(route) else route


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    fake: FakeDaemon


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        answer = server.fake.answer(f"{self.command} {self.path}", body)
        if isinstance(answer, list):
            self._stream(answer)
            return
        status, value = answer
        raw = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_POST = do_GET  # noqa: N815  http.server's names
    do_PUT = do_GET  # noqa: N815
    do_DELETE = do_GET  # noqa: N815

    def _stream(self, lines: Lines) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            if line == "cut":
                self.close_connection = True
                return
            if callable(line):
                line()
                continue
            raw = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
            self.wfile.flush()
        with suppress(BrokenPipeError):  # the reader has had enough
            self.wfile.write(b"0\r\n\r\n")

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def listening(socket: Path, routes: dict[str, Route]) -> Iterator[FakeDaemon]:
    socket.parent.mkdir(parents=True, exist_ok=True)
    server = _Server(str(socket), _Handler)
    server.fake = FakeDaemon(routes)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        socket.unlink(missing_ok=True)


def member(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "component": "node", "state": state, "up_to_date": True, **more}


def service(**more: Any) -> dict[str, Any]:
    return {
        "name": "orders",
        "package": "echo",
        "version": "1.0.0",
        "want": "running",
        "state": "ready",
        "members_ready": 1,
        "members_wanted": 1,
        "endpoints": [
            {"name": "api", "protocol": "http", "tls": "server", "addresses": ["127.9.1.1:7070"]}
        ],
        "members": [member("orders-node-0", "ready", address="127.9.1.1", since=90.0)],
        "created_at": 40.0,
        "project": "default",
        "survives": "a process, not the machine",
        **more,
    }


def plan(**more: Any) -> dict[str, Any]:
    return {
        "service": "orders",
        "verb": "install",
        "summary": "1 member of echo 1.0.0",
        "steps": [
            {"step": "start orders-node-0", "because": "is missing", "stage": 1},
        ],
        **more,
    }


def operation(**more: Any) -> dict[str, Any]:
    return {
        "id": "op1",
        "service": "orders",
        "verb": "install",
        "phase": "running",
        "actor": "uid 0 (root)",
        "project": "default",
        "created_at": 100.0,
        "deadline_at": 700.0,
        "ended_at": None,
        "steps": [],
        "waits": [],
        "reason": "",
        "members": [],
        **more,
    }
