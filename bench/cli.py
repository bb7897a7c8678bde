"""How long ``freehold list`` takes, against the floor and its peers, interleaved.

Usage: .venv/bin/python bench/cli.py [rounds]

Starts a daemon of its own in a throw-away home. Prints minimum, median and worst wall time in
milliseconds and the CPU milliseconds of the child. ``kubectl`` is measured where it is found.
"""

from __future__ import annotations

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20
BIN = Path(sys.executable).parent


def candidates() -> dict[str, list[str]]:
    python = sys.executable
    found = {
        "python -c pass": [python, "-c", "pass"],
        "python, import http.client": [python, "-c", "import http.client"],
        "python, import typer": [python, "-c", "import typer"],
        "freehold list": [str(BIN / "freehold"), "list"],
        "freehold list -o json": [str(BIN / "freehold"), "list", "-o", "json"],
        "freehold version": [str(BIN / "freehold"), "version"],
        "freehold --help": [str(BIN / "freehold"), "--help"],
    }
    if kubectl := shutil.which("kubectl"):
        found["kubectl version --client"] = [kubectl, "version", "--client"]
    return found


def measure(command: list[str]) -> tuple[float, float]:
    """Return wall and CPU milliseconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, used * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["FREEHOLD_HOME"] = home
        commands = candidates()
        subprocess.run([str(BIN / "freehold"), "daemon", "start"], check=True, capture_output=True)
        try:
            runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
            for _ in range(ROUNDS):
                for name, command in commands.items():
                    runs[name].append(measure(command))
        finally:
            stop = [str(BIN / "freehold"), "daemon", "stop"]
            subprocess.run(stop, check=True, capture_output=True)
    print(f"{sys.version.split()[0]}, load {os.getloadavg()[0]:.2f}, n={ROUNDS}, no services")
    print(f"{'':<28} {'min':>7} {'median':>7} {'worst':>7} {'CPU':>7}  ms")
    for name, measured in runs.items():
        walls = sorted(wall for wall, _ in measured)
        cpu = statistics.median(used for _, used in measured)
        middle = statistics.median(walls)
        print(f"{name:<28} {walls[0]:7.1f} {middle:7.1f} {walls[-1]:7.1f} {cpu:7.1f}")


if __name__ == "__main__":
    main()
