from __future__ import annotations

import pytest

from freehold.cli.places import socket_of
from freehold.runtimes.local.paths import LocalPaths


@pytest.mark.parametrize("uid", [0, 1000])
@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": "/home/ann"},
        {"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/1000"},
        {"FREEHOLD_HOME": "/srv/fh"},
        {"FREEHOLD_HOME": "relative/../home"},
        {"FREEHOLD_HOME": "/srv/" + "long" * 30},
        {"FREEHOLD_HOME": "/srv/" + "x" * 66},
        {"FREEHOLD_HOME": "/srv/" + "x" * 72, "XDG_RUNTIME_DIR": "/run/user/1000"},
        {"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/" + "deep/" * 20},
    ],
)
def test_the_quick_answer_is_the_runtimes(environ, uid):
    assert socket_of(environ, uid) == str(LocalPaths.of(environ, uid).daemon_socket)
