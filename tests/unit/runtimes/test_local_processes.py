import fcntl
import os
import subprocess

import pytest

from freehold.foundation.member import Certificate
from freehold.runtimes.local.processes import (
    certificate_held,
    identify,
    kill,
    lock_holder,
    parse_lock_holder,
    read_certificate,
)
from freehold.runtimes.local.sweep import judge_orphans

LOCKS = """\
1: POSIX  ADVISORY  WRITE 11 fe:00:77 0 EOF
2: FLOCK  ADVISORY  WRITE 12 fe:00:77 0 EOF
2: -> FLOCK  ADVISORY  WRITE 13 fe:00:77 0 EOF
"""


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_only_the_flock_of_that_very_file_counts():
    assert parse_lock_holder(LOCKS, os.makedev(0xFE, 0), 77) == 12
    assert parse_lock_holder(LOCKS, os.makedev(0xFE, 0), 78) == 0


def test_a_locks_holder_is_found_without_touching_the_lock(tmp_path):
    file = tmp_path / "agent.lock"
    assert lock_holder(file) is None
    with file.open("w") as held:
        assert lock_holder(file) is None
        fcntl.flock(held, fcntl.LOCK_EX)
        assert lock_holder(file) == identify(os.getpid())


def test_a_reused_pid_is_not_killed(sleeper):
    found = identify(sleeper.pid)
    assert found is not None
    stranger = type(found)(pid=found.pid, started=found.started - 1, boot=found.boot)
    assert kill(stranger) is False
    assert sleeper.poll() is None
    assert kill(found) is True
    assert sleeper.wait() == -9
    assert kill(found) is False


def test_the_certificate_is_held_as_long_as_any_descendant_lives(tmp_path):
    file = tmp_path / "alive.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    child = subprocess.Popen(["sleep", "60"], pass_fds=[descriptor])
    os.close(descriptor)
    try:
        assert read_certificate(file) is Certificate.HELD
    finally:
        child.kill()
        child.wait()
    assert read_certificate(file) is Certificate.FREE


def test_nobody_can_start_while_we_hold_the_certificate(tmp_path):
    file = tmp_path / "alive.lock"
    with certificate_held(file) as mine:
        assert mine is Certificate.FREE
        assert read_certificate(file) is Certificate.HELD
    assert read_certificate(tmp_path / "never" / "made") is Certificate.FREE


def test_only_what_carries_our_tag_and_a_dead_uid_is_an_orphan(sleeper):
    found = identify(sleeper.pid)
    assert found is not None
    tagged = {found: ("orders-node-0/dead", "sleep")}
    assert [str(each) for each in judge_orphans(tagged, ["dead"])] == [
        f"process {sleeper.pid} (sleep) of orders-node-0, whose volumes are gone"
    ]
    assert judge_orphans(tagged, ["another"]) == ()
