"""What can be done inside an Echo member. Every hook looks first, so it may be called any number of times."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any

from freehold.agent.hook import Arguments, Done, Failed, Member, Progress

CALL_S = 2.0
BUDGET_S = 5.0  # of the 10 s that one call of a hook may take


class Refused(Exception):
    """The other member answered, but not with 200."""


class Caller:
    """Talks to members as their superuser, over TLS, one connection each."""

    def __init__(self, member: Member) -> None:
        config = json.loads((Path(member.conf) / "server.json").read_text())
        self._port = config["api"]
        self._tls = ssl.create_default_context(cafile=config["ca"])
        login = f"admin:{member.secrets['superuser']}".encode()
        self._headers = {"Authorization": "Basic " + base64.b64encode(login).decode()}
        self._addresses = member.addresses
        self._lines: dict[str, http.client.HTTPSConnection] = {}

    def call(self, name: str, method: str, path: str, body: str = "", **headers: str) -> Any:
        """Return the answer. Raises OSError when nobody answers, Refused when not with 200."""
        line = self._lines.get(name)
        if line is None:
            line = http.client.HTTPSConnection(
                self._addresses[name], self._port, context=self._tls, timeout=CALL_S
            )
            self._lines[name] = line
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
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
    caller, group = Caller(member), _wanted(member)
    logins = caller.call(member.name, "GET", "/logins")
    told = 0
    for name in group:
        try:
            caller.call(name, "PUT", "/group", json.dumps({"members": group, "formed": formed}))
            for user, secret in logins.items():
                caller.call(name, "PUT", f"/logins/{user}", secret)
        except (OSError, Refused) as error:
            return Progress(f"{name} does not answer yet: {error}", told / len(group), 0.3)
        told += 1
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
    caller, until = Caller(member), time.monotonic() + BUDGET_S
    caller.call(member.name, "PUT", "/leave")
    own = caller.call(member.name, "GET", "/records", x_records="all")
    for other in others:
        try:
            there = caller.call(other, "GET", "/records", x_records="all")
        except (OSError, Refused):
            continue
        missing = [key for key, (at, _) in own.items() if key not in there or there[key][0] < at]
        for number, key in enumerate(missing):
            if time.monotonic() > until:
                done = 1 - (len(missing) - number) / len(own)
                return Progress(f"{len(missing) - number} records left for {other}", done, 0.0)
            at, value = own[key]
            method = "DELETE" if value is None else "PUT"
            caller.call(other, method, f"/records/{key}", value or "", x_at=repr(at))
        caller.call(member.name, "PUT", "/leave", "done")
        return Done({"records": len(own), "to": other})
    return Progress("no other member answers", None, 0.5)


def flush(member: Member, arguments: Arguments) -> Done | Progress:
    Caller(member).call(member.name, "PUT", "/flush")
    return Done()


def check(member: Member, arguments: Arguments) -> Done | Failed:
    token = str(arguments.get("token") or member.key or "check")
    key = "check-" + hashlib.sha256(token.encode()).hexdigest()[:16]
    caller, began = Caller(member), time.monotonic()
    caller.call(member.name, "PUT", f"/records/{key}", token)
    read = caller.call(member.name, "GET", f"/records/{key}")
    caller.call(member.name, "DELETE", f"/records/{key}")
    if read != token:
        return Failed(f"wrote {token!r} and read {read!r}")
    return Done({"detail": f"wrote and read back one record in {(time.monotonic() - began) * 1000:.0f} ms"})


def user(member: Member, arguments: Arguments) -> Done | Progress:
    """Create a login, change its password or drop it, on every member."""
    caller, name = Caller(member), str(arguments["user"])
    group = _wanted(member)
    for told, other in enumerate(group):
        try:
            if arguments.get("wanted", "present") == "absent":
                caller.call(other, "DELETE", f"/logins/{name}")
            else:
                password = member.secrets[str(arguments["secret"])]
                hashed = hashlib.sha256(password.encode()).hexdigest()
                caller.call(other, "PUT", f"/logins/{name}", hashed)
        except (OSError, Refused) as error:
            return Progress(f"{other} does not answer yet: {error}", told / len(group), 0.3)
    return Done({"user": name})
