"""The software's life under its agent: crashes, freezes, adoption, stops, obstacles."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from tests.scenario.agent.agent_bench import PORT, Bench, eventually, is_free, lives

from freehold.agent.client import AgentClient
from freehold.foundation.errors import RefusedError, TransientFault
from freehold.foundation.member import (
    ActionOrder,
    ActionPhase,
    ActionSpec,
    Certificate,
    HookSpec,
    Phase,
    StopRule,
)

pytestmark = pytest.mark.real


def test_a_crashed_process_is_back_at_once(member: Bench) -> None:
    async def scenario() -> None:
        status = await member.start()
        began = time.monotonic()
        os.kill(status.main.pid, signal.SIGKILL)
        again = await member.until(lambda s: s.ready is True and s.main.pid != status.main.pid)
        assert time.monotonic() - began < 5
        assert (again.main.restarts, again.main.last_exit) == (1, "signal SIGKILL")
        assert again.certificate is Certificate.HELD

    asyncio.run(scenario())


def test_an_agent_killed_with_9_adopts_the_running_software(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        member.kill_agent()
        assert lives(before.main.pid)
        member.start_agent()
        after = await member.until(lambda s: s.ready is True and s.phase is Phase.RUNNING)
        assert after.main.pid == before.main.pid
        assert (after.main.restarts, after.revision_running) == (0, "v1")
        os.kill(before.main.pid, signal.SIGKILL)  # adopted, and watched
        last = await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
        assert last.main.last_exit == "unknown"

    asyncio.run(scenario())


def test_an_agent_that_died_with_its_software_starts_it_at_once(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        member.kill_agent()
        os.kill(before.main.pid, signal.SIGKILL)
        member.start_agent()
        after = await member.until(lambda s: s.ready is True)
        assert after.main.pid != before.main.pid
        assert after.main.restarts == 1

    asyncio.run(scenario())


def test_a_frozen_process_is_killed_and_restarted(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        os.kill(before.main.pid, signal.SIGSTOP)
        after = await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
        assert after.main.last_exit.startswith("probe failed: ")

    asyncio.run(scenario())


def test_a_detached_grandchild_dies_before_the_restart(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start(main=member.body("child"))
        grandchild = int((member.folder / "run/grandchild.pid").read_text())
        os.kill(before.main.pid, signal.SIGKILL)
        await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
        assert not lives(grandchild)

    asyncio.run(scenario())


def test_a_grandchild_that_outlived_agent_and_software_holds_the_certificate(
    member: Bench,
) -> None:
    async def scenario() -> None:
        before = await member.start(main=member.body("child"))
        grandchild = int((member.folder / "run/grandchild.pid").read_text())
        member.kill_agent()
        os.kill(before.main.pid, signal.SIGKILL)
        member.start_agent()
        await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
        assert not lives(grandchild)

    asyncio.run(scenario())


def test_no_start_while_a_stranger_holds_the_certificate(member: Bench) -> None:
    async def scenario() -> None:
        code = (
            "import fcntl, sys, time; f = open(sys.argv[1], 'w');"
            "fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
        )
        lock = str(member.folder / "alive.lock")
        holder = subprocess.Popen(  # noqa: ASYNC220
            [sys.executable, "-c", code, lock], stdout=subprocess.PIPE
        )
        try:
            assert holder.stdout is not None
            holder.stdout.readline()
            member.write()
            member.start_agent()
            status = await member.until(lambda s: s.phase is Phase.WAITING)
            assert f"pid {holder.pid}" in status.reason
            assert status.certificate is Certificate.HELD
            assert lives(holder.pid)
        finally:
            holder.kill()
            holder.communicate()
        await member.until(lambda s: s.ready is True)

    asyncio.run(scenario())


def test_a_graceful_stop_frees_certificate_and_address(member: Bench) -> None:
    async def scenario() -> None:
        await member.start()
        await member.order(run=False)
        status = await member.until(lambda s: s.phase is Phase.STOPPED)
        assert status.certificate is Certificate.FREE
        assert (status.main.pid, status.main.last_exit, status.main.restarts) == (0, "stopped", 0)
        assert is_free(member.place.bind, PORT)
        assert member.processes() == {}
        await member.client.shutdown()
        assert member.agent is not None
        assert await asyncio.to_thread(member.agent.wait, 10) == 0

    asyncio.run(scenario())


def test_a_stop_has_a_deadline_then_everything_is_killed(member: Bench) -> None:
    async def scenario() -> None:
        await member.start(main=member.body("ignore-term", "child"), stop=StopRule(within_s=0.3))
        grandchild = int((member.folder / "run/grandchild.pid").read_text())
        await member.order(run=False)
        status = await member.until(lambda s: s.phase is Phase.STOPPED)
        assert status.main.last_exit == "killed: did not stop in time"
        assert not lives(grandchild)

    asyncio.run(scenario())


def test_sigterm_stops_the_software_and_the_next_agent_starts_it(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        assert member.agent is not None
        member.agent.terminate()
        assert await asyncio.to_thread(member.agent.wait, 10) == 0
        assert not lives(before.main.pid)
        member.start_agent()
        await member.until(lambda s: s.ready is True)

    asyncio.run(scenario())


def test_a_taken_address_is_reported_and_retried(member: Bench) -> None:
    async def scenario() -> None:
        with socket.socket() as holder:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind((member.place.bind, PORT))
            holder.listen(1)
            member.write()
            member.start_agent()
            status = await member.until(lambda s: s.phase is Phase.WAITING)
            assert f"{member.place.bind}:{PORT}" in status.reason
            assert f"pid {os.getpid()}" in status.reason
            assert status.main.restarts == 0
        await member.until(lambda s: s.ready is True)

    asyncio.run(scenario())


def test_a_crash_loop_backs_off_and_a_new_spec_ends_the_wait(member: Bench) -> None:
    async def scenario() -> None:
        member.spec = replace(member.spec, main=member.body("crash"))
        member.write()
        member.start_agent()
        status = await member.until(lambda s: s.phase is Phase.BACKOFF and s.main.restarts >= 4)
        assert status.main.last_exit == "code 3"
        began = time.monotonic()
        await member.change(main=member.body(), revision="v2", restart_hash="r2")
        await member.until(lambda s: s.ready is True and s.revision_running == "v2")
        assert time.monotonic() - began < 2

    asyncio.run(scenario())


def test_a_fenced_member_dies_and_never_starts_again(member: Bench) -> None:
    async def scenario() -> None:
        actions = (ActionSpec(name="act", hook="act"),)
        hooks = HookSpec(module="import time\ndef act(m, a): time.sleep(60)\n")
        before = await member.start(actions=actions, hooks=hooks)
        await member.client.act(ActionOrder(key="k", action="act"))
        fenced = await member.order(fenced=True)
        assert fenced.actions["k"].phase is ActionPhase.CANCELLED
        await member.until(lambda s: s.phase is Phase.FENCED)
        assert not lives(before.main.pid)
        with pytest.raises(RefusedError, match="cannot unfence"):
            await member.order(fenced=False)
        member.kill_agent()
        member.start_agent()
        status = await member.until(lambda s: s.phase is Phase.FENCED)
        assert status.certificate is Certificate.FREE

    asyncio.run(scenario())


def test_orders_of_a_lower_incarnation_are_refused(member: Bench) -> None:
    async def scenario() -> None:
        await member.start()
        with pytest.raises(RefusedError, match="incarnation 0"):
            await member.order(incarnation=0)
        with pytest.raises(RefusedError, match="incarnation 0"):
            await member.change(incarnation=0)

    asyncio.run(scenario())


def test_a_folder_has_one_agent(member: Bench) -> None:
    async def scenario() -> None:
        await member.start()
        first = member.agent
        second = member.start_agent()
        assert await asyncio.to_thread(second.wait, 10) == 74
        member.agent = first
        await member.until(lambda s: s.ready is True)

    asyncio.run(scenario())


def test_a_restart_stamp_is_carried_out_once(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        await member.order(restart="one")
        after = await member.until(lambda s: s.ready is True and s.restart == "one")
        assert after.main.pid != before.main.pid
        assert after.main.restarts == 0
        await member.order(restart="one")
        member.kill_agent()
        member.start_agent()
        last = await member.until(lambda s: s.ready is True)
        assert last.main.pid == after.main.pid

    asyncio.run(scenario())


def test_replace_keeps_agent_pid_and_software(make: Callable[..., Bench]) -> None:
    async def scenario(member: Bench) -> None:
        before = await member.start()
        await member.client.replace(str(member.tree))

        async def replaced() -> bool | None:
            events = await member.client.events()
            return True if any(event["kind"] == "adopt" for event in events) else None

        await eventually(replaced)
        after = await member.until(lambda s: s.ready is True)
        assert after.main.pid == before.main.pid
        assert after.agent_pid == before.agent_pid
        os.kill(after.main.pid, signal.SIGKILL)  # still its child: the cause is known
        last = await member.until(lambda s: s.ready is True and s.main.pid != after.main.pid)
        assert last.main.last_exit == "signal SIGKILL"

    asyncio.run(scenario(make()))


def test_as_root_the_software_drops_to_its_account(make: Callable[..., Bench]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can drop privileges")

    async def scenario(member: Bench) -> None:
        await member.start()
        assert await member.ask("/uid") == "61541 []"
        environment = await member.ask("/environ")
        assert "planted" not in environment
        assert sorted(line.split("=")[0] for line in environment.splitlines()) == [
            "FREEHOLD_MEMBER",
            "FREEHOLD_PROCESS",
            "HOME",
            "LANG",
            "PATH",
        ]

    asyncio.run(scenario(make(uid=61541)))


def test_an_agent_killed_between_spawn_and_note_still_adopts(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        member.kill_agent()
        path = member.folder / "state.json"
        state = msgspec.json.decode(path.read_bytes())
        running = state["main"].pop("running")
        state["main"]["starting"] = {**running, "pid": 0, "ticks": 0}
        path.write_bytes(msgspec.json.encode(state))
        member.start_agent()
        after = await member.until(lambda s: s.ready is True)
        assert (after.main.pid, after.revision_running) == (before.main.pid, "v1")

    asyncio.run(scenario())


def test_a_damaged_memory_restarts_what_runs_once_and_leaves_nothing_behind(
    member: Bench,
) -> None:
    async def scenario() -> None:
        before = await member.start()
        member.kill_agent()
        (member.folder / "state.json").write_bytes(b'{"main": {"runni')
        member.start_agent()
        after = await member.until(lambda s: s.ready is True and s.revision_running == "v1")
        assert not lives(before.main.pid)
        assert list(member.processes().values()).count("main") == 1
        assert after.main.last_exit == "stopped"

    asyncio.run(scenario())


def test_a_frozen_agent_and_software_do_no_harm_when_woken(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start()
        assert member.agent is not None
        for pid in (member.agent.pid, before.main.pid):
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(TransientFault):
            await AgentClient(member.place.socket, timeout_s=1.0).status()
        for pid in (before.main.pid, member.agent.pid):
            os.kill(pid, signal.SIGCONT)
        after = await member.until(lambda s: s.ready is True)
        assert after.main.pid == before.main.pid

    asyncio.run(scenario())


def test_a_process_that_wrote_over_its_tag_is_found_by_its_account(
    make: Callable[..., Bench],
) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user's members share its account: only the tag tells them apart")

    async def scenario(member: Bench) -> None:
        code = (
            "import os, sys\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    os.execve(sys.argv[1], [sys.argv[1], '-c', 'import time; time.sleep(600)'], {})\n"
            "os.execv(sys.argv[1], sys.argv[1:])\n"
        )
        body = member.body()
        main = replace(body, argv=(body.argv[0], "-c", code, *body.argv))
        before = await member.start(main=main)
        member.kill_agent()
        os.kill(before.main.pid, signal.SIGKILL)
        member.start_agent()
        after = await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
        assert after.certificate is Certificate.HELD

    asyncio.run(scenario(make(uid=61544)))


def test_no_request_is_refused_while_the_agent_is_replaced(member: Bench) -> None:
    faults: list[str] = []

    async def scenario() -> None:
        await member.start()
        patient = AgentClient(member.place.socket, timeout_s=20.0)
        asked = [asyncio.create_task(_ask_on(patient)) for _ in range(3)]
        await member.client.replace(str(member.tree))
        await asyncio.gather(*asked)
        # Only an answer that was under way at the exec may be lost, never a new connection.
        assert all("closed" in fault or "reset" in fault for fault in faults), faults

    async def _ask_on(client: AgentClient) -> None:
        for _ in range(20):
            try:
                await client.status()
            except TransientFault as fault:
                faults.append(str(fault))

    asyncio.run(scenario())


def test_software_that_froze_while_its_agent_was_gone_is_killed_after_the_adoption(
    member: Bench,
) -> None:
    async def scenario() -> None:
        before = await member.start()
        os.kill(before.main.pid, signal.SIGSTOP)
        member.kill_agent()
        member.start_agent()
        after = await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
        assert after.main.last_exit.startswith("probe failed: ")

    asyncio.run(scenario())
