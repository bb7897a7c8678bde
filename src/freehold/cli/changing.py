"""The one way every changing verb goes: plan, ask when it destroys, send, follow, conclude."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.cli.client import Client, connected
from freehold.cli.follow import follow, judge
from freehold.cli.output import show
from freehold.cli.text import has_colours, say, width_of
from freehold.cli.views.plans import destroys, plan_lines
from freehold.foundation.errors import DefinitionError, RefusedError
from freehold.foundation.quantities import parse_duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the person wants a change carried out and shown."""

    dry_run: bool
    wait: bool
    timeout: str
    yes: bool
    output: str
    project: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One change: where it is sent and what it says."""

    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    asks: bool = True  # may plan something that destroys


def carry_out(wanted: Wanted, manner: Manner) -> Mapping[str, Any] | None:
    """Carry the change out as asked and return the operation's last view.

    None when there is nothing to follow up: a dry run, ``--no-wait``, ``-o json|yaml``.
    """
    client = connected(say)
    body = {**wanted.body, **_manner_of(manner)}
    if manner.dry_run:
        plan = client.send("POST", wanted.path, {**body, "dry_run": True})
        show(plan, manner.output, lambda answer: _plan(answer, whole=True))
        return None
    if wanted.asks and not manner.yes:
        _ask(client, wanted, body, manner)
    accepted = client.send("POST", wanted.path, body)
    return _conclude(client, accepted, manner)


def _conclude(
    client: Client, accepted: Mapping[str, Any], manner: Manner
) -> Mapping[str, Any] | None:
    operation = accepted["operation"]
    if manner.output != "text":
        if manner.wait:
            operation = follow(client, operation, silent=True)
        show({**accepted, "operation": operation}, manner.output, lambda _: ())
        if manner.wait:
            judge(operation)
        return None
    for line in _plan(accepted["plan"], whole=False):
        print(line)
    if not manner.wait:
        print(f"operation {operation['id']} was accepted")
        print(f"next: freehold operations wait {operation['id']}")
        return None
    print()
    last = follow(client, operation)
    judge(last)
    return last


def _manner_of(manner: Manner) -> dict[str, Any]:
    try:
        timeout_s = parse_duration(manner.timeout) if manner.timeout else None
    except ValueError as error:
        raise DefinitionError(
            f"cannot use --timeout: {error}", next_command="the same command with --timeout 10m"
        ) from error
    return {"dry_run": False, "timeout_s": timeout_s, "project": manner.project}


def _ask(client: Client, wanted: Wanted, body: Mapping[str, Any], manner: Manner) -> None:
    """Show a plan that destroys and have it confirmed; let every other plan pass."""
    plan = client.send("POST", wanted.path, {**body, "dry_run": True})
    if not destroys(plan):
        return
    if not sys.stdin.isatty():
        raise RefusedError(
            f"cannot {plan['verb']} {plan['service']} without a confirmation: the plan removes "
            "something for good and nobody can be asked here",
            next_command="the same command with --dry-run to see the plan, with --yes to go on",
        )
    show_plan(plan, manner)
    if answer_of("Go on? [y/N] ").lower() not in ("y", "yes"):
        raise RefusedError(f"cannot {plan['verb']} {plan['service']}: not confirmed")


def show_plan(plan: Mapping[str, Any], manner: Manner) -> None:
    """Print a plan that will be asked about; with ``-o json`` stdout is the answer's alone."""
    tell = print if manner.output == "text" else say
    for line in _plan(plan, whole=True):
        tell(line)


def answer_of(question: str) -> str:
    """Ask on stderr, so that a redirected stdout does not swallow the question."""
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _plan(plan: Mapping[str, Any], *, whole: bool) -> Iterable[str]:
    return plan_lines(
        plan, width=width_of(sys.stdout), colours=has_colours(sys.stdout), whole=whole
    )
