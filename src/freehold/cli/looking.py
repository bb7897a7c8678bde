"""What ``list`` and ``status`` do, whichever way their words were read. Imports stay few."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from freehold.cli.client import Client, connected
from freehold.cli.output import show, show_each
from freehold.cli.text import has_colours, say, width_of
from freehold.cli.views.services import list_lines, status_lines


def show_list(*, everything: bool, project: str, output: str) -> None:
    services = connected(say).get("/v1/services", {"all": everything})
    if project:
        services = [service for service in services if service.get("project") == project]
    show(services, output, lambda answer: list_lines(answer, **_manner()))


def show_status(service: str, *, watch: bool, output: str) -> None:
    client = connected(say)
    if watch:
        _watch(client, service, output)
        return
    if service:
        show(client.get(f"/v1/services/{service}"), output, _status)
    else:
        show(client.get("/v1/services"), output, _all_statuses)


def _watch(client: Client, service: str, output: str) -> None:
    """On a terminal: one screen that is drawn again; elsewhere: each change once."""
    if output == "text" and sys.stdout.isatty():
        _watch_screen(client, service)
        return
    last: list[str] = []

    def changed(view: Any) -> Iterable[str]:
        # Ages alone are no change.
        nonlocal last
        lines = list(_stable(view))
        new = [line for line in lines if line not in last]
        last = lines
        return new

    show_each(_polled(client, service), output, changed)


def _watch_screen(client: Client, service: str) -> None:
    from shutil import get_terminal_size

    from freehold.cli.live import Live

    with Live(sys.stdout) as live:
        for answer in _polled(client, service, every=True):
            views = answer if isinstance(answer, list) else [answer]
            lines = list(_all_statuses(views))
            height = max(get_terminal_size().lines - 1, 2)
            live.show((), lines[:height])


def _polled(client: Client, service: str, *, every: bool = False) -> Iterator[Any]:
    """Ask once a second: ages move on a screen even when the daemon has nothing to tell."""
    path = f"/v1/services/{service}" if service else "/v1/services"
    before = None
    while True:
        answer = client.get(path)
        if every or answer != before:
            yield answer
        before = answer
        time.sleep(1.0)


def _stable(answer: Any) -> Iterator[str]:
    for view in answer if isinstance(answer, list) else [answer]:
        yield f"{view['name']}: {view['state']} {view.get('reason') or ''}".rstrip()
        for member in view.get("members") or ():
            yield f"  {member['name']}: {member['state']} {member.get('reason') or ''}".rstrip()
        yield from (f"  {wait}" for wait in view.get("waits") or ())


def _status(view: Any) -> Iterator[str]:
    return status_lines(view, **_manner())


def _all_statuses(views: Any) -> Iterator[str]:
    if not views:
        yield from list_lines(views, **_manner())
    for number, view in enumerate(views):
        if number:
            yield ""
        yield from _status(view)


def _manner() -> dict[str, Any]:
    return {
        "now": time.time(),
        "width": width_of(sys.stdout),
        "colours": has_colours(sys.stdout),
    }
