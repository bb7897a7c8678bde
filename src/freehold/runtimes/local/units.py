"""What systemd is told, where there is one: texts and argument lists only, no calls.

Own sessions are the main path. A unit of its own adds a memory limit that the kernel keeps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    memory_bytes: int = 0  # 0: none
    cpu: float = 0.0


def agent_run_argv(
    unit: str,
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    limits: Limits,
    log: str,
    user: bool,
) -> tuple[str, ...]:
    """Return the ``systemd-run`` line for one agent.

    KillMode=process: stopping or crashing the agent leaves the software alone. No Restart: the
    daemon revives agents, and two revivers would race.
    """
    properties = [
        "Type=exec",
        "KillMode=process",
        "Restart=no",
        "OOMPolicy=continue",
        f"StandardOutput=append:{log}",
        f"StandardError=append:{log}",
        "CollectMode=inactive-or-failed",
    ]
    if limits.memory_bytes:
        properties.append(f"MemoryMax={limits.memory_bytes}")
    if limits.cpu:
        properties.append(f"CPUQuota={round(limits.cpu * 100)}%")
    return (
        "systemd-run",
        *(["--user"] if user else []),
        "--quiet",
        f"--unit={unit}",
        *(f"--property={each}" for each in properties),
        *(f"--setenv={name}={value}" for name, value in sorted(environment.items())),
        "--",
        *argv,
    )
