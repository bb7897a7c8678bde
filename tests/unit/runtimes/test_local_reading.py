import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from freehold.foundation.errors import TransientFault
from freehold.runtimes.local.reading import member_lines, merge


async def stream(name: str, *times: float) -> AsyncGenerator[dict[str, Any]]:
    for at in times:
        yield {"at": at, "member": name}


def merged(*, patience_s: float | None = None, **streams: Any) -> list[tuple[str, float]]:
    async def read() -> list[tuple[str, float]]:
        lines = merge(streams, patience_s=patience_s)
        return [(line["member"], line["at"]) async for line in lines]

    return asyncio.run(read())


def test_lines_of_all_members_come_by_time():
    assert merged(a=stream("a", 1, 4), b=stream("b", 2, 3), c=stream("c")) == [
        ("a", 1),
        ("b", 2),
        ("b", 3),
        ("a", 4),
    ]


def test_a_quiet_member_does_not_hold_the_others_back():
    async def quiet() -> AsyncGenerator[dict[str, Any]]:
        await spoken.wait()
        yield {"at": 9.0, "member": "quiet"}

    async def loud() -> AsyncGenerator[dict[str, Any]]:
        for at in range(50):
            yield {"at": float(at), "member": "loud"}
        spoken.set()

    async def read() -> list[str]:
        lines = merge({"quiet": quiet(), "loud": loud()}, patience_s=0.01)
        return [line["member"] async for line in lines]

    spoken = asyncio.Event()
    assert asyncio.run(asyncio.wait_for(read(), 10)) == ["loud"] * 50 + ["quiet"]


def test_a_silent_member_is_named_in_the_stream():
    class Silent:
        async def logs(self, **_filters: Any) -> AsyncGenerator[dict[str, Any]]:
            if self is None:
                yield {}
            raise TransientFault("cannot reach the agent")

    client: Any = Silent()

    async def read() -> list[dict[str, Any]]:
        return [line async for line in member_lines("a-0", client, follow=False)]

    (line,) = asyncio.run(read())
    assert (line["member"], line["source"]) == ("a-0", "freehold")
    assert line["message"] == "cannot reach the agent"
