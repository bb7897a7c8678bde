"""Echo: keeps records in a file and says them back. Standard library only; one process, one file.

PUT is acknowledged after fsync. A half line at the end (killed while writing) was never
acknowledged and is cut off at the next start.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import functools
import hashlib
import hmac
import json
import os
import signal
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

Answer = tuple[int, object]
HTTP = {200: "OK", 401: "Unauthorized", 404: "Not Found", 405: "Not Allowed", 503: "Unavailable"}
LARGEST_BODY = 2**20


class Store:
    """Records, logins and the group, each in a file of the data folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.records: dict[str, tuple[float, str | None]] = {}
        self.path = f"{folder}/records.log"
        self.file = open(self.path, "a+b")
        self.file.seek(0)
        whole = 0
        for line in self.file:
            if not line.endswith(b"\n"):
                break
            key, at, value = json.loads(line)
            self.records[key] = (at, value)
            whole += len(line)
        self.file.truncate(whole)
        self.logins = self.read("logins.json", {})
        self.group = self.read("group.json", {"members": [], "formed": []})
        self.left = os.path.exists(f"{folder}/left")

    def put(self, key: str, value: str | None, at: float) -> None:
        """Append and fsync; an older write of the same key loses."""
        if key in self.records and self.records[key][0] > at:
            return
        self.file.write(json.dumps([key, at, value]).encode() + b"\n")
        self.flush()
        self.records[key] = (at, value)

    def flush(self) -> None:
        self.file.flush()
        os.fsync(self.file.fileno())

    def living(self) -> dict[str, str]:
        return {key: value for key, (_, value) in self.records.items() if value is not None}

    def read(self, name: str, otherwise: dict[str, Any]) -> dict[str, Any]:
        try:
            with open(f"{self.folder}/{name}") as file:
                found: dict[str, Any] = json.load(file)
                return found
        except FileNotFoundError:
            return otherwise

    def write(self, name: str, value: object) -> None:
        aside = f"{self.folder}/.{name}.part"
        with open(aside, "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, f"{self.folder}/{name}")


class Request:
    def __init__(self, head: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.method, path, _ = lines[0].split(" ", 2)
        _, self.kind, self.key = [*path.split("/", 2), "", ""][:3]
        fields = (line.partition(":") for line in lines[1:])
        self.headers = {name.lower(): value.strip() for name, _, value in fields}
        self.length = int(self.headers.get("content-length", "0"))
        self.body = ""


class Server:
    def __init__(self, config: dict[str, Any], version: str) -> None:
        self.config, self.version = config, version
        self.log = open(config["log"], "a", buffering=1)
        self.store = Store(config["data"])
        with open(config["password_file"]) as file:
            self.password = file.read().strip()
        self.writes = self.refused = 0
        self.leaving_until = 0.0  # a leave that is given up lets writes in again
        self.reload()

    def say(self, level: str, message: str) -> None:
        now = dt.datetime.now(dt.timezone.utc)
        self.log.write(f"{now.isoformat(timespec='milliseconds')} {level} {message}\n")

    def reload(self) -> None:
        with open(f"{self.config['conf']}/greeting.txt") as file:
            self.greeting = file.read().strip()
        self.say("INFO", f"greeting is {self.greeting!r}")

    def status(self) -> dict[str, Any]:
        return {
            "member": self.config["name"],
            "role": "leader" if self.config["ordinal"] == 0 else "follower",
            "version": self.version,
            "greeting": self.greeting,
            "incarnation": self.config["incarnation"],
            "records": len(self.store.living()),
            "logins": sorted(self.store.logins),
            "group": self.store.group["members"],
            "formed": len(self.store.group["formed"]),
            "pid": os.getpid(),
        }

    def who(self, request: Request) -> str:
        """Return the name of the login, "" when there is none or its password is wrong."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return ""
        user, _, password = base64.b64decode(token).decode().partition(":")
        if user == "admin":
            return user if hmac.compare_digest(password, self.password) else ""
        known = self.store.logins.get(user, "")
        given = hashlib.sha256(password.encode()).hexdigest()
        return user if known and hmac.compare_digest(known, given) else ""

    def control(self, request: Request) -> Answer:
        """Answer the agent: plain HTTP on the internal port."""
        if request.kind == "ready":
            return (503, "told not to") if self.config["fail"] == "ready" else (200, "ready")
        if request.kind == "status":
            return 200, self.status()
        if request.kind != "metrics":
            return 404, "no such thing"
        if self.who(request) != "admin":
            return 401, "who are you?"
        counts = {"writes": self.writes, "refused": self.refused}
        return 200, {"records": len(self.store.living()), **counts}

    def api(self, request: Request) -> Answer:
        """Answer clients: HTTPS, with a login."""
        user = self.who(request)
        if user and request.kind == "records":
            return self.serve_record(request)
        if user and (request.method, request.kind) == ("GET", "status"):
            return 200, self.status()
        if user != "admin":
            self.refused += 1
            self.say("WARN", f"refused {request.method} /{request.kind} to {user or 'a stranger'}")
            return 401, "who are you?"
        return self.serve_admin(request)

    def serve_record(self, request: Request) -> Answer:
        store, key = self.store, request.key
        if request.method == "GET" and not key:
            everything = request.headers.get("x-records") == "all"
            return 200, store.records if everything else store.living()
        if request.method == "GET":
            found = store.living().get(key)
            return (200, found) if found is not None else (404, "no such record")
        if request.method not in ("PUT", "DELETE") or not key:
            return 405, "PUT, GET or DELETE a record"
        if store.left or time.monotonic() < self.leaving_until:
            self.refused += 1
            return 503, "this member is leaving"
        at = float(request.headers.get("x-at", time.time()))
        store.put(key, request.body if request.method == "PUT" else None, at)
        self.writes += 1
        return 200, "stored"

    def serve_admin(self, request: Request) -> Answer:
        store = self.store
        match request.method, request.kind:
            case "GET", "logins":
                return 200, store.logins
            case "PUT" | "DELETE", "logins":
                store.logins.pop(request.key, None)
                if request.method == "PUT":
                    store.logins[request.key] = request.body
                store.write("logins.json", store.logins)
            case "PUT", "group":
                told, formed = json.loads(request.body), store.group["formed"]
                new = [told["formed"]] if told["formed"] not in (None, *formed) else []
                store.group = {"members": told["members"], "formed": formed + new}
                store.write("group.json", store.group)
            case "PUT", "flush":
                store.flush()
            case "PUT", "leave":
                self.leaving_until = time.monotonic() + 10
                if request.body == "done":  # for good: its records are another's now
                    store.left = True
                    store.write("left", True)
            case _:
                return 404, "no such thing"
        return 200, "done"

    async def serve(
        self,
        answer: Callable[[Request], Answer],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Answer the requests of one connection until either side closes it."""
        try:
            while await serve_one(answer, reader, writer):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # went away, or speaks no HTTP
        finally:
            writer.close()

    async def run(self) -> None:
        config, stopped = self.config, asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        await asyncio.sleep(config["delay_ms"] / 1000)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(config["certificate"], config["key"])
        bind = config["bind"]
        for answer, port, context in ((self.api, "api", tls), (self.control, "control", None)):
            serve = functools.partial(self.serve, answer)
            await asyncio.start_server(serve, bind, config[port], ssl=context, reuse_address=True)
        self.say("INFO", f"{self.greeting}, {self.version} listens on {bind}:{config['api']}")
        await stopped.wait()
        self.store.flush()
        self.say("INFO", "stops")


async def serve_one(
    answer: Callable[[Request], Answer], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Answer one request; return whether another may follow."""
    request = Request(await reader.readuntil(b"\r\n\r\n"))
    if request.length > LARGEST_BODY:
        return False
    request.body = (await reader.readexactly(request.length)).decode()
    try:
        status, value = answer(request)
    except ValueError as error:
        status, value = 405, str(error)
    content = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    kind = "text/plain" if isinstance(value, str) else "application/json"
    head = f"HTTP/1.1 {status} {HTTP[status]}\r\nContent-Type: {kind}\r\n"
    writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    await writer.drain()
    return request.headers.get("connection", "").lower() != "close"


def main() -> None:
    with open(sys.argv[1]) as file:
        config = json.load(file)
    if config["fail"] == "start":
        sys.exit("cannot start: told not to (knob fail=start)")
    asyncio.run(Server(config, sys.argv[3]).run())


if __name__ == "__main__":
    main()
