"""Actions, jobs and hook workers with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scenario.agent.agent_bench import Bench, eventually, lives

from freehold.foundation.errors import NotFoundError, PermanentFault
from freehold.foundation.member import (
    ActionOrder,
    ActionPhase,
    ActionSpec,
    ActionState,
    HookSpec,
    MemberStatus,
    Phase,
    Probe,
    StopRule,
)

pytestmark = pytest.mark.real

HOOKS = """
import os, time
from pathlib import Path
from freehold.agent.hook import Done, Failed, Progress, Run
import beside

def count(member, arguments):
    path = Path(member.run, "count")
    number = int(path.read_text()) if path.exists() else 0
    path.write_text(str(number + 1))
    if number + 1 >= arguments["to"]:
        return Done({"counted": number + 1, "key": member.key})
    return Progress(f"at {number + 1}", (number + 1) / arguments["to"], again_s=0.1)

def hang(member, arguments):
    Path(member.run, "hangs").write_text(str(os.getpid()))
    time.sleep(600)

def crash_once(member, arguments):
    path = Path(member.run, "crashed")
    if not path.exists():
        path.write_text("yes")
        os.kill(os.getpid(), 11)
    return Done("after the crash")

def tell(member, arguments):
    return Failed("the password is " + member.secrets["control"])

def show(member, arguments):
    print("a hook prints")
    return Done({
        "uid": os.getuid(),
        "environment": sorted(os.environ),
        "file": Path(member.secret_files["control"]).read_text(),
        "addresses": dict(member.addresses),
        "beside": beside.VALUE,
        "peers": list(member.peers),
    })

def job(member, arguments):
    if member.job is None:
        return Run(tuple(arguments["argv"]), "runs a job")
    if member.job.exit_code is None:
        return Progress("job runs", again_s=0.1)
    return Done({"code": member.job.exit_code, "log": member.job.log_tail})

def drain(member, arguments):
    Path(member.run, "drained").write_text(str(member.main_pid))
    return Done()

def refuse(member, arguments):
    raise ConnectionRefusedError("nobody listens")

def ready(member, arguments):
    return (not Path(member.run, "unready").exists(), "told so")

def role(member, arguments):
    return "leader"
"""
NAMES = ("count", "hang", "crash_once", "tell", "show", "job", "drain", "refuse")


def with_hooks(member: Bench, **deadlines: float) -> Bench:
    actions = tuple(
        ActionSpec(
            name=name,
            hook=name,
            deadline_s=deadlines.get(name, 60.0),
            secrets=("control",) if name in ("tell", "show") else (),
        )
        for name in NAMES
    )
    hooks = HookSpec(module=HOOKS, files={"beside.py": "VALUE = 'imported'\n"})
    member.spec = replace(member.spec, hooks=hooks, actions=actions, secrets=("control",))
    secret = member.folder / "secrets/control"
    secret.write_text("s3cr3t-value\n")
    if member.place.uid is not None:
        os.chown(secret, member.place.uid, member.place.uid)
    return member


async def ended(member: Bench, key: str) -> ActionState:
    status = await member.until(lambda s: s.actions[key].phase is not ActionPhase.RUNNING)
    return status.actions[key]


def test_an_action_is_called_until_it_is_done_and_its_key_runs_once(member: Bench) -> None:
    async def scenario() -> None:
        await with_hooks(member).start()
        order = ActionOrder(key="k1", action="count", arguments={"to": 3})
        await member.client.act(order)
        state = await ended(member, "k1")
        assert state.phase is ActionPhase.DONE
        assert state.value == {"counted": 3, "key": "k1"}
        assert (await member.client.act(order)).phase is ActionPhase.DONE
        assert (member.folder / "run/count").read_text() == "3"

    asyncio.run(scenario())


def test_an_action_goes_on_after_its_agent_was_killed(member: Bench) -> None:
    async def scenario() -> None:
        await with_hooks(member).start()
        order = ActionOrder(key="k2", action="count", arguments={"to": 12})
        await member.client.act(order)
        await member.until(lambda s: (s.actions["k2"].ratio or 0) > 0.2)
        member.kill_agent()
        member.start_agent()
        state = await ended(member, "k2")
        assert (state.phase, state.value["counted"]) == (ActionPhase.DONE, 12)

    asyncio.run(scenario())


def test_a_hanging_hook_is_killed_at_its_deadline_and_the_software_never_notices(
    member: Bench,
) -> None:
    async def scenario() -> None:
        before = await with_hooks(member, hang=0.5).start()
        await member.client.act(ActionOrder(key="h", action="hang"))

        async def hangs() -> int | None:
            path = member.folder / "run/hangs"
            return int(path.read_text() or 0) or None if path.exists() else None

        worker = await eventually(hangs)
        state = await ended(member, "h")
        assert state.phase is ActionPhase.FAILED
        assert "deadline" in state.note
        assert not lives(worker)
        after = await member.until(lambda s: s.ready is True)
        assert after.main.pid == before.main.pid

    asyncio.run(scenario())


def test_a_crashed_worker_costs_one_call(member: Bench) -> None:
    async def scenario() -> None:
        before = await with_hooks(member).start()
        await member.client.act(ActionOrder(key="c", action="crash_once"))
        state = await ended(member, "c")
        assert (state.phase, state.value) == (ActionPhase.DONE, "after the crash")
        assert (await member.client.status()).main.pid == before.main.pid

    asyncio.run(scenario())


def test_a_hook_that_cannot_reach_the_engine_is_called_again_until_the_deadline(
    member: Bench,
) -> None:
    async def scenario() -> None:
        await with_hooks(member, refuse=2.0).start()
        await member.client.act(ActionOrder(key="r", action="refuse"))
        state = await ended(member, "r")
        assert state.phase is ActionPhase.FAILED
        assert "nobody listens" in state.note

    asyncio.run(scenario())


def test_hooks_run_as_the_account_with_secrets_that_appear_nowhere(
    make: Callable[..., Bench],
) -> None:
    async def scenario(member: Bench) -> None:
        await with_hooks(member).start()
        await member.client.act(ActionOrder(key="s", action="show"))
        shown = await ended(member, "s")
        assert shown.phase is ActionPhase.DONE, shown
        assert shown.value["uid"] == (member.place.uid or os.getuid())
        assert shown.value["file"] == "***\n"
        assert shown.value["beside"] == "imported"
        assert "SECRET_OF_THE_STARTER" not in shown.value["environment"]
        await member.client.act(ActionOrder(key="t", action="tell"))
        told = await ended(member, "t")
        assert told.note == "the password is ***"
        for path in member.folder.rglob("*"):
            if path.is_file() and path.parent.name != "secrets":
                assert b"s3cr3t-value" not in path.read_bytes(), path
        for pid in member.processes():
            for part in ("environ", "cmdline"):
                assert b"s3cr3t" not in _read(f"/proc/{pid}/{part}")
        assert b"a hook prints" in (member.folder / "logs/worker.log").read_bytes()

    asyncio.run(scenario(make(uid=61542 if os.geteuid() == 0 else None)))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def test_a_job_outlives_the_agent_and_its_end_is_known(member: Bench) -> None:
    async def scenario() -> None:
        await with_hooks(member).start()
        script = "echo begins; while [ ! -e go ]; do sleep 0.05; done; echo ends; exit 7"
        order = ActionOrder(key="j", action="job", arguments={"argv": ["/bin/sh", "-c", script]})
        await member.client.act(order)
        await member.until(lambda s: s.actions["j"].note == "job runs")
        member.kill_agent()
        (member.folder / "run/go").touch()
        member.start_agent()
        state = await ended(member, "j")
        assert state.value == {"code": 7, "log": "begins\nends\n"}

    asyncio.run(scenario())


def test_cancelling_kills_the_job(member: Bench) -> None:
    async def scenario() -> None:
        await with_hooks(member).start()
        argv = ["/bin/sh", "-c", "echo $$ > jobpid; exec setsid sleep 600"]
        await member.client.act(ActionOrder(key="x", action="job", arguments={"argv": argv}))
        await member.until(lambda s: s.actions["x"].note == "job runs")
        state = await member.client.cancel("x")
        assert state.phase is ActionPhase.CANCELLED

        async def no_job() -> bool | None:
            jobs = [tag for tag in member.processes().values() if tag.startswith("job:")]
            return None if jobs else True

        await eventually(no_job)
        with pytest.raises(NotFoundError):
            await member.client.cancel("unknown")
        with pytest.raises(PermanentFault, match="no such action"):
            await member.client.act(ActionOrder(key="y", action="fly"))

    asyncio.run(scenario())


def test_the_action_before_a_stop_runs_first_and_a_hanging_one_is_bounded(
    make: Callable[..., Bench],
) -> None:
    async def scenario(member: Bench, before: str) -> MemberStatus:
        rule = StopRule(before=before, before_within_s=3.0, within_s=5.0)
        started = await with_hooks(member).start(stop=rule)
        await member.client.act(ActionOrder(key="busy", action="hang"))  # never in a stop's way
        began = time.monotonic()
        await member.order(run=False)
        status = await member.until(lambda s: s.phase is Phase.STOPPED)
        assert time.monotonic() - began < 10
        assert status.main.last_exit == "stopped"
        if before == "drain":
            assert (member.folder / "run/drained").read_text() == str(started.main.pid)
        return status

    asyncio.run(scenario(make(), "drain"))
    asyncio.run(scenario(make(), "hang"))


def test_hook_probes_tell_readiness_and_role_and_a_killed_worker_does_not_matter(
    member: Bench,
) -> None:
    async def scenario() -> None:
        ready = Probe(hook="ready", every_s=0.2, timeout_s=2.0, fails=1)
        role = Probe(hook="role", every_s=0.2, timeout_s=2.0)
        with_hooks(member)
        before = await member.start(ready=ready, role=role)
        await member.until(lambda s: s.role == "leader")
        (member.folder / "run/unready").touch()
        status = await member.until(lambda s: s.ready is False)
        assert status.reason == "told so"
        (member.folder / "run/unready").unlink()
        for pid, tag in member.processes().items():
            if tag == "worker:probe":
                os.kill(pid, signal.SIGKILL)
        after = await member.until(lambda s: s.ready is True)
        assert after.main.pid == before.main.pid

    asyncio.run(scenario())
