import os
from pathlib import Path

import pytest

from freehold.foundation.errors import RefusedError
from freehold.runtimes.local.paths import LONGEST_SOCKET_PATH, LocalPaths


def test_a_home_of_its_own_holds_everything():
    paths = LocalPaths.of({"FREEHOLD_HOME": "/tmp/h"}, 1000)
    assert (paths.data, paths.cache, paths.run) == tuple(
        Path("/tmp/h") / name for name in ("data", "cache", "run")
    )


def test_root_uses_the_system_folders():
    paths = LocalPaths.of({"HOME": "/root", "XDG_DATA_HOME": "/root/x"}, 0)
    assert str(paths.state_database) == "/var/lib/freehold/state.db"
    assert str(paths.daemon_socket) == "/run/freehold/daemon.sock"


@pytest.mark.parametrize(
    ("environ", "data", "run"),
    [
        (
            {"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/7"},
            "/home/ann/.local/share/freehold",
            "/run/user/7/freehold",
        ),
        ({"HOME": "/home/ann", "XDG_DATA_HOME": "/d"}, "/d/freehold", "/tmp/freehold-7"),
    ],
)
def test_an_ordinary_user_has_xdg_folders(environ, data, run):
    paths = LocalPaths.of(environ, 7)
    assert (str(paths.data), str(paths.run)) == (data, run)


def test_socket_paths_stay_short_however_deep_the_home_is():
    deep = LocalPaths.of({"FREEHOLD_HOME": "/tmp/" + "deep/" * 40}, 1000)
    member = deep.member("orders", "orders-node-0", 1)
    assert len(str(deep.health_socket(member))) <= LONGEST_SOCKET_PATH
    assert deep.run != LocalPaths.of({"FREEHOLD_HOME": "/tmp/" + "deep/" * 41}, 1000).run


def test_two_incarnations_have_sockets_of_their_own():
    paths = LocalPaths.of({"FREEHOLD_HOME": "/tmp/h"}, 1000)
    first, second = (paths.socket(paths.member("a", "a-b-0", number)) for number in (1, 2))
    assert first != second


def test_a_folder_that_somebody_else_owns_is_refused(tmp_path):
    paths = LocalPaths(
        data=tmp_path / "d", cache=tmp_path / "c", run=tmp_path / "r", uid=os.getuid() + 1
    )
    with pytest.raises(RefusedError, match=r"cannot use .*belongs to uid"):
        paths.prepare()


@pytest.mark.skipif(os.getuid() != 0, reason="only root's homes are passed through by others")
def test_the_way_to_a_new_home_is_open_for_services_whatever_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        paths = LocalPaths.of({"FREEHOLD_HOME": str(tmp_path / "a" / "b")}, 0)
        paths.prepare()
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", tmp_path / "a" / "b", paths.data, paths.services):
        assert folder.stat().st_mode & 0o777 == 0o711
    assert paths.member_sockets.stat().st_mode & 0o777 == 0o700
