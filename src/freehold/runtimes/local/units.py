"""What systemd is told, where there is one: texts and argument lists only, no calls.

Own sessions are the main path. A unit adds two things: a memory limit that the kernel keeps, and a
start at boot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    memory_bytes: int = 0  # 0: none
    cpu: float = 0.0


def agent_unit_name(member: str, incarnation: int) -> str:
    return f"freehold-{member}-{incarnation}.service"


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


def daemon_unit(argv: Sequence[str], *, environment: Mapping[str, str], user: bool) -> str:
    """Return the unit that starts the daemon at boot and after a crash.

    KillMode=process: members outlive their daemon.
    """
    lines = [
        "[Unit]",
        "Description=Freehold: services you own",
        "After=network.target",
        "",
        "[Service]",
        f"ExecStart={' '.join(map(_quoted, argv))}",
        *(
            f"Environment={_quoted(f'{name}={value}')}"
            for name, value in sorted(environment.items())
        ),
        "Restart=always",
        "RestartSec=1",
        "KillMode=process",
        "LimitNOFILE=65536",
        "",
        "[Install]",
        f"WantedBy={'default.target' if user else 'multi-user.target'}",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if any(each in text for each in " \"\\%$'") else text
