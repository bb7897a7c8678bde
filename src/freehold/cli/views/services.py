"""How services look: ``list``, ``status``, ``describe`` and what install ends with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freehold.cli.text import age, amount, cut, painted, painted_state, table, wrapped

View = Mapping[str, Any]


def list_lines(services: Sequence[View], *, now: float, width: int, colours: bool) -> list[str]:
    if not services:
        return ["no services yet", "next: freehold catalog"]
    head = ("NAME", "PACKAGE", "VERSION", "STATE", "MEMBERS", "AGE", "ENDPOINT")
    rows = [
        (
            service["name"],
            service["package"],
            service["version"],
            service["state"],
            f"{service.get('members_ready', 0)}/{service.get('members_wanted', 0)}",
            age(now - service["created_at"]) if service.get("created_at") else "-",
            _first_endpoint(service),
        )
        for service in services
    ]
    lines = table(head, rows, width=width)
    return _painted_column(lines, rows, 3, on=colours)


def status_lines(service: View, *, now: float, width: int, colours: bool) -> Iterator[str]:
    """Yield what one asks after "how is it": state, members, endpoints, what it waits for."""
    ready = f"{service.get('members_ready', 0)}/{service.get('members_wanted', 0)} members ready"
    title = painted(service["name"], "bold", on=colours)
    state = painted_state(service["state"], on=colours)
    yield f"{title}: {state}, {service['package']} {service['version']}, {ready}"
    if service.get("reason"):
        yield from wrapped(service["reason"], width, "  ")
    if service.get("survives"):
        yield from wrapped(f"survives: {service['survives']}", width, "  ")
    if service.get("members"):
        yield ""
        yield from member_lines(service["members"], now=now, width=width, colours=colours)
    if service.get("endpoints"):
        yield ""
        yield from endpoint_lines(service["endpoints"], width=width)
    for alert in service.get("alerts") or ():
        yield from wrapped(f"alert: {alert.get('summary') or alert.get('name')}", width, "  ")
    waits = service.get("waits") or ()
    if waits:
        yield ""
    for wait in waits:
        yield from wrapped(wait, width, "  ")
    if service.get("operation"):
        yield ""
        yield f"next: freehold operations show {service['operation']}"


def member_lines(
    members: Sequence[View], *, now: float, width: int, colours: bool
) -> Iterator[str]:
    head = ("MEMBER", "STATE", "ROLE", "ADDRESS", "SINCE", "RESTARTS", "PROBED")
    rows = [
        (
            member["name"],
            member["state"] + ("" if member.get("up_to_date", True) else "*"),
            member.get("role") or "-",
            member.get("address") or "-",
            age(now - member["since"]) if member.get("since") else "-",
            str(member.get("restarts", 0)),
            f"{age(member['probed_age_s'])} ago" if member.get("probed_age_s") is not None else "-",
        )
        for member in members
    ]
    lines = _painted_column(table(head, rows, width=width), rows, 1, on=colours)
    yield lines[0]
    for line, member in zip(lines[1:], members, strict=True):
        yield line
        reason = member.get("reason") or ""
        if reason and member["state"] != "ready":
            yield from wrapped(reason, width, "    ")
        if member.get("last_exit") and member["state"] in ("backoff", "down", "starting"):
            yield from wrapped(f"last exit: {member['last_exit']}", width, "    ")
    if any(not member.get("up_to_date", True) for member in members):
        yield cut("* has not got its newest revision yet", width)


def endpoint_lines(endpoints: Sequence[View], *, width: int) -> Iterator[str]:
    """Yield a table in which no address is ever cut: what does not fit goes below."""
    rows = []
    for endpoint in endpoints:
        addresses = endpoint.get("addresses") or ["(nobody is ready)"]
        head = (endpoint["name"], endpoint["protocol"], endpoint.get("tls") or "none")
        fits = sum(map(len, head)) + 20 + sum(len(each) + 2 for each in addresses) <= width
        shown_below = [", ".join(addresses)] if fits else addresses
        rows.append((*head, shown_below[0]))
        rows += [("", "", "", address) for address in shown_below[1:]]
    yield from table(("ENDPOINT", "PROTOCOL", "TLS", "ADDRESSES"), rows, width=10_000)


def describe_lines(service: View, *, now: float, width: int, colours: bool) -> Iterator[str]:
    yield from status_lines(service, now=now, width=width, colours=colours)
    yield ""
    yield from _pairs(
        [
            ("Want", service.get("want", "")),
            ("Preset", service.get("preset") or "-"),
            ("Project", service.get("project", "")),
            ("Protected", "yes: purge needs --unprotect" if service.get("protected") else "no"),
            ("Generation", f"{service.get('observed_generation')} of {service.get('generation')}"),
            ("Definition", service.get("definition", "")),
            ("Lineage", service.get("lineage", "")),
        ]
    )
    if service.get("knobs"):
        yield ""
        yield "Knobs:"
        yield from (
            cut(f"  {key}: {shown(value)}", width) for key, value in service["knobs"].items()
        )
    yield from _conditions(service, now, width)
    yield from _details(service.get("members") or ())


def installed_lines(service: View, *, took_s: float, width: int) -> Iterator[str]:
    """Yield the endpoints and what to type next, after a service has become ready."""
    name = service["name"]
    yield f"{name} is ready after {took_s:.1f} s"
    yield ""
    yield from endpoint_lines(service.get("endpoints") or (), width=width)
    if service.get("survives"):
        yield from wrapped(f"survives: {service['survives']}", width)
    yield ""
    yield "next:"
    for command, why in (
        (f"freehold bind {name} my-app", "credentials for an application"),
        (f"freehold connect {name}", "a client, or a snippet for your language"),
        (f"freehold check {name}", "write one thing and read it back"),
        (f"freehold status {name} --watch", "see it live"),
    ):
        yield cut(f"  {command:<36}  {why}", width)


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "(none)"
    return str(value)


def _conditions(service: View, now: float, width: int) -> Iterator[str]:
    conditions = service.get("conditions") or ()
    if not conditions:
        return
    yield ""
    rows = [
        (
            str(condition.get("type", "")),
            str(condition.get("status", "")),
            age(now - condition["since"]) if condition.get("since") else "-",
            str(condition.get("message") or condition.get("reason") or ""),
        )
        for condition in conditions
    ]
    yield from table(("CONDITION", "STATUS", "SINCE", "MESSAGE"), rows, width=width)


def _details(members: Sequence[View]) -> Iterator[str]:
    for member in members:
        yield ""
        yield f"{member['name']}:"
        facts = [
            ("Version", member.get("version") or "-"),
            ("Revision", member.get("revision") or "-"),
            ("Incarnation", str(member.get("incarnation", 0))),
            ("Process", f"{member.get('pid') or '-'} (agent {member.get('agent_pid') or '-'})"),
            ("Data", amount(member.get("data_bytes"))),
        ]
        if member.get("last_exit"):
            facts.append(("Last exit", member["last_exit"]))
        yield from _pairs(facts, indent="  ")


def _pairs(pairs: Sequence[tuple[str, str]], indent: str = "") -> Iterator[str]:
    """Values here are copied by people: they are never cut."""
    longest = max(len(key) for key, _ in pairs)
    for key, value in pairs:
        yield f"{indent}{key + ':':<{longest + 1}} {value}"


def _first_endpoint(service: View) -> str:
    for endpoint in service.get("endpoints") or ():
        addresses = endpoint.get("addresses") or ()
        if addresses:
            more = f" +{len(addresses) - 1}" if len(addresses) > 1 else ""
            return f"{addresses[0]}{more}"
    return "-"


def _painted_column(
    lines: list[str], rows: Sequence[Sequence[str]], column: int, *, on: bool
) -> list[str]:
    """Colour one cell of each row after the table was laid out: codes have no width."""
    if not on or not rows:
        return lines
    start = lines[0].index("STATE")
    painted_rows = []
    for line, row in zip(lines[1:], rows, strict=True):
        cell = row[column]
        coloured = painted_state(cell.rstrip("*"), on=True) + cell[len(cell.rstrip("*")) :]
        painted_rows.append(line[:start] + coloured + line[start + len(cell) :])
    return [lines[0], *painted_rows]
