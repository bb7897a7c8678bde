"""Echo: keeps records in a file and says them back. Standard library only; one process, one file.

PUT is acknowledged after fsync. A half line at the end (killed while writing) was never
acknowledged and is cut off at the next start.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import hashlib
import hmac
import json
import os
import signal
import ssl
import sys
import time

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

    def read(self, name: str, otherwise: dict) -> dict:
        try:
            with open(f"{self.folder}/{name}") as file:
                return json.load(file)
        except FileNotFoundError:
            return otherwise

    def write(self, name: str, value: object) -> None:
        aside = f"{self.folder}/.{name}.part"
        with open(aside, "w") as file:
            json.dump(value, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, f"{self.folder}/{name}")


class Server:
    def __init__(self, config: dict, version: str) -> None:
        self.config, self.version = config, version
        self.log = open(config["log"], "a", buffering=1)
        self.store = Store(config["data"])
        with open(config["password_file"]) as file:
            self.password = file.read().strip()
        self.writes = self.refused = 0
        self.leaving_until = 0.0  # a leave that is given up lets writes in again
        self.reload()

    def say(self, level: str, message: str) -> None:
        now = datetime.datetime.now(datetime.timezone.utc)
        self.log.write(f"{now.isoformat(timespec='milliseconds')} {level} {message}\n")

    def reload(self) -> None:
        with open(f"{self.config['conf']}/greeting.txt") as file:
            self.greeting = file.read().strip()
        self.say("INFO", f"greeting is {self.greeting!r}")

    def status(self) -> dict:
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

    def who(self, headers: dict[str, str]) -> str:
        """Return the name of the login, "" when there is none or its password is wrong."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() != "basic":
            return ""
        user, _, password = base64.b64decode(token).decode().partition(":")
        if user == "admin":
            return user if hmac.compare_digest(password, self.password) else ""
        known = self.store.logins.get(user, "")
        given = hashlib.sha256(password.encode()).hexdigest()
        return user if known and hmac.compare_digest(known, given) else ""

    def control(self, method: str, path: str, headers: dict, body: str) -> tuple[int, object]:
        """Answer the agent: plain HTTP on the internal port."""
        match path:
            case "/ready":
                return (503, "told not to") if self.config["fail"] == "ready" else (200, "ready")
            case "/status":
                return 200, self.status()
            case "/metrics" if self.who(headers) == "admin":
                counts = {"writes": self.writes, "refused": self.refused}
                return 200, {"records": len(self.store.living()), **counts}
        return 401 if path == "/metrics" else 404, "no"

    def api(self, method: str, path: str, headers: dict, body: str) -> tuple[int, object]:
        """Answer clients: HTTPS, with a login."""
        user = self.who(headers)
        _, kind, key, *_ = *path.split("/", 2), ""
        if not user or (kind in ("logins", "group", "flush", "leave") and user != "admin"):
            self.refused += 1
            self.say("WARN", f"refused {method} /{kind} without a login that may")
            return 401, "who are you?"
        if kind == "records":
            return self.serve_record(method, key, headers, body)
        match method, kind:
            case "GET", "status":
                return 200, self.status()
            case "GET", "logins":
                return 200, self.store.logins
            case "PUT", "logins":
                self.store.logins[key] = body
            case "DELETE", "logins":
                self.store.logins.pop(key, None)
            case "PUT", "group":
                told, formed = json.loads(body), self.store.group["formed"]
                formed = formed + [told["formed"]] * (told["formed"] not in [None, *formed])
                self.store.group = {"members": told["members"], "formed": formed}
                self.store.write("group.json", self.store.group)
            case "PUT", "flush":
                self.store.flush()
            case "PUT", "leave":
                self.leaving_until = time.monotonic() + 10
                if body == "done":  # for good: its records are another's now
                    self.store.left = True
                    self.store.write("left", True)
            case _:
                return 404, "no such thing"
        if kind == "logins":
            self.store.write("logins.json", self.store.logins)
        return 200, "done"

    def serve_record(self, method: str, key: str, headers: dict, body: str) -> tuple[int, object]:
        if method == "GET" and not key:
            return 200, self.store.records if "all" in headers.get("x-records", "") else self.store.living()
        if method == "GET":
            found = self.store.living().get(key)
            return (200, found) if found is not None else (404, "no such record")
        if method not in ("PUT", "DELETE") or not key:
            return 405, "PUT, GET or DELETE a record"
        if self.store.left or time.monotonic() < self.leaving_until:
            self.refused += 1
            return 503, "this member is leaving"
        self.store.put(key, body if method == "PUT" else None, float(headers.get("x-at", time.time())))
        self.writes += 1
        return 200, "stored"

    async def serve(self, answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.serve_one(answer, reader, writer):
                pass
        except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    async def serve_one(self, answer, reader, writer) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if length > LARGEST_BODY:
            return False
        body = (await reader.readexactly(length)).decode()
        try:
            status, value = answer(method, path, headers, body)
        except ValueError as error:
            status, value = 405, str(error)
        content = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        kind = "text/plain" if isinstance(value, str) else "application/json"
        head = f"HTTP/1.1 {status} {HTTP[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
        writer.write(head.encode() + content)
        await writer.drain()
        return headers.get("connection", "").lower() != "close"

    async def run(self) -> None:
        config, stopped = self.config, asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        await asyncio.sleep(config["delay_ms"] / 1000)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(config["certificate"], config["key"])
        ours = {"host": config["bind"], "reuse_address": True}
        await asyncio.start_server(lambda r, w: self.serve(self.api, r, w), port=config["api"], ssl=tls, **ours)
        await asyncio.start_server(lambda r, w: self.serve(self.control, r, w), port=config["control"], **ours)
        self.say("INFO", f"{self.greeting}, version {self.version} listens on {config['bind']}:{config['api']}")
        await stopped.wait()
        self.store.flush()
        self.say("INFO", "stops")


def main() -> None:
    with open(sys.argv[1]) as file:
        config = json.load(file)
    if config["fail"] == "start":
        sys.exit("cannot start: told not to (knob fail=start)")
    asyncio.run(Server(config, sys.argv[3]).run())


if __name__ == "__main__":
    main()
