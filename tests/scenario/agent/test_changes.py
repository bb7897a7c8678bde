"""New specs, files, places, companions and full disks."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.scenario.agent.agent_bench import BODY_PYTHON, Bench, eventually, lives

from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.foundation.member import (
    Change,
    Companion,
    FileSpec,
    Phase,
    Probe,
    Process,
)

pytestmark = pytest.mark.real


def conf(text: str, changes: Change = Change.RESTART) -> tuple[FileSpec, ...]:
    return (FileSpec(path="sub/body.conf", text=text, changes=changes),)


def body_with_conf(member: Bench, unless: str = "") -> Process:
    return member.body("conf=${conf}/sub/body.conf", f"exit-unless={unless}")


def test_files_are_filled_0600_and_the_restart_hash_decides(member: Bench) -> None:
    async def scenario() -> None:
        (member.folder / "secrets/pw").write_text("hidden-value")
        text = "listen=${bind} pw=${secret:pw} data=${volume.data} $${kept}\n"
        before = await member.start(main=body_with_conf(member), files=conf(text))
        written = member.folder / "conf/sub/body.conf"
        expected = f"listen={member.place.bind} pw=hidden-value"
        assert written.read_text().startswith(expected)
        assert written.read_text().endswith(" ${kept}\n")
        assert written.stat().st_mode & 0o777 == 0o600

        live = await member.change(files=conf("new", Change.LIVE), revision="v2")
        assert live.revision_accepted == "v2"
        await member.until(lambda s: s.revision_running == "v2" and s.ready is True)
        assert await member.ask("/pid") == str(before.main.pid)
        assert written.read_text() == "new"

        await member.change(
            files=conf("newer", Change.RELOAD),
            revision="v3",
            reload_hash="l3",
            reload_signal="SIGHUP",
        )
        await member.until(lambda s: s.revision_running == "v3")

        async def reloaded() -> bool | None:
            return True if await member.ask("/reloaded") == "1" else None

        await eventually(reloaded)
        await member.change(files=conf("newest"), revision="v4", restart_hash="r4")
        after = await member.until(lambda s: s.revision_running == "v4" and s.ready is True)
        assert after.main.pid != before.main.pid
        assert (after.main.restarts, await member.ask("/conf")) == (0, "newest")

    asyncio.run(scenario())


def test_a_change_that_does_not_start_goes_back_to_the_last_good_files(member: Bench) -> None:
    async def scenario() -> None:
        await member.start(main=body_with_conf(member, "good"), files=conf("good 1"))
        await member.change(files=conf("bad"), revision="v2", restart_hash="r2")
        status = await member.until(lambda s: s.ready is True and "v2" in s.reason)
        assert (status.revision_accepted, status.revision_running) == ("v2", "v1")
        assert "failed to start (code 4)" in status.reason
        assert await member.ask("/conf") == "good 1"
        member.kill_agent()
        member.start_agent()
        status = await member.until(lambda s: s.ready is True)
        assert status.revision_running == "v1"
        await member.change(files=conf("good 3"), revision="v3", restart_hash="r3")
        status = await member.until(lambda s: s.ready is True and s.revision_running == "v3")
        assert status.reason == ""

    asyncio.run(scenario())


def test_an_unknown_placeholder_changes_nothing_on_disk_and_says_so(member: Bench) -> None:
    async def scenario() -> None:
        before = await member.start(main=body_with_conf(member), files=conf("good 1"))
        await member.change(files=conf("${address:nobody}"), revision="v2", restart_hash="r2")
        status = await member.until(lambda s: s.ready is True and "nobody" in s.reason)
        assert status.revision_running == "v1"
        assert status.main.pid != before.main.pid
        assert await member.ask("/conf") == "good 1"

    asyncio.run(scenario())


def test_a_new_place_rewrites_files_without_a_restart(member: Bench) -> None:
    async def scenario() -> None:
        name = member.spec.name
        before = await member.start(
            main=body_with_conf(member), files=conf(f"peer ${{address:{name}}}")
        )
        place = replace(member.place, addresses={name: "127.41.9.9"})
        await member.client.order(place=place)
        written = member.folder / "conf/sub/body.conf"

        async def rewritten() -> bool | None:
            return True if written.read_text() == "peer 127.41.9.9" else None

        await eventually(rewritten)
        assert (await member.client.status()).main.pid == before.main.pid
        with pytest.raises(RefusedError, match="cannot move"):
            await member.client.order(place=replace(place, folder="/elsewhere"))

    asyncio.run(scenario())


def test_a_secret_in_a_command_is_refused(member: Bench) -> None:
    async def scenario() -> None:
        (member.folder / "secrets/pw").write_text("hidden-value")
        member.spec = replace(member.spec, main=member.body("--password=${secret:pw}"))
        member.write()
        member.start_agent()
        status = await member.until(lambda s: s.phase is Phase.WAITING)
        assert "cannot put the secret 'pw' into a command" in status.reason

    asyncio.run(scenario())


def test_a_link_planted_by_the_account_is_not_followed(make: Callable[..., Bench]) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root writes into another account's folder")

    async def scenario(member: Bench) -> None:
        target = member.folder / "target"
        target.mkdir()
        (member.folder / "conf/sub").symlink_to(target)
        member.spec = replace(member.spec, files=conf("text"))
        member.write()
        member.start_agent()
        await member.until(lambda s: s.phase is Phase.WAITING)
        assert list(target.iterdir()) == []

    asyncio.run(scenario(make(uid=61543)))


def test_companions_run_beside_and_come_back(member: Bench) -> None:
    async def scenario() -> None:
        sleeper = Process(argv=(BODY_PYTHON, "-c", "import time; time.sleep(600)"))
        before = await member.start(companions=(Companion(name="exporter", process=sleeper),))
        status = await member.until(lambda s: s.companions["exporter"].pid > 0)
        pid = status.companions["exporter"].pid
        os.kill(pid, 9)
        status = await member.until(lambda s: s.companions["exporter"].pid not in (0, pid))
        assert status.companions["exporter"].restarts == 1
        assert status.main.pid == before.main.pid
        member.kill_agent()
        member.start_agent()
        again = await member.until(lambda s: s.ready is True and "exporter" in s.companions)
        assert again.companions["exporter"].pid == status.companions["exporter"].pid
        await member.order(run=False)
        await member.until(lambda s: s.phase is Phase.STOPPED)
        assert not lives(again.companions["exporter"].pid)

    asyncio.run(scenario())


def test_exec_and_tcp_probes(member: Bench) -> None:
    async def scenario() -> None:
        alive = Probe(tcp="main", every_s=0.2)
        ready = Probe(exec=("/bin/sh", "-c", "test ! -e no; echo x"), every_s=0.2, passes=(0,))
        role = Probe(exec=("/bin/echo", "follower"), every_s=0.2)
        await member.start(alive=alive, ready=ready, role=role)
        await member.until(lambda s: s.role == "follower" and s.alive is True)

    asyncio.run(scenario())


def test_a_full_disk_refuses_orders_and_keeps_the_software(member: Bench) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    small = member.folder
    held = {path.relative_to(small): path for path in small.rglob("*")}
    uid = (small / "uid").read_text()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)], check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this container may not mount")
    try:
        for relative, _ in sorted(held.items()):
            if relative.name != "uid":
                (small / relative).mkdir(parents=True, exist_ok=True)
        (small / "uid").write_text(uid)

        async def scenario() -> None:
            before = await member.start()
            filler = small / "filler"
            _fill(filler)
            os.kill(before.main.pid, 9)
            status = await member.until(lambda s: s.ready is True and s.main.pid != before.main.pid)
            assert "No space left" in status.reason
            with pytest.raises(Exception, match="No space left"):
                await member.order(restart="now")
            filler.unlink()
            status = await member.until(lambda s: s.reason == "")
            assert status.restart == ""

        asyncio.run(scenario())
    finally:
        member.end()
        subprocess.run(["umount", "-l", str(small)], check=True)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return


def test_requests_that_are_wrong_get_a_4xx_and_change_nothing(member: Bench) -> None:
    async def scenario() -> None:
        await member.start()
        reader, writer = await asyncio.open_unix_connection(member.place.socket)
        head = (
            "PUT /v1/orders HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
        )
        writer.write(head.encode() + b"{x}")
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 422 ")
        assert b"cannot read the request" in answer
        with pytest.raises(PermanentFault, match=r"no main\.py"):
            await member.client.replace("/nowhere")
        with pytest.raises(RefusedError, match="cannot become"):
            await member.client.order(spec=replace(member.spec, name="other"))
        with pytest.raises(RefusedError, match="cannot end"):
            await member.client.shutdown()
        assert (await member.client.status()).ready is True

    asyncio.run(scenario())


def test_the_health_listener_answers_only_health(member: Bench) -> None:
    async def ask(target: str) -> bytes:
        reader, writer = await asyncio.open_unix_connection(member.place.health_socket)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.split(b"\r\n")[0]

    async def scenario() -> None:
        await member.start()
        assert b"200" in await ask("/livez")
        assert b"200" in await ask("/readyz")
        assert b"404" in await ask("/v1/status")
        await member.order(run=False)
        await member.until(lambda s: s.phase is Phase.STOPPED)
        assert b"503" in await ask("/readyz")

    asyncio.run(scenario())
