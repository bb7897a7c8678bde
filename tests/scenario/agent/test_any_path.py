"""From any path to the same end: one agent, one main process, the last revision, ready.

Kills, freezes, orders and changes in an order drawn from a seed. While it goes on nobody may ever
see two main processes that hold the certificate; the kernel's lock sees to that, this looks.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

import pytest
from tests.scenario.agent.agent_bench import Bench, eventually

from freehold.foundation.errors import TransientFault
from freehold.foundation.member import Change, FileSpec, Phase

pytestmark = pytest.mark.real


class Path:
    """One random walk over everything that may happen to a member."""

    def __init__(self, member: Bench, seed: int) -> None:
        self.member = member
        self.random = random.Random(seed)
        self.walked: list[str] = []

    async def walk(self, steps: int) -> None:
        moves: list[Callable[[], Awaitable[None]]] = [
            self.kill_software,
            self.freeze_software,
            self.kill_agent,
            self.kill_both,
            self.restart,
            self.stop_and_start,
            self.change,
            self.replace_agent,
        ]
        for _ in range(steps):
            move = self.random.choice(moves)
            self.walked.append(move.__name__)
            with suppress(TransientFault):  # the agent was just killed: the next move goes on
                await move()
            assert list(self.member.processes().values()).count("main") <= 2, self.walked
            await asyncio.sleep(self.random.random() * 0.4)

    def main(self) -> int:
        mains = [pid for pid, tag in self.member.processes().items() if tag == "main"]
        return mains[0] if mains else 0

    async def kill_software(self) -> None:
        self._signal(signal.SIGKILL)

    async def freeze_software(self) -> None:
        self._signal(signal.SIGSTOP)

    async def kill_agent(self) -> None:
        self.member.kill_agent()
        self.member.start_agent()

    async def kill_both(self) -> None:
        self.member.kill_agent()
        self._signal(signal.SIGKILL)
        self.member.start_agent()

    async def restart(self) -> None:
        await self.member.order(restart=f"stamp-{len(self.walked)}")

    async def stop_and_start(self) -> None:
        await self.member.order(run=False)
        await asyncio.sleep(self.random.random() * 0.3)
        await self.member.order(run=True)

    async def change(self) -> None:
        number = len(self.walked)
        changes = self.random.choice([Change.LIVE, Change.RELOAD, Change.RESTART])
        hashes = {"restart_hash": f"r{number}"} if changes is Change.RESTART else {}
        await self.member.change(
            files=(FileSpec(path="body.conf", text=f"{number}", changes=changes),),
            revision=f"v{number}",
            reload_signal="SIGHUP",
            reload_hash=f"l{number}" if changes is Change.RELOAD else self.member.spec.reload_hash,
            **hashes,
        )

    async def replace_agent(self) -> None:
        await self.member.client.replace(str(self.member.tree))

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            if pid := self.main():
                os.kill(pid, number)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_path_ends_in_the_same_state(member: Bench, seed: int) -> None:
    async def scenario() -> None:
        await member.start()
        path = Path(member, seed)
        await path.walk(12)
        member.orders = replace(member.orders, run=True)  # a stop may have been cut in two
        await member.send_again()
        try:
            await member.until(
                lambda s: (
                    s.phase is Phase.RUNNING
                    and s.ready is True
                    and s.revision_running == member.spec.revision
                    and s.restart == member.orders.restart
                )
            )
        except AssertionError as error:
            raise AssertionError(f"after {path.walked}: {error}") from None
        assert list(member.processes().values()).count("main") == 1

        async def answers() -> bool | None:  # frozen last, it is killed only some probes later
            with suppress(OSError):
                pid = (await member.client.status()).main.pid
                return True if await member.ask("/pid") == str(pid) else None
            return None

        await eventually(answers)
        written = member.folder / "conf/body.conf"
        if member.spec.files:
            assert written.read_text() == member.spec.files[0].text

    asyncio.run(scenario())
