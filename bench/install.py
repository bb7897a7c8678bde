"""Install-to-ready of three Cassandra members against a bare script with the same flags.

Usage: .venv/bin/python bench/install.py [--rounds 3] [--stock]

In one run, interleaved: the bare script (bench/bare_cassandra.py: the same three processes, started in
parallel, the superuser replaced as carefully) and ``freehold install cassandra``. Software is fetched
before the clock starts; the cold fetch is printed apart. Then: a database killed with SIGKILL until its
member is ready again; and, after a purge, a second install with the class archive that the first one made
in the background (the first of each round has none: it is removed before). ``--stock`` adds the sequential
procedure once (about two minutes).

Wall seconds of the whole command, as a user would count. Refuses to start on a busy machine, because
a JVM's start is bound by CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FREEHOLD = Path(sys.executable).parent / "freehold"
BUSY = 0.7  # load average of a minute above which figures mean nothing
AIM = 1.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stock", action="store_true")
    parser.add_argument(
        "--busy", action="store_true", help="measure on a busy machine all the same"
    )
    told = parser.parse_args()
    load = os.getloadavg()[0]
    if load > BUSY and not told.busy:
        sys.exit(f"cannot measure: the load is {load:.1f}; wait, or say --busy")
    home = Path(tempfile.mkdtemp(prefix="fh-bench-", dir="/tmp"))
    home.chmod(0o755)
    environment = {**os.environ, "FREEHOLD_HOME": str(home), "NO_COLOR": "1"}
    try:
        run(environment, told.rounds, stock=told.stock)
    finally:
        freehold(environment, "purge", "db", "--yes", "--confirm", "db", "--unprotect", check=False)
        freehold(environment, "daemon", "stop", check=False)
        shutil.rmtree(home, ignore_errors=True)


def run(environment: dict[str, str], rounds: int, *, stock: bool) -> None:
    freehold(environment, "list")  # the daemon runs, as for any command but a user's first
    print(
        f"cold fetch                 {freehold(environment, 'software', 'fetch', 'cassandra'):6.2f} s"
    )
    ours: list[float] = []
    again: list[float] = []
    archived: list[float] = []
    bare: list[float] = []
    restarts: list[float] = []
    for number in range(rounds):
        bare.append(bare_script(environment)["superuser_replaced_s"])
        for archive in class_archives(environment):
            archive.unlink()
        ours.append(freehold(environment, "install", "cassandra", "db", "--yes"))
        installed_at = time.monotonic()
        await_class_archive(environment)
        archived.append(time.monotonic() - installed_at)
        restarts.append(kill_to_ready(environment))
        purge(environment)
        again.append(freehold(environment, "install", "cassandra", "db", "--yes"))
        purge(environment)
        print(
            f"round {number + 1}: bare {bare[-1]:.2f} s, freehold {ours[-1]:.2f} s, "
            f"with the class archive {again[-1]:.2f} s"
        )
    tell("bare script, ready", bare)
    tell("freehold install, ready", ours)
    tell("second install, archive", again)
    tell("kill -9 to ready", restarts)
    tell("ready to class archive", archived)
    ratio = statistics.median(ours) / statistics.median(bare)
    print(f"freehold / bare            {ratio:6.2f}   (aim {AIM})")
    if stock:
        seconds = bare_script(environment, "--sequential")["superuser_replaced_s"]
        print(f"stock, sequential          {seconds:6.2f} s")


def freehold(environment: dict[str, str], *words: str, check: bool = True) -> float:
    """Run a command; return its wall seconds."""
    began = time.monotonic()
    subprocess.run([FREEHOLD, *words], env=environment, check=check, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def bare_script(environment: dict[str, str], *words: str) -> dict[str, Any]:
    told = subprocess.run(
        [sys.executable, HERE / "bare_cassandra.py", "--json", *words],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def purge(environment: dict[str, str]) -> None:
    freehold(environment, "purge", "db", "--yes", "--confirm", "db", "--unprotect")


def class_archives(environment: dict[str, str]) -> list[Path]:
    return list(Path(environment["FREEHOLD_HOME"]).glob("data/store/derived/*/*/classes.jsa"))


def await_class_archive(environment: dict[str, str]) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 300:
        if class_archives(environment):
            return
        time.sleep(0.1)
    sys.exit("cannot measure: there is no class archive 300 s after the service was ready")


def kill_to_ready(environment: dict[str, str]) -> float:
    """Kill one member's database; return the seconds until it is another process and ready."""
    victim = member(environment)
    os.kill(victim["pid"], signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() - began < 120:
        seen = member(environment)
        if seen["state"] == "ready" and seen["pid"] not in (0, victim["pid"]):
            return time.monotonic() - began
        time.sleep(0.05)
    sys.exit("cannot measure: the killed member is not ready after 120 s")


def member(environment: dict[str, str]) -> dict[str, Any]:
    told = subprocess.run(
        [FREEHOLD, "describe", "db", "-o", "json"], env=environment, check=True, capture_output=True
    )
    found: dict[str, Any] = json.loads(told.stdout)["members"][1]
    return found


def tell(what: str, seconds: list[float]) -> None:
    print(
        f"{what:26} {min(seconds):6.2f} / {statistics.median(seconds):.2f} / {max(seconds):.2f} s"
        f"   (min / median / max of {len(seconds)})"
    )


if __name__ == "__main__":
    main()
