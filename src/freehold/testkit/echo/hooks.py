"""What can be done inside an Echo member. Every hook looks first, so it may be called any number of times."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from freehold.agent.hook import Arguments, Done, Failed, Member, Progress

CALL_S = 2.0
BUDGET_S = 5.0  # of the 10 s that one call of a hook may take


class Refused(Exception):
    """The other member answered, but not with 200."""


class Caller:
    """Talks to members as their superuser, over TLS, one connection each; ``with`` closes them."""

    def __init__(self, member: Member) -> None:
        config = json.loads((Path(member.conf) / "server.json").read_text())
        self._port = config["api"]
        self._tls = ssl.create_default_context(cafile=config["ca"])
        login = f"admin:{member.secrets['superuser']}".encode()
        self._headers = {"Authorization": "Basic " + base64.b64encode(login).decode()}
        self._addresses = member.addresses
        self._lines: dict[str, http.client.HTTPSConnection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for line in self._lines.values():
            line.close()

    def call(self, name: str, method: str, path: str, body: str = "", **headers: str) -> Any:
        """Return the answer. Raises OSError when nobody answers, Refused when not with 200."""
        if name not in self._addresses:
            raise Refused(f"{name} has no address yet")
        line = self._lines.get(name)
        if line is None:
            line = http.client.HTTPSConnection(
                self._addresses[name], self._port, context=self._tls, timeout=CALL_S
            )
            self._lines[name] = line
        sent = {header.replace("_", "-"): value for header, value in headers.items()}
        line.request(method, path, body=body.encode(), headers={**self._headers, **sent})
        answer = line.getresponse()
        content = answer.read().decode()
        if answer.status != http.client.OK:
            raise Refused(f"{name} answered {answer.status}: {content}")
        is_json = answer.headers.get_content_type() == "application/json"
        return json.loads(content) if is_json else content


def _wanted(member: Member) -> list[str]:
    return list(member.facts["members"])


def _tell_all(member: Member, formed: str | None) -> Done | Progress:
    """Make every member know the group and the logins; wait for those that do not answer."""
    group = _wanted(member)
    with Caller(member) as caller:
        logins = caller.call(member.name, "GET", "/logins")
        for told, name in enumerate(group):
            try:
                caller.call(name, "PUT", "/group", json.dumps({"members": group, "formed": formed}))
                for user, secret in logins.items():
                    caller.call(name, "PUT", f"/logins/{user}", secret)
            except (OSError, Refused) as error:
                return Progress(f"{name} does not answer yet: {error}", told / len(group), 0.3)
    return Done({"members": group})


def form(member: Member, arguments: Arguments) -> Done | Progress:
    return _tell_all(member, member.key or "formed")


def regroup(member: Member, arguments: Arguments) -> Done | Progress:
    return _tell_all(member, None)


def leave(member: Member, arguments: Arguments) -> Done | Progress | Failed:
    """Take no more writes, copy to another member what it lacks, then go for good."""
    others = [name for name in _wanted(member) if name != member.name]
    if not others:
        return Failed("there is nobody to hand its records to")
    with Caller(member) as caller:
        caller.call(member.name, "PUT", "/leave")
        own = caller.call(member.name, "GET", "/records", x_records="all")
        for other in others:
            try:
                left = _copy(caller, own, other)
            except (OSError, Refused):
                continue  # the next one, then
            if left:
                return Progress(f"{left} records left for {other}", 1 - left / len(own), 0.0)
            caller.call(member.name, "PUT", "/leave", "done")
            return Done({"records": len(own), "to": other})
    return Progress("no other member answers", None, 0.5)


def _copy(caller: Caller, own: Mapping[str, Any], other: str) -> int:
    """Copy what the other lacks or has older, as long as the time lasts; return how many are left."""
    until = time.monotonic() + BUDGET_S
    there = caller.call(other, "GET", "/records", x_records="all")
    missing = [key for key, (at, _) in own.items() if key not in there or there[key][0] < at]
    for number, key in enumerate(missing):
        if time.monotonic() > until:
            return len(missing) - number
        at, value = own[key]
        method = "DELETE" if value is None else "PUT"
        caller.call(other, method, f"/records/{key}", value or "", x_at=repr(at))
    return 0


def flush(member: Member, arguments: Arguments) -> Done:
    with Caller(member) as caller:
        caller.call(member.name, "PUT", "/flush")
    return Done()


def check(member: Member, arguments: Arguments) -> Done | Failed:
    token = str(arguments.get("token") or member.key or "check")
    key = "check-" + hashlib.sha256(token.encode()).hexdigest()[:16]
    began = time.monotonic()
    with Caller(member) as caller:
        caller.call(member.name, "PUT", f"/records/{key}", token)
        read = caller.call(member.name, "GET", f"/records/{key}")
        caller.call(member.name, "DELETE", f"/records/{key}")
    if read != token:
        return Failed(f"wrote {token!r} and read {read!r}")
    took_ms = (time.monotonic() - began) * 1000
    return Done({"detail": f"wrote and read back one record in {took_ms:.0f} ms"})


def user(member: Member, arguments: Arguments) -> Done | Progress:
    """Create a login, change its password or drop it, on every member."""
    name, group = str(arguments["user"]), _wanted(member)
    dropped = arguments.get("wanted", "present") == "absent"
    password = "" if dropped else member.secrets[str(arguments["secret"])]
    hashed = hashlib.sha256(password.encode()).hexdigest()
    with Caller(member) as caller:
        for told, other in enumerate(group):
            try:
                if dropped:
                    caller.call(other, "DELETE", f"/logins/{name}")
                else:
                    caller.call(other, "PUT", f"/logins/{name}", hashed)
            except (OSError, Refused) as error:
                return Progress(f"{other} does not answer yet: {error}", told / len(group), 0.3)
    return Done({"user": name})
