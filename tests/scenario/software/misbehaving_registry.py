"""A real HTTP server that is a Maven repository and a Python index, and misbehaves on request."""

from __future__ import annotations

import hashlib
import io
import json
import random
import ssl
import stat
import zipfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

from freehold.software.lock import Lock, LockedFile, sorted_lock
from freehold.software.network import Access
from freehold.software.registries import Registries
from freehold.software.resolve.pom import Coordinate
from freehold.software.transport import Address

HOST = "127.42.0.1"  # this folder's block of loopback addresses is 127.42.0.0/16

Act = Callable[["Handler", bytes], None]


@dataclass
class Registry:
    """Serves ``contents`` by path; an act queued for a path takes the place of one answer."""

    contents: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    acts: dict[str, deque[Act]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # (path, Range header)
    headers: list[dict[str, str]] = field(default_factory=list)
    login: str = ""
    html: bool = False
    released: Event = field(default_factory=Event)  # what hanging answers wait for
    reached: Event = field(default_factory=Event)  # set when an act has begun to hang
    files: list[LockedFile] = field(default_factory=list)

    def start(self, host: str, context: ssl.SSLContext | None = None) -> None:
        bound = type("Bound", (Handler,), {"registry": self})
        self._server = ThreadingHTTPServer((host, 0), bound)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self._server.handle_error = lambda *_: None  # who does not trust us hangs up
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http{'s' if context else ''}://{host}:{self._server.server_address[1]}"

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def act(self, file: LockedFile, *acts: Act) -> None:
        self.acts.setdefault(path_of(file), deque()).extend(acts)

    def asked_for(self, file: LockedFile) -> list[str]:
        return [ranges for path, ranges in self.asked if path == path_of(file)]

    def jar(self, name: str, size: int = 200_000, seed: int = 1, into: str = "lib") -> LockedFile:
        content = random.Random(f"{name}{seed}").randbytes(size)
        coordinate = Coordinate("org.test", name, "1.0")
        file = LockedFile(
            registry="maven", name=coordinate.name, version="1.0", file=coordinate.file,
            size=size, sha256=hashlib.sha256(content).hexdigest(), into=into,
        )  # fmt: skip
        return self._add(file, content)

    def wheel(self, name: str, content: bytes, unpack: str | None = "inner") -> LockedFile:
        file = LockedFile(
            registry="pypi", name=name, version="1.0", file=f"{name}-1.0-py3-none-any.whl",
            size=len(content), sha256=hashlib.sha256(content).hexdigest(), into="tool",
            unpack=unpack,
        )  # fmt: skip
        added = self._add(file, content)
        url = f"/files/{file.file}"
        if self.html:
            self.contents[f"/simple/{name}/"] = f'<a href="{url}#sha256={file.sha256}">'.encode()
            self.types[f"/simple/{name}/"] = "text/html"
        else:
            entry = {"filename": file.file, "url": url, "hashes": {"sha256": file.sha256}}
            self.contents[f"/simple/{name}/"] = json.dumps({"files": [entry]}).encode()
            self.types[f"/simple/{name}/"] = "application/vnd.pypi.simple.v1+json"
        return added

    def _add(self, file: LockedFile, content: bytes) -> LockedFile:
        self.contents[path_of(file)] = content
        self.files.append(file)
        return file

    def lock(self) -> Lock:
        return sorted_lock("1.0", "linux-x86_64", self.files)

    def registries(self, timeout_s: float = 10.0) -> Registries:
        return Registries(
            maven=(Address(url=f"{self.url}/m", kind="maven"),),
            pypi=(Address(url=f"{self.url}/simple", kind="pypi"),),
            access=Access(timeout_s=timeout_s),
        )


class Handler(BaseHTTPRequestHandler):
    registry: Registry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        registry, ranges = self.registry, self.headers.get("Range", "")
        path = "/" + self.path.split("/", 3)[3] if self.path.startswith("http://") else self.path
        registry.asked.append((path, ranges))
        registry.headers.append(dict(self.headers))
        if registry.login and self.headers.get("Authorization") != registry.login:
            self.answer(401, b"who are you?")
        elif acts := registry.acts.get(path):
            acts.popleft()(self, registry.contents.get(path, b""))
        elif path not in registry.contents:
            self.answer(404, b"no such file")
        else:
            self.serve(registry.contents[path])

    def serve(self, content: bytes) -> None:
        ranges = self.headers.get("Range", "")
        if not ranges:
            self.answer(200, content)
            return
        start = int(ranges.removeprefix("bytes=").removesuffix("-"))
        if start >= len(content):
            self.answer(416, b"")
            return
        said = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self.answer(206, content[start:], said)

    def answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int = -1
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        kind = self.registry.types.get(self.path, "application/octet-stream")
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def path_of(file: LockedFile) -> str:
    if file.registry == "pypi":
        return f"/files/{file.file}"
    group, artifact, *_ = file.name.split(":")
    return f"/m/{group.replace('.', '/')}/{artifact}/{file.version}/{file.file}"


def status(code: int, headers: dict[str, str] | None = None) -> Act:
    return lambda handler, _: handler.answer(code, b"sorry", headers)


def bytes_instead(content: bytes) -> Act:
    return lambda handler, _: handler.serve(content)


def cut_after(count: int) -> Act:
    """Promise all of it, send a part, hang up."""

    def act(handler: Handler, content: bytes) -> None:
        handler.answer(200, content[:count], length=len(content))
        handler.close_connection = True

    return act


def whole_whatever_was_asked(handler: Handler, content: bytes) -> None:
    handler.answer(200, content)


def hang_after(count: int) -> Act:
    """Send a part and then nothing, until the registry is stopped."""

    def act(handler: Handler, content: bytes) -> None:
        if count:
            handler.answer(200, content[:count], length=len(content))
            handler.wfile.flush()
        handler.registry.reached.set()
        handler.registry.released.wait(60)
        handler.close_connection = True

    return act


def drip(handler: Handler, content: bytes) -> None:
    """A byte now and then: never silent, never done."""
    handler.answer(200, b"", length=len(content))
    for byte in content:
        if handler.registry.released.wait(0.05):
            break
        handler.wfile.write(bytes([byte]))
    handler.close_connection = True


def doing(first: Callable[[], object]) -> Act:
    def act(handler: Handler, content: bytes) -> None:
        first()
        handler.serve(content)

    return act


def wheel_bytes(files: dict[str, tuple[bytes, int]]) -> bytes:
    """Return an archive of name -> (content, mode)."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        for name, (content, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode if mode > 0o7777 else stat.S_IFREG | mode) << 16
            written.writestr(info, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
