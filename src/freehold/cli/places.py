"""Where this user's daemon listens.

``runtimes/local/paths.py`` owns all places and is asked whenever something has to be started.
The ordinary places of the socket alone are also written here, because importing the other takes
longer than the whole exchange with the daemon; ``tests/unit/cli/test_places.py`` holds the two
together.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

_SURELY_SHORT = 70  # longer folders may have been replaced by a short one: ask


def socket_of(environ: Mapping[str, str], uid: int) -> str:
    """Return the path of the daemon's socket."""
    if home := environ.get("FREEHOLD_HOME"):
        run = os.path.join(os.path.abspath(home), "run")  # noqa: PTH100, PTH118  pathlib: 4 ms
    elif uid == 0:
        run = "/run/freehold"
    elif runtime := environ.get("XDG_RUNTIME_DIR"):
        run = f"{runtime}/freehold"
    else:
        run = f"/tmp/freehold-{uid}"  # noqa: S108  the daemon checks whose it is
    if len(os.fsencode(run)) > _SURELY_SHORT:
        from freehold.runtimes.local.paths import LocalPaths  # rare

        return str(LocalPaths.of(environ, uid).daemon_socket)
    return f"{run}/daemon.sock"
