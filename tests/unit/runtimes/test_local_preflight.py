from dataclasses import replace

import pytest

from freehold.foundation.errors import RefusedError
from freehold.runtimes.local.preflight import Machine, Need, judge, parse_available

GIB = 2**30
NEED = Need(service="orders", members=3, memory_bytes=3 * GIB, disk_bytes=10 * GIB)
MACHINE = Machine(memory_bytes=8 * GIB, promised_bytes=0, disk_bytes=50 * GIB, open_files=20000)


def test_what_fits_passes_without_a_word():
    assert judge(NEED, MACHINE) == ()


@pytest.mark.parametrize(
    ("machine", "message", "fix"),
    [
        (replace(MACHINE, memory_bytes=2 * GIB), "need 3.0 GiB of memory, 2.0 GiB", "--preset dev"),
        (replace(MACHINE, promised_bytes=6 * GIB), "3.0 GiB of memory, 2.0 GiB", "--preset dev"),
        (replace(MACHINE, disk_bytes=GIB // 4), "256.0 MiB of disk are free", "software gc"),
        (replace(MACHINE, impassable="/root"), "may not enter /root", "FREEHOLD_HOME="),
        (replace(MACHINE, taken={"127.64.0.1:9042": "java"}), "9042 is taken: java", ":9042"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_fix(machine, message, fix):
    with pytest.raises(RefusedError, match=message) as caught:
        judge(NEED, machine)
    assert str(caught.value).startswith("cannot")
    assert fix in caught.value.next_command


def test_hooks_without_an_interpreter_are_refused():
    machine = replace(MACHINE, worker_problem="cannot run hooks as uid 61500: …")
    assert judge(NEED, machine) == ()
    with pytest.raises(RefusedError, match="cannot run hooks"):
        judge(replace(NEED, hooks=True), machine)


def test_volumes_that_may_outgrow_the_disk_are_a_warning():
    (warning,) = judge(NEED, replace(MACHINE, disk_bytes=5 * GIB))
    assert warning == "the volumes may grow to 10.0 GiB, 5.0 GiB of disk are free"


def test_available_memory_is_read_in_bytes():
    assert parse_available("MemTotal: 9 kB\nMemAvailable:   2048 kB\n") == 2048 * 1024
