"""What a change of a member's spec costs, as digests over canonical JSON.

``restart_hash``  version, commands, environments, restart files, listeners, volumes' names and
                  kinds, memory, CPU, account: what only a new process sees.
``reload_hash``   files the software can be told to read again.
``revision``      everything, so also what is live: probes, hooks, log rules, peers, facts.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import msgspec

from freehold.foundation.member import Change, MemberSpec


def sealed(spec: MemberSpec) -> MemberSpec:
    """Return the spec with its three digests; any it carried before do not count."""
    bare = dataclasses.replace(spec, restart_hash="", reload_hash="", revision="")
    return dataclasses.replace(
        bare,
        restart_hash=_digest(_restart_part(bare)),
        reload_hash=_digest(
            [(file.path, file.text) for file in bare.files if file.changes is Change.RELOAD]
        ),
        revision=_digest(bare),
    )


def _restart_part(spec: MemberSpec) -> Any:
    return {
        "version": spec.version,
        "main": spec.main,
        "companions": spec.companions,
        "files": [
            (file.path, file.text)
            for file in spec.files
            if file.changes in (Change.RESTART, Change.REBUILD)
        ],
        "listeners": spec.listeners,
        "volumes": [(volume.name, volume.kind) for volume in spec.volumes],
        "memory": spec.memory_bytes,
        "cpu": spec.cpu,
        "account": spec.account_named,
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()
