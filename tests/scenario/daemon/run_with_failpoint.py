"""The daemon, with a Failpoints port that kills the process at a named point.

The home's file ``arm`` says where: a point's name and how often it is reached first. Every point
that is reached goes into ``points``, so that a clean run enumerates them. Failpoints are a port:
nothing of this exists in shipped code.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from pathlib import Path

from freehold.serve.daemon import main

_VOLUMES = re.compile(r" \([^()]*\)$")  # uids of volumes differ from home to home


class KillingFailpoints:
    def __init__(self, home: Path) -> None:
        self._home = home
        self._reached: Counter[str] = Counter()
        self._armed = ""

    def reach(self, point: str) -> None:
        point = _VOLUMES.sub("", point)
        with (self._home / "points").open("a") as points:
            points.write(point + "\n")
        arm = self._home / "arm"
        if not arm.exists():
            return
        armed = arm.read_text()
        if armed != self._armed:
            self._armed = armed
            self._reached.clear()
        self._reached[point] += 1
        name, _, times = armed.partition("\n")
        if point == name and self._reached[point] >= int(times):
            arm.unlink()
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(failpoints=KillingFailpoints(Path(os.environ["FREEHOLD_HOME"]))))
