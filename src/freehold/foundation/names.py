"""Names: which are allowed, and how a member's name is derived from its place.

A name is a DNS label, because on Kubernetes it becomes one; at most 40 characters, because
``<service>-<component>-<ordinal>`` has to fit in one label of 63 as well.
"""

from __future__ import annotations

import re

LONGEST_SERVICE_NAME = 40
_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def fault_of_name(name: str, *, longest: int = LONGEST_SERVICE_NAME) -> str | None:
    """Return why ``name`` is not allowed, None when it is."""
    if not name:
        return "is empty"
    if len(name) > longest:
        return f"is {len(name)} characters long, {longest} are allowed"
    if not _LABEL.fullmatch(name):
        return "must be lower-case letters, digits and '-', starting with a letter"
    return None


def member_name(service: str, component: str, ordinal: int) -> str:
    """Return the name a member has for life: ``orders-node-0``."""
    return f"{service}-{component}-{ordinal}"
