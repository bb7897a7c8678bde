"""Decide the next thing to do with a member's main process. Pure; asked again after every change.

Rules, strongest first:

1. Not wanted (stopped, fenced, the agent is leaving): it ends.
2. A restart stamp that was not carried out, or a change that needs a restart: it ends; the next
   decision starts it.
3. A change that can be reloaded is reloaded, once the software can hear; any other is written.
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
    settles_s: float = 0.0  # it has just been started: not to be told anything for so long


class Rest(msgspec.Struct, frozen=True):
    """Nothing to do."""


class Wait(msgspec.Struct, frozen=True):
    seconds: float


class Hold(msgspec.Struct, frozen=True):
    """Leave it as it is for so long, then decide again."""

    seconds: float


class Start(msgspec.Struct, frozen=True):
    pass


class Stop(msgspec.Struct, frozen=True):
    because: str


class Refresh(msgspec.Struct, frozen=True):
    """Write the files; ``reload``: and tell the software."""

    reload: bool


Step = Rest | Wait | Hold | Start | Stop | Refresh


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
        return Hold(view.settles_s) if view.settles_s > 0 else Refresh(reload=True)
    if view.place_changed and view.settles_s > 0:
        return Hold(view.settles_s)
    if view.running.revision != view.target.revision or view.place_changed:
        return Refresh(reload=False)
    return Rest()
