"""Words the shell completes with, asked of a daemon that runs; none is started for a Tab."""

from __future__ import annotations

from freehold.cli.client import Client, connected
from freehold.cli.text import say


def services(incomplete: str) -> list[str]:
    return _named("/v1/services", incomplete)


def packages(incomplete: str) -> list[str]:
    return _named("/v1/catalog", incomplete)


def _named(path: str, incomplete: str) -> list[str]:
    client: Client = connected(say, start=False)
    try:
        names = [entry["name"] for entry in client.get(path)]
    except Exception:  # noqa: BLE001  a Tab must never print an error
        return []
    return [name for name in names if name.startswith(incomplete)]
