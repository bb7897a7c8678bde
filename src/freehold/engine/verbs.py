"""What a new verb does to the one that is still on its way: refused, in turn, or instead of it.

A pure table. Nothing is ever queued as a command: every accepted verb is an edit of the wish at
once. "In turn" means that both edits stand in the wish and the planner carries them out one after
the other; "instead" means that the newer edit ends what the older one was about.
"""

from __future__ import annotations

from enum import StrEnum


class Encounter(StrEnum):
    REFUSED = "refused"
    IN_TURN = "in turn"
    INSTEAD = "instead"


VERBS = (
    "install",
    "scale",
    "start",
    "stop",
    "restart",
    "rebuild",
    "protect",
    "uninstall",
    "purge",
)

# A purge has no way back; whatever else runs gives way to the verbs that must always get through.
_ALWAYS = frozenset({"stop", "uninstall", "purge"})
# Edits of other fields of the wish: neither ends what the other is about.
_IN_TURN = frozenset(
    {
        ("scale", "install"),
        ("restart", "install"),
        ("restart", "scale"),
        ("restart", "rebuild"),
        ("rebuild", "scale"),
        ("rebuild", "restart"),
        ("rebuild", "rebuild"),
        ("scale", "restart"),
        ("scale", "rebuild"),
        ("scale", "start"),
        ("scale", "stop"),
        ("restart", "start"),
        ("rebuild", "start"),
    }
)
# Verbs that mean nothing while the service goes away or stands still.
_REFUSED = frozenset(
    {
        ("scale", "uninstall"),
        ("start", "uninstall"),
        ("stop", "uninstall"),
        ("restart", "uninstall"),
        ("rebuild", "uninstall"),
        ("restart", "stop"),
        ("rebuild", "stop"),
        ("rebuild", "install"),
    }
)


def encounter(verb: str, running: str) -> Encounter:
    """Return what happens when ``verb`` is asked for while ``running`` is on its way."""
    if running == "purge" or (verb, running) in _REFUSED:
        return Encounter.REFUSED
    if verb in _ALWAYS:
        return Encounter.INSTEAD
    if "protect" in (verb, running) or (verb, running) in _IN_TURN:
        return Encounter.IN_TURN
    return Encounter.INSTEAD
