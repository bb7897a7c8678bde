"""What a home looks like from outside, reduced to what has to be equal after every crash.

Equal pictures mean: same end state and same number of creations and removals (Sieve's oracle), the
same owners and modes (security not weaker), nothing running that a clean run does not have.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

from tests.scenario.daemon.homes import Home

_FIRST_ACCOUNT = 61500
_NOISE = re.compile(r"/(metrics|logs|run)/|/logs/worker\.log|\.(new|tmp)$")


def picture(home: Home, service: str) -> dict[str, Any]:
    folder = home.data / "services" / service
    return {
        "service": _service(home, service),
        "files": _files(folder) if folder.exists() else [],
        "starts of the software": _starts(folder),
        "volumes destroyed": len(_lines(home.data / "dead-uids")),
        "processes": _processes(home),
        "sockets": len(list((home.folder / "run/m").iterdir())),
    }


def secrets_of(home: Home, service: str) -> dict[str, str]:
    """Return a digest of every secret: none may ever change or vanish while the service is there."""
    folder = home.data / "services" / service / "secrets"
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def _service(home: Home, service: str) -> dict[str, Any] | None:
    status, view = home.ask("GET", f"/v1/services/{service}")
    if status == 404:
        return None
    assert status == 200, view
    kept = {name: view[name] for name in ("want", "state", "generation", "operation", "knobs")}
    members = [
        {name: member[name] for name in ("name", "state", "incarnation", "up_to_date")}
        for member in view["members"]
    ]
    return {**kept, "members": members}


def _files(folder: Path) -> list[tuple[str, str, str]]:
    found = []
    for path in sorted(folder.rglob("*")):
        name = f"/{path.relative_to(folder)}"
        if _NOISE.search(name):
            continue
        stat = path.lstat()
        owner = "account" if stat.st_uid >= _FIRST_ACCOUNT else "daemon"
        found.append((name, f"{stat.st_mode:o}", owner))
    return found


def _starts(folder: Path) -> dict[str, int]:
    logs = sorted(folder.glob("members/*/*/volumes/logs/echo.log"))
    return {
        str(log.relative_to(folder).parts[1]): log.read_text().count(" listens on ") for log in logs
    }


def _processes(home: Home) -> dict[str, int]:
    """Count by kind; hook workers come and go by themselves."""
    kinds = Counter(_kind(command) for command in home.processes().values())
    return {kind: number for kind, number in kinds.items() if kind != "worker"}


def _kind(command: str) -> str:
    for kind, sign in (("worker", "worker.py"), ("agent", "main.py"), ("software", "server.py")):
        if sign in command:
            return kind
    return "daemon" if "run_with_failpoint" in command else "other"


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []
