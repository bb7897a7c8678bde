"""Decide the next thing to do with a member's main process. Pure; asked again after every change.

Rules, strongest first:

1. Not wanted (stopped, fenced, the agent is leaving): it ends.
2. A restart stamp that was not carried out, or a change that needs a restart: it ends; the next
   decision starts it.
3. A change that can be reloaded is reloaded, any other is only written.
4. Wanted and not alive: it starts, once its back-off is over.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a process was, or shall be, started with."""

    revision: str
    restart_hash: str
    reload_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    wanted: bool
    alive: bool
    target: Marks
    running: Marks | None = None
    restart_ordered: str = ""
    restart_done: str = ""
    place_changed: bool = False
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: float


@dataclass(frozen=True, slots=True)
class Start:
    pass


@dataclass(frozen=True, slots=True)
class Stop:
    because: str


@dataclass(frozen=True, slots=True)
class Refresh:
    """Write the files; ``reload``: and tell the software."""

    reload: bool


Step = Rest | Wait | Start | Stop | Refresh


def decide(view: View) -> Step:
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
