"""What happened to a member lately: kept in memory, and appended to the agent's own log."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

KEPT = 200


class Events:
    def __init__(self, log_folder: str, member: str) -> None:
        self._path = Path(log_folder) / "agent.log"
        self._member = member
        self._recent: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.number = 0
        self._reload()

    def add(self, kind: str, message: str, severity: str = "info") -> None:
        """Record one event. A full disk costs the line on disk, not the event."""
        self.number += 1
        event = {
            "at": round(time.time(), 3),
            "kind": kind,
            "level": severity,
            "message": message,
            "member": self._member,
        }
        self._recent.append(event)
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(event) + b"\n")
        except OSError:
            return

    def recent(self) -> list[dict[str, Any]]:
        return list(self._recent)

    def _reload(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - 65536))
                lines = file.read().split(b"\n")[-KEPT - 1 :]
        except OSError:
            return
        for line in lines:
            try:
                self._recent.append(msgspec.json.decode(line, type=dict[str, Any]))
            except msgspec.MsgspecError:
                continue
