"""Decide the next thing to do with a member's main process. Pure; asked again after every change.

Rules, strongest first:

1. Not wanted (stopped, fenced, the agent is leaving): it ends.
2. A restart stamp that was not carried out, or a change that needs a restart: it ends; the next
   decision starts it.
3. A change that can be reloaded is reloaded, any other is only written.
4. Wanted and not alive: it starts, once its back-off is over.
"""

from __future__ import annotations

import msgspec


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What a process was, or shall be, started with."""

    revision: str
    restart_hash: str
    reload_hash: str


class View(msgspec.Struct, frozen=True, kw_only=True):
    wanted: bool
    alive: bool
    target: Marks
    running: Marks | None = None
    restart_ordered: str = ""
    restart_done: str = ""
    place_changed: bool = False
    wait_s: float = 0.0


class Rest(msgspec.Struct, frozen=True):
    """Nothing to do."""


class Wait(msgspec.Struct, frozen=True):
    seconds: float


class Start(msgspec.Struct, frozen=True):
    pass


class Stop(msgspec.Struct, frozen=True):
    because: str


class Refresh(msgspec.Struct, frozen=True):
    """Write the files; ``reload``: and tell the software."""

    reload: bool


Step = Rest | Wait | Start | Stop | Refresh


def decide(view: View) -> Step:  # noqa: PLR0911  one line a rule
    if not view.wanted:
        return Stop("it is not wanted") if view.alive else Rest()
    if not view.alive:
        return Wait(view.wait_s) if view.wait_s > 0 else Start()
    if view.restart_ordered and view.restart_ordered != view.restart_done:
        return Stop("a restart was ordered")
    if view.running is None or view.running.restart_hash != view.target.restart_hash:
        return Stop("its files or command changed")
    if view.running.reload_hash != view.target.reload_hash:
        return Refresh(reload=True)
    if view.running.revision != view.target.revision or view.place_changed:
        return Refresh(reload=False)
    return Rest()
