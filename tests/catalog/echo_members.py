"""Echo's members as plain processes, for tests of the package itself: no agent, no runtime."""

from __future__ import annotations

import datetime as dt
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from freehold.adapters import certificates
from freehold.agent.hook import Member

ECHO = Path(__file__).parents[2] / "src/freehold/testkit/echo"
PASSWORD = "planted-superuser-password"


class EchoMember:
    """One server and what a hook would be told about it."""

    def __init__(
        self, folder: Path, authority: certificates.Pair, addresses: dict[str, str], name: str
    ) -> None:
        self.name, self.folder, self.addresses = name, folder / name, addresses
        for part in ("conf", "data", "secrets"):
            (self.folder / part).mkdir(parents=True)
        bind = addresses[name]
        pair = certificates.make_certificate(authority, name, [name, bind], dt.datetime.now(dt.UTC))
        secrets = self.folder / "secrets"
        (secrets / "tls.key").write_bytes(pair.key)
        (secrets / "tls.crt").write_bytes(pair.certificate)
        (secrets / "ca.crt").write_bytes(authority.certificate)
        (secrets / "superuser").write_text(PASSWORD)
        (self.folder / "conf/greeting.txt").write_text("hello\n")
        self.configure()
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, **changes: Any) -> None:
        secrets, ordinal = self.folder / "secrets", int(self.name.rsplit("-", 1)[1])
        config = {
            "name": self.name,
            "ordinal": ordinal,
            "incarnation": 0,
            "bind": self.addresses[self.name],
            "api": 7070,
            "control": 7071,
            "data": str(self.folder / "data"),
            "log": str(self.folder / "echo.log"),
            "conf": str(self.folder / "conf"),
            "password_file": str(secrets / "superuser"),
            "certificate": str(secrets / "tls.crt"),
            "key": str(secrets / "tls.key"),
            "ca": str(secrets / "ca.crt"),
            "delay_ms": 0,
            "fail": "none",
            **changes,
        }
        (self.folder / "conf/server.json").write_text(json.dumps(config))

    def start(self) -> None:
        argv = [
            sys.executable,
            "-I",
            "-S",
            str(ECHO / "server.py"),
            str(self.folder / "conf/server.json"),
            "--version",
            "2.0",
        ]
        self.process = subprocess.Popen(argv)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def connects(self) -> bool:
        with socket.socket() as line:
            return line.connect_ex((self.addresses[self.name], 7071)) == 0

    def seen_by_hooks(self, members: list[str], key: str = "key", **secrets: str) -> Member:
        return Member(
            name=self.name,
            service="orders",
            component="node",
            ordinal=0,
            incarnation=0,
            version="2.0",
            bind=self.addresses[self.name],
            advertise=self.addresses[self.name],
            addresses=self.addresses,
            peers=tuple(members),
            volumes={"data": str(self.folder / "data")},
            conf=str(self.folder / "conf"),
            run=str(self.folder),
            software="",
            facts={"members": members},
            secrets={"superuser": PASSWORD, **secrets},
            key=key,
        )
