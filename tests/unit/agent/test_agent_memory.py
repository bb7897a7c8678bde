"""Documents, the ring of metrics, bounded logs, the agent's tree."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest

from freehold.agent.health import Count, counted, is_dead
from freehold.agent.logs import bound, open_log
from freehold.agent.probes import Verdict, verdict_of
from freehold.agent.ring import EVERY_S, SLOTS, Ring, old_rings, read_slots
from freehold.agent.state import ActionRecord, AgentState, Documents, Life, Running
from freehold.agent.tree import lay_out
from freehold.foundation.member import ActionOrder, ActionPhase, ActionState, Probe


def test_a_state_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    documents = Documents(tmp_path)
    record = ActionRecord(
        order=ActionOrder(key="k", action="a", arguments={"x": [1]}),
        state=ActionState(key="k", action="a", phase=ActionPhase.RUNNING, ratio=0.5),
        job=("sh",),
    )
    state = AgentState(
        main=Life(running=Running(pid=1, ticks=2, boot="b", started_at=3.0), restarts=4),
        actions={"k": record},
    )
    documents.write("state.json", state)
    assert documents.state() == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_damaged_state_is_nothing_but_damaged_orders_are_an_error(tmp_path: Path) -> None:
    for name in ("state.json", "orders.json", "good.json"):
        (tmp_path / name).write_bytes(b'{"run": tr')
    documents = Documents(tmp_path)
    assert documents.state() is None
    assert documents.good() is None
    with pytest.raises(ValueError, match=r"cannot read .*orders\.json"):
        documents.orders()


def test_a_newer_agents_fields_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(msgspec.json.encode({"restart": "x", "future": 1}))
    state = Documents(tmp_path).state()
    assert state is not None
    assert state.restart == "x"


def test_the_ring_keeps_a_day_in_a_file_of_fixed_size(tmp_path: Path) -> None:
    ring = Ring(tmp_path, ["a", "b"])
    now = time.time()
    for number in range(3):
        ring.add(now - (3 - number) * EVERY_S, {"a": float(number)})
    ring.add(now - SLOTS * EVERY_S - 5 * EVERY_S, {"a": 99.0})  # older than a day
    assert [values for _, values in ring.since(0)] == [{"a": 0.0}, {"a": 1.0}, {"a": 2.0}]
    assert [values for _, values in ring.since(now - 1.5 * EVERY_S)] == [{"a": 2.0}]
    size = sum(path.stat().st_size for path in tmp_path.glob("*.ring"))
    assert size <= SLOTS * 3 * 8
    ring.close()

    Ring(tmp_path, ["c"]).close()  # other names: the old values can still be read
    ((descriptor, slot, names),) = old_rings(tmp_path, but=["c"])
    assert len(list(read_slots(descriptor, slot, names, 0))) == 3
    os.close(descriptor)


def test_a_log_over_its_bound_loses_its_oldest_lines_in_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("ab", buffering=0) as writer:
        writer.write(b"".join(b"%07d\n" % n for n in range(200_000)))
        descriptor = open_log(str(path), None, os.O_RDWR)
        assert descriptor is not None
        dropped, lines = bound(descriptor, 2**20)
        assert (dropped % 4096, lines) == (0, dropped // 8)
        assert os.fstat(descriptor).st_blocks * 512 <= 2**20
        assert bound(descriptor, 2**20) == (0, 0)
        writer.write(b"last\n")
        os.close(descriptor)
    assert path.read_bytes().endswith(b"0199999\nlast\n")


def test_a_log_that_is_a_link_or_a_strangers_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "log")
    os.mkfifo(tmp_path / "fifo")
    assert open_log(str(tmp_path / "link"), None, os.O_RDONLY) is None
    assert open_log(str(tmp_path / "fifo"), None, os.O_RDONLY) is None
    assert open_log(str(tmp_path / "log"), os.getuid() + 1, os.O_RDONLY) is None


PROBE = Probe(tcp="x", fails=3, startup_s=60.0)


def after(*passed: bool, start: float = 0.0) -> Count:
    count = Count(started_at=start)
    for number, one in enumerate(passed):
        count = counted(count, Verdict(one, "" if one else "no"), PROBE, start + number)
    return count


def test_a_verdict_stands_until_enough_failures_overturn_it() -> None:
    assert after(True, False, False).verdict is True
    assert after(True, False, False, False).verdict is False
    assert after(True, False, False, True, False, False).verdict is True
    assert after(False).verdict is False
    assert after().verdict is None


def test_alive_condemns_only_what_has_passed_once_or_had_its_startup_time() -> None:
    assert is_dead(after(True, False, False, False), PROBE, 4.0)
    assert not is_dead(after(True, False, False), PROBE, 4.0)
    assert not is_dead(after(*[False] * 50), PROBE, 50.0)
    assert is_dead(after(*[False] * 50), PROBE, 60.0)


def test_a_stopped_process_gets_no_startup_time() -> None:
    count = Count(started_at=0.0)
    for second in range(7):
        count = counted(count, Verdict(False, "no"), PROBE, float(second), frozen=True)
    assert not is_dead(count, PROBE, 5.9)
    assert is_dead(count, PROBE, 6.0)
    woken = counted(count, Verdict(False, "no"), PROBE, 7.0, frozen=False)
    assert not is_dead(woken, PROBE, 20.0)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (True, Verdict(True)),
        (False, Verdict(False, "the hook says no")),
        ([False, "why"], Verdict(False, "why")),
        ("leader", Verdict(True, "", "leader")),
        (7, Verdict(False, "the hook answered int, not bool or str")),
    ],
)
def test_a_hooks_answer_is_read(answer: object, verdict: Verdict) -> None:
    assert verdict_of(answer) == verdict


def test_the_agents_tree_is_named_by_its_content_readable_by_all_and_made_once(
    tmp_path: Path,
) -> None:
    mask = os.umask(0o077)
    try:
        tree = lay_out(tmp_path / "agents")
    finally:
        os.umask(mask)
    made_at = tree.stat().st_mtime_ns
    assert lay_out(tmp_path / "agents") == tree
    assert tree.stat().st_mtime_ns == made_at
    assert [path.name for path in (tmp_path / "agents").iterdir()] == [tree.name]
    for path in tree.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path
    assert not (tree / "freehold/engine").exists()
