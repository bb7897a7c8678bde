"""Bytes, CPUs and durations as people write them: ``1Gi``, ``500m``, ``10s``.

Refuses what is ambiguous (a bare unit, a negative amount) instead of guessing.
"""

from __future__ import annotations

import re

_BYTE_UNITS = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
_MOST_CORES = 100_000.0
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_bytes(text: str | int) -> int:
    """Return bytes. Raises ValueError for anything but digits and a Kubernetes unit (Ki Mi Gi Ti k M G T)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(|k|M|G|T|Ki|Mi|Gi|Ti)", str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of bytes such as 512Mi or 10Gi")
    return int(float(match[1]) * _BYTE_UNITS[match[2]])


def parse_cpu(text: str | float) -> float:
    """Return cores. ``500m`` is half a core. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(m?)", str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount of CPU such as 2, 0.5 or 500m")
    cores = float(match[1]) / 1000 if match[2] else float(match[1])
    if cores > _MOST_CORES:
        raise ValueError(f"{text!r} is more CPU than any machine has")
    return cores


def parse_duration(text: str | float) -> float:
    """Return seconds. ``1m30s``, ``10s``, ``250ms``; a bare number is seconds. Raises ValueError."""
    written = str(text).strip()
    if re.fullmatch(r"\d+(?:\.\d+)?", written):
        return float(written)
    if not re.fullmatch(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+", written):
        raise ValueError(f"{text!r} is not a duration such as 10s, 5m or 1h30m")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", written)
    return sum(float(amount) * _SECONDS[unit] for amount, unit in parts)


def format_bytes(amount: float) -> str:
    """Return the amount as a person reads it: ``1.5 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(amount) < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    raise AssertionError("unreachable")


def format_duration(seconds: float) -> str:
    """Return a short human duration: ``850ms``, ``8.2s``, ``3m12s``, ``2h05m``, ``4d03h``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"
