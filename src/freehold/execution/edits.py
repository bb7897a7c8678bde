"""Edits of a wish as operations: what an edit changed, and how it goes back.

Pure. An operation keeps the fields it edited, before and after; cancelling it is one more edit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from freehold.engine.wish import Want, Wish

_NEVER_AN_EDIT = {"generation"}


def difference(before: Wish, after: Wish) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the edited fields as they were and as they are."""
    names = [
        field.name
        for field in fields(Wish)
        if field.name not in _NEVER_AN_EDIT
        and getattr(before, field.name) != getattr(after, field.name)
    ]
    return (
        {name: getattr(before, name) for name in names},
        {name: getattr(after, name) for name in names},
    )


def revert(wish: Wish, before: Mapping[str, Any]) -> Wish:
    """Return the wish with an operation's fields gone back.

    An install has nothing before it: cancelled, the service is uninstalled and its volumes kept.
    """
    if not before:
        return replace(wish, want=Want.UNINSTALLED, generation=wish.generation + 1)
    known = {field.name for field in fields(Wish)}
    edited = {name: value for name, value in before.items() if name in known}
    if "want" in edited:
        edited["want"] = Want(edited["want"])
    return replace(wish, **edited, generation=wish.generation + 1)
