"""What the consumer asked for. Every verb is an edit of a wish; nothing else is remembered of it.

A wish holds state (``knobs``, ``running``) and stamps (``restart``): a stamp that a member has
not carried out yet is carried out once. There is no "command" anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Want(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"
    UNINSTALLED = "uninstalled"  # members gone, volumes and secrets kept
    PURGED = "purged"  # everything gone, the record last


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The service's spec. ``generation`` rises with every edit."""

    service: str
    lineage: str
    package: str
    version: str
    definition: str  # digest of the pinned definition
    preset: str
    knobs: Mapping[str, Any]  # complete: defaults and preset already applied
    site: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    want: Want = Want.RUNNING
    restart: str = ""  # stamp; sorts by time: a member restarts only for a later one than its own
    rebuild: Mapping[str, int] = field(default_factory=dict)  # member -> least incarnation wanted
    founders: Mapping[str, int] = field(
        default_factory=dict
    )  # component -> members of the first boot
    protected: bool = False
    project: str = "default"
    generation: int = 1
