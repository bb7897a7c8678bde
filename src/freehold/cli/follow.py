"""Follow an operation to its end, live on a terminal, line by line elsewhere.

Leaving (Ctrl-C, a closed terminal) never ends the operation: it lives in the daemon. When the
daemon goes away, it is started again and followed further.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from shutil import get_terminal_size
from typing import Any

from freehold.cli.client import Client
from freehold.cli.live import Live
from freehold.cli.text import cut, has_colours, width_of
from freehold.cli.views.progress import Story, picture
from freehold.foundation.errors import FreeholdError, PermanentFault, RefusedError, TransientFault

View = Mapping[str, Any]
_REDRAW_S = 0.25
_LOST_IN_A_ROW = 5


class InterruptedWait(Exception):
    """Ctrl-C while waiting. No KeyboardInterrupt: typer would swallow whose operation it was."""

    def __init__(self, operation: View) -> None:
        super().__init__()
        self.operation = operation


def follow(client: Client, operation: View, *, silent: bool = False) -> View:
    """Show the operation until it has ended and return its last view.

    Args:
        silent: wait without a word (``-o json``: stdout carries only the answer).

    Raises:
        InterruptedWait: Ctrl-C; the operation goes on.
        TransientFault: the daemon could not be reached any more.
    """
    try:
        if silent:
            return _last(_views(client, operation))
        if sys.stdout.isatty():
            return _follow_live(client, operation)
        return _follow_plain(client, operation)
    except KeyboardInterrupt as error:
        raise InterruptedWait(operation) from error


def judge(view: View) -> None:
    """Raise when the operation did not end well."""
    phase, name = view.get("phase"), f"{view['verb']} {view['service']}"
    reason = view.get("reason") or "no reason was recorded"
    show = f"freehold operations show {view['id']}"
    if phase == "failed":
        raise PermanentFault(f"cannot finish {name}: {reason}", next_command=show)
    if phase == "cancelled":
        raise RefusedError(f"cannot finish {name}: it was cancelled", next_command=show)
    if phase == "superseded":
        raise RefusedError(f"cannot finish {name}: {reason}", next_command=show)


def interrupted_lines(operation: View) -> list[str]:
    name = f"{operation['verb']} {operation['service']}"
    return [
        f"{name} goes on without you",
        f"  follow: freehold operations wait {operation['id']}",
        f"  cancel: freehold operations cancel {operation['id']}",
    ]


def _views(client: Client, operation: View) -> Iterator[View]:
    """Yield each change of the operation, across deaths of the daemon."""
    lost = 0
    path = f"/v1/operations/{operation['id']}/watch"
    while True:
        try:
            for view in client.stream(path):
                lost = 0
                yield view
                if view.get("phase") != "running":
                    return
            lost += 1  # the stream ended, the operation did not
        except TransientFault:
            lost += 1
            if lost >= _LOST_IN_A_ROW:
                raise
        if lost >= _LOST_IN_A_ROW:
            raise TransientFault(
                f"cannot follow operation {operation['id']}: the daemon ends every watch",
                next_command="freehold daemon status",
            )


def _follow_plain(client: Client, operation: View) -> View:
    story = Story(colours=False)
    last = operation
    for view in _views(client, operation):
        last = view
        for line in story.news(view, now=time.time(), tell_running=True):
            print(line, flush=True)
    return last


def _follow_live(client: Client, operation: View) -> View:
    """Draw in this thread, read in another: the clock ticks while nothing happens."""
    changes: queue.SimpleQueue[View | FreeholdError | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(client, operation, changes), daemon=True).start()
    colours = has_colours(sys.stdout)
    story, last = Story(colours=colours), operation
    with Live(sys.stdout) as live:
        while True:
            change = _next(changes)
            if isinstance(change, FreeholdError):
                raise change
            if change is None:
                return last
            last = change if isinstance(change, Mapping) else last
            width, height = width_of(sys.stdout), max(get_terminal_size().lines - 2, 4)
            now = time.time()
            news = story.news(last, now=now, tell_running=False)
            drawn = picture(last, now=now, width=width, height=height, colours=colours)
            live.show([cut(line, width + 9 * colours) for line in news], drawn)


class _Tick:
    pass


def _next(
    changes: queue.SimpleQueue[View | FreeholdError | None],
) -> View | FreeholdError | _Tick | None:
    try:
        return changes.get(timeout=_REDRAW_S)
    except queue.Empty:
        return _Tick()


def _read(
    client: Client, operation: View, changes: queue.SimpleQueue[View | FreeholdError | None]
) -> None:
    try:
        for view in _views(client, operation):
            changes.put(view)
    except FreeholdError as error:
        changes.put(error)
    else:
        changes.put(None)


def _last(views: Iterator[View]) -> View:
    last: View = {}
    for view in views:
        last = view
    return last
