"""What only a plain machine can show: real processes, files, addresses and accounts."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.contract.labs import LocalLab, Story

from freehold.agent import proc
from freehold.engine.observed import Reach, Retirement
from freehold.engine.plan import Act, DestroyVolumes, Forget, Retire, Start, Stop
from freehold.foundation.errors import RefusedError
from freehold.foundation.member import ActionPhase, Certificate, Phase
from freehold.runtimes.local import accounts, sweep
from freehold.runtimes.local.folders import current_folder
from freehold.runtimes.local.processes import command_line_of

pytestmark = pytest.mark.real

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="accounts of their own need root")


async def stopped(story: Story) -> str:
    """Stop the member; return the uid of its volumes."""
    await story.runtime.perform(story.say(Stop))
    return (await story.until(lambda seen: seen.phase is Phase.STOPPED)).uid


async def purge(story: Story) -> None:
    uid = await stopped(story)
    lineage = story.wish.lineage
    await story.runtime.perform(story.say(Retire, uid=uid, retirement=Retirement.NONE))
    await story.runtime.perform(story.say(DestroyVolumes, lineage=lineage, uid=uid))
    await story.runtime.perform(Forget(service=story.wish.service, lineage=lineage, because="test"))


async def test_a_killed_agent_is_back_by_itself_and_the_software_never_noticed(local):
    story = Story(local)
    before = await story.running()
    first = local.agent_pid(story.member)
    woken = asyncio.Event()
    local.runtime.on_change(lambda _service: woken.set())
    local.kill_agent(story.member)
    await asyncio.wait_for(woken.wait(), 10)
    after = await story.until(lambda seen: seen.is_ready)
    assert local.agent_pid(story.member) != first
    assert after.started_at == before.started_at


async def test_an_agent_and_its_software_killed_together_are_back(local):
    story = Story(local)
    before = await story.running()
    local.kill_agent(story.member)
    local.kill_software(story.member)
    after = await story.until(lambda seen: seen.is_ready and seen.started_at != before.started_at)
    assert after.uid == before.uid


async def test_a_new_daemon_adopts_what_runs(local):
    story = Story(local)
    before, agent = await story.running(), local.agent_pid(story.member)
    await local.restart()
    story.runtime = local.runtime
    after = await story.seen()
    assert local.agent_pid(story.member) == agent
    assert (after.is_ready, after.started_at) == (True, before.started_at)
    local.kill_agent(story.member)  # and it watches the adopted one
    await story.until(lambda seen: seen.is_ready and local.agent_pid(story.member) != agent)


async def test_everything_killed_at_once_is_back_at_the_next_daemon(local):
    story = Story(local)
    before = await story.running()
    await local.runtime.close()
    for pid in local.processes():
        os.kill(pid, signal.SIGKILL)
    local.runtime = story.runtime = local.new_runtime()
    await local.runtime.open()
    after = await story.until(lambda seen: seen.is_ready)
    assert (after.uid, after.address) == (before.uid, before.address)
    assert after.started_at != before.started_at


async def test_an_agent_of_another_freehold_is_replaced_in_place(local):
    story = Story(local)
    before, agent = await story.running(), local.agent_pid(story.member)
    tree = Path(command_line_of(agent)[3]).parent
    other = tree.with_name("0123456789abcdef")
    shutil.copytree(tree, other)
    await local.runtime.client("orders", story.member).replace(str(other))
    await story.until(lambda _seen: str(other / "main.py") in command_line_of(agent))
    await local.restart()
    story.runtime = local.runtime
    await story.until(lambda _seen: str(other / "main.py") not in command_line_of(agent))
    after = await story.until(lambda seen: seen.is_ready)
    assert local.agent_pid(story.member) == agent
    assert after.started_at == before.started_at


async def test_a_taken_address_is_refused_and_named(local):
    story = Story(local)
    await story.prepare()
    address = (await local.runtime.reserve(story.wish, [story.member]))[story.member]
    with socket.socket() as stranger:
        stranger.bind((address, 7070))
        stranger.listen()
        with pytest.raises(RefusedError, match=f"{address}:7070 is taken") as caught:
            await local.runtime.perform(story.provision())
        assert str(os.getpid()) in str(caught.value)
        with pytest.raises(RefusedError, match="7070 is taken"):
            await local.runtime.preflight(story.wish, [story.spec()])
    assert (await story.observe()).members == {}
    await local.runtime.perform(story.provision())


async def test_two_homes_never_share_an_address():
    labs = [LocalLab(), LocalLab()]
    try:
        for lab in labs:
            await lab.open()
        stories = [Story(lab) for lab in labs]
        members = [await story.running() for story in stories]
        assert members[0].address != members[1].address
        assert members[0].address.rpartition(".")[0] != members[1].address.rpartition(".")[0]
        for lab, story in zip(labs, stories, strict=True):
            assert (await lab.runtime.sweep()).orphans == ()
            assert (await story.seen()).is_ready
    finally:
        for lab in labs:
            await lab.close()


async def test_nothing_is_left_after_a_purge(local):
    story = Story(local)
    await story.running()
    await purge(story)
    await local.until_dead()
    assert list(local.paths.services.iterdir()) == []
    assert list(local.paths.member_sockets.iterdir()) == []


async def test_no_descriptor_of_a_member_stays_with_the_daemon(local):
    story = Story(local)
    before = _descriptors()
    await story.running()
    await purge(story)
    assert _descriptors() <= before


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_secrets_are_for_the_account_only(local):
    story = Story(local)
    await story.provisioned()
    folder = current_folder(local.paths.service("orders"), story.member)
    assert folder is not None
    account = local.runtime.records.get("orders").account
    files = list((folder.path / "secrets").iterdir())
    assert {file.name for file in files} >= {"superuser", "tls.key", "tls.crt", "ca.crt"}
    for file in files:
        found = file.stat()
        assert stat.S_IMODE(found.st_mode) == 0o600, file
        assert found.st_uid == (os.getuid() if account is None else account), file
    assert stat.S_IMODE((local.paths.service("orders") / "secrets").stat().st_mode) == 0o700


async def test_no_secret_is_in_an_argv_environment_log_or_document(local):
    story = Story(local)
    await story.running()
    secrets = local.secrets
    planted = [secrets.value(story.wish.lineage, "superuser").encode()]
    planted += secrets.member_files(story.wish.lineage, story.member, ["tls"])[
        "tls.key"
    ].splitlines()[1:2]
    for place, content in _everything_readable(local):
        assert not any(each in content for each in planted), place


def _everything_readable(lab: LocalLab) -> Iterator[tuple[Path, bytes]]:
    """Yield all that others may see: argv, environments, and files outside the secrets."""
    for pid in lab.processes():
        for name in ("cmdline", "environ"):
            file = Path(f"/proc/{pid}/{name}")
            yield file, file.read_bytes()
    for file in lab.paths.data.rglob("*"):
        if file.is_file() and "secrets" not in file.parts:
            yield file, file.read_bytes()


async def test_a_secret_is_handed_over_for_an_action_and_withdrawn(local):
    story = Story(local)
    await story.provisioned()
    local.secrets.issue_password("orders", story.wish.lineage, "app.shop")
    folder = current_folder(local.paths.service("orders"), story.member)
    assert folder is not None
    local.runtime.hand_secret("orders", story.member, "app.shop")
    assert (folder.path / "secrets" / "app.shop").stat().st_mode & 0o777 == 0o600
    for _turn in range(2):
        local.runtime.withdraw_secret("orders", story.member, "app.shop")
    assert not (folder.path / "secrets" / "app.shop").exists()


async def test_a_lost_database_is_rebuilt_and_nothing_else_changes(local):
    story = Story(local)
    before = await story.running()
    files = {path: path.read_bytes() for path in _still(local)}
    found = local.runtime.adopt()
    assert found.wishes == (story.wish,)
    assert found.problems == ()
    assert set(found.archives) == {story.wish.definition}
    assert {path: path.read_bytes() for path in _still(local)} == files
    assert (await story.seen()).started_at == before.started_at


def _still(lab: LocalLab) -> list[Path]:
    """Every file that only a change of ours would change."""
    names = {"service.json", "definition.tar", "member.json", "orders.json", "uid", "value"}
    return sorted(path for path in lab.paths.services.rglob("*") if path.name in names)


async def test_what_cannot_be_adopted_is_named_and_never_guessed(local):
    story, other = Story(local), Story(local, "billing")
    await story.prepare()
    await other.prepare()
    (local.paths.service("billing") / "definition.tar").write_bytes(b"x")
    found = local.runtime.adopt()
    assert [wish.service for wish in found.wishes] == ["orders"]
    assert [problem.partition(":")[0] for problem in found.problems] == ["cannot adopt billing"]


async def test_a_damaged_record_is_unknown_and_never_empty(local):
    story = Story(local)
    await story.provisioned()
    (local.paths.service("orders") / "service.json").write_text("{")
    observed = await story.observe()
    assert observed.unknown.startswith("cannot read")


async def test_a_lost_record_is_taken_from_the_members(local):
    story = Story(local, members=2)
    await story.provisioned()
    before = local.runtime.records.get("orders")
    (local.paths.service("orders") / "service.json").unlink()
    assert (await story.observe()).recorded is False
    await local.runtime.record(story.wish, local.package)
    after = local.runtime.records.get("orders")
    assert (after.account, after.addresses) == (before.account, before.addresses)


async def test_more_memory_than_there_is_is_refused_with_the_fix(local):
    story = Story(local)
    huge = replace(story.spec(), memory_bytes=2**50)
    with pytest.raises(RefusedError, match=r"they need .* of memory") as caught:
        await local.runtime.preflight(story.wish, [huge])
    assert caught.value.next_command.endswith("--preset dev")
    assert list(local.paths.services.iterdir()) == []


async def test_a_sweep_kills_only_what_serves_dead_volumes(local):
    story = Story(local)
    await story.running()
    (pid,) = (pid for pid, what in local.processes().items() if what.endswith(" main"))
    assert (await local.runtime.sweep()).orphans == ()
    folder = current_folder(local.paths.service("orders"), story.member)
    assert folder is not None
    with local.paths.dead_uids.open("a") as file:  # as if its volumes had been destroyed
        file.write(f"{folder.uid()}\n")
    found = await local.runtime.sweep(kill=False)
    assert pid in {orphan.process.pid for orphan in found.orphans}
    assert proc.stat(pid) is not None
    assert {each.process.pid for each in sweep.end(found)} >= {pid}


async def test_a_half_made_member_does_not_count_and_is_finished(local):
    story = Story(local)
    await story.prepare()
    folder = local.paths.member("orders", story.member, 0)
    (folder / "volumes" / "data").mkdir(parents=True)
    (folder / "member.json").write_text("{")
    assert (await story.observe()).members == {}
    await local.runtime.perform(story.provision())
    assert (await story.seen()).phase is Phase.STOPPED


async def test_an_interrupted_removal_is_finished_at_the_next_start(local):
    story = Story(local)
    await story.running()
    uid = await stopped(story)
    await story.runtime.perform(story.say(Retire, uid=uid, retirement=Retirement.NONE))
    folder = local.paths.member("orders", story.member, 0)
    folder.rename(folder.with_name(f".removing-{folder.name}"))  # and then the daemon died
    assert (await story.observe()).kept == ()
    await local.restart()
    assert list((local.paths.service("orders") / "members").iterdir()) == []


async def test_the_certificate_of_a_member_without_agent_is_tried(local):
    story = Story(local)
    await story.running()
    await local.runtime.close()
    os.kill(local.agent_pid(story.member), signal.SIGKILL)
    await story.until(lambda seen: seen.reach is Reach.GONE)
    assert (await story.seen()).certificate is Certificate.HELD
    retire = story.say(Retire, uid=(await story.seen()).uid, retirement=Retirement.NONE)
    with pytest.raises(RefusedError, match="its death certificate is held"):
        await local.runtime.perform(retire)
    local.kill_software(story.member)
    await story.until(lambda seen: seen.certificate is Certificate.FREE)
    await local.runtime.perform(retire)
    await local.until_dead()


async def test_a_frozen_agent_without_software_can_be_replaced_and_never_wakes(local):
    story = Story(local)
    await story.running()
    uid = await stopped(story)
    local.freeze_agent(story.member)
    await local.runtime.perform(story.say(Retire, uid=uid, retirement=Retirement.REPLACED))
    await local.until_dead()
    assert [each.retirement for each in (await story.observe()).kept] == [Retirement.REPLACED]


async def test_copies_of_the_agent_that_nobody_runs_from_are_swept(local):
    story = Story(local)
    await story.running()
    unused = local.paths.agents / "0123456789abcdef"
    shutil.copytree(local.runtime.agents.tree, unused)
    tree = local.runtime.agents.tree
    await local.runtime.sweep()
    assert not unused.exists()
    assert tree.exists()


async def test_logs_of_all_members_come_by_time(local):
    story = Story(local, members=2)
    await story.prepare()
    for ordinal in range(2):
        await local.runtime.perform(story.provision(ordinal))
    names = [each.name for each in story.desired().members]
    for name in names:
        await local.runtime.perform(story.say(Start, member=name))
    for name in names:
        await story.until(lambda seen: seen.is_ready, name)
    lines = [line async for line in local.runtime.logs("orders")]
    assert {line["member"] for line in lines} == set(names)
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert set(await local.runtime.metrics("orders")) == set(names)


@needs_root
async def test_software_and_hooks_run_as_an_account_of_the_services_own(local):
    first, second = Story(local), Story(local, "billing")
    await first.running()
    await second.running()
    owners = [local.runtime.records.get(name).account for name in ("orders", "billing")]
    assert owners[0] != owners[1]
    await local.runtime.perform(first.say(Act, action="flush", key="flush:1"))
    await first.until(
        lambda seen: seen.actions and seen.actions["flush:1"].phase is ActionPhase.DONE
    )
    for pid, what in local.processes().items():
        wanted = 0 if what.endswith(" ") else owners[what.startswith("billing")]
        assert proc_owner(pid) == wanted, what


def proc_owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@needs_root
def test_an_ordinary_user_has_the_same():
    """The suite's main path once more, as a user without any privilege."""
    uid = 61400
    python = accounts.find_interpreter(uid, accounts.interpreter_candidates())
    if python.version != sys.version_info[:2]:
        pytest.skip(f"no Python 3.{sys.version_info[1]} that uid {uid} can execute")
    paths = [path for path in sys.path if path]
    chosen = "killed_agent or new_daemon or left_after_a_purge or account_only or two_homes"
    done = subprocess.run(
        [python.path, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", chosen],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(paths), "HOME": "/nonexistent"},
        user=uid,
        group=uid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "5 passed" in done.stdout
