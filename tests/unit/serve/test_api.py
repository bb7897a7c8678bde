"""What is wrong with a request is said in the one error shape, and no verb is reached."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.operations.desks import ECHO, World

from freehold.adapters.catalog import FolderPackages
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.operations.desk import Asker, Desk
from freehold.operations.messages import Adopt, Adopted, Finding, Version
from freehold.serve.api import LARGEST_BODY_BYTES, Front
from freehold.serve.daemon import write_log
from freehold.serve.door import Call, Door
from freehold.serve.doors import DOORS
from freehold.serve.refusals import as_freehold_error

OWNER = 1000


class PaperDaemon:
    def __init__(self, world: World) -> None:
        self.desk: Desk = world.desk

    def version(self) -> Version:
        return Version(version="0", api=1, pid=1, home="/h", started_at=0.0)

    async def doctor(self) -> list[Finding]:
        return []

    async def adopt(self, asker: Asker, asked: Adopt) -> Adopted:
        return Adopted(services=[], known=[])

    def stop(self) -> None:
        return None


class Api:
    """Speaks ASGI to the application, as uvicorn would."""

    def __init__(self, world: World, doors: tuple[Door, ...] = DOORS) -> None:
        self.world = world
        self.logged: list[str] = []
        self.front = Front(PaperDaemon(world), OWNER, self.logged.append)
        self._application = self.front.application(doors)

    def ask(
        self, method: str, path: str, body: bytes = b"", *, query: str = "", uid: int = OWNER
    ) -> tuple[int, Any]:
        return asyncio.run(self._ask(method, path, body, query, uid))

    async def _ask(
        self, method: str, path: str, body: bytes, query: str, uid: int
    ) -> tuple[int, Any]:
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [],
            "client": (f"uid:{uid}", 0),
            "http_version": "1.1",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        sent: list[Any] = []
        parts = [body[at : at + 65536] for at in range(0, max(len(body), 1), 65536)]

        async def receive() -> dict[str, Any]:
            if not parts:
                await asyncio.Event().wait()
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._application(scope, receive, send)
        content = b"".join(each.get("body", b"") for each in sent[1:])
        return sent[0]["status"], content if b"\n" in content else msgspec.json.decode(content)


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> FolderPackages:
    folder = tmp_path_factory.mktemp("packages")
    return FolderPackages([folder / "catalog"], folder / "pins")


@pytest.fixture
def api(tmp_path: Path, packages: FolderPackages) -> Any:
    world = World.at(tmp_path, packages)
    yield Api(world)
    world.journal.close()


INSTALL = "/v1/services"
WRONG = [
    ("POST", INSTALL, b"{", "", 422),
    ("POST", INSTALL, b"[]", "", 422),
    ("POST", INSTALL, b"\xff\xfe", "", 422),
    ("POST", INSTALL, b"{}", "", 422),
    ("POST", INSTALL, b'{"package": 7}', "", 422),
    ("POST", INSTALL, b'{"package": "echo", "presett": "dev"}', "", 422),
    ("POST", INSTALL, b'{"package": "echo", "knobs": [1]}', "", 422),
    ("POST", INSTALL, b'{"package": "no-such"}', "", 404),
    ("POST", INSTALL, b'{"package": "' + b"x" * LARGEST_BODY_BYTES + b'"}', "", 422),
    ("POST", INSTALL, b"[" * 100_000, "", 422),
    ("POST", "/v1/services/echo/scale", b'{"members": "three"}', "", 422),
    ("POST", "/v1/services/echo/scale", b'{"members": 3}', "", 404),
    ("POST", "/v1/services/echo/rebuild", b"{}", "", 422),
    ("GET", "/v1/services/Bad_Name", b"", "", 422),
    ("GET", "/v1/services/..%2f..%2fetc", b"", "", 422),
    ("GET", "/v1/services/../../etc/passwd", b"", "", 404),
    ("GET", "/v1/services/no-such", b"", "", 404),
    ("GET", "/v1/services/no-such/logs", b"", "", 404),
    ("GET", "/v1/services/no-such/events", b"", "follow=1", 404),
    ("GET", "/v1/services", b"", "everything=1", 422),
    ("GET", "/v1/services", b"", "all=perhaps", 422),
    ("GET", "/v1/services/no-such/logs", b"", "since=yesterday", 422),
    ("GET", "/v1/operations", b"", "service=..", 422),
    ("GET", "/v1/operations/no-such/watch", b"", "", 404),
    ("POST", "/v1/operations/no-such/cancel", b'{"force": true}', "", 422),
    ("GET", "/v1/explain/no-such", b"", "", 404),
    ("PUT", "/v1/services/echo/bindings/a..b", b"{}", "", 422),
    ("DELETE", "/v1/services", b"", "", 404),
    ("GET", "/v2/services", b"", "", 404),
    ("GET", "/", b"", "", 404),
]


@pytest.mark.parametrize(
    "request_and_status", WRONG, ids=lambda each: f"{each[0]} {each[1]} {each[2][:30]!r} {each[3]}"
)
def test_a_wrong_request_is_refused_in_the_one_shape_and_nothing_changes(
    api: Api, request_and_status: tuple[str, str, bytes, str, int]
) -> None:
    method, path, body, query, status = request_and_status
    before = api.world.state()
    found, answer = api.ask(method, path, body, query=query)
    assert (found, answer["message"].startswith("cannot ")) == (status, True), answer
    assert set(answer) == {"error", "message", "next_command", "faults", "retry_after_s"}
    assert api.world.state() == before
    assert api.logged == []


def test_another_user_is_refused_and_root_is_not(api: Api) -> None:
    assert api.ask("GET", "/v1/services", uid=1001)[0] == 409
    assert api.ask("GET", "/v1/services", uid=0)[0] == 200


def test_every_fault_of_the_values_comes_at_once(api: Api) -> None:
    body = msgspec.json.encode(
        {"package": ECHO, "knobs": {"memory": "x", "members": 77, "nothing": 1}}
    )
    status, answer = api.ask("POST", INSTALL, body)
    assert status == 422
    assert {fault["path"] for fault in answer["faults"]} == {"memory", "members", "nothing"}


def test_accepted_is_202_and_a_plan_is_200(api: Api) -> None:
    wanted = {"package": ECHO, "preset": "dev"}
    dry = msgspec.json.encode({**wanted, "dry_run": True})
    assert api.ask("POST", INSTALL, dry)[0] == 200
    assert api.ask("POST", INSTALL, msgspec.json.encode(wanted))[0] == 202


def _door(handler: Any, *, streams: bool = False) -> Door:
    return Door(
        method="GET", path="/v1/try", handler=handler, summary="try", gives=str, streams=streams
    )


def test_a_defect_is_logged_and_shown_without_a_traceback(api: Api) -> None:
    async def broken(_call: Call) -> str:
        raise ZeroDivisionError("of ours")

    tried = Api(api.world, (_door(broken),))
    status, answer = tried.ask("GET", "/v1/try")
    assert (status, answer["error"]) == (500, "PermanentFault")
    assert "of ours" not in answer["message"]
    assert "ZeroDivisionError" in tried.logged[0]


def test_a_stream_that_fails_later_ends_with_a_refusal_as_its_last_line(api: Api) -> None:
    async def lines() -> AsyncIterator[str]:
        yield "first"
        raise TransientFault("cannot go on")

    async def handler(_call: Call) -> AsyncIterator[str]:
        return lines()

    status, content = Api(api.world, (_door(handler, streams=True),)).ask("GET", "/v1/try")
    first, last = [msgspec.json.decode(line) for line in content.split()[:1]], content
    assert (status, first) == (200, ["first"])
    assert msgspec.json.decode(last.splitlines()[-1])["error"] == "TransientFault"


def test_a_closing_daemon_ends_its_streams(api: Api) -> None:
    async def lines() -> AsyncIterator[str]:
        yield "first"
        await asyncio.Event().wait()

    async def handler(_call: Call) -> AsyncIterator[str]:
        return lines()

    tried = Api(api.world, (_door(handler, streams=True),))
    tried.front.closing.set()
    assert tried.ask("GET", "/v1/try")[0] == 200


@pytest.mark.parametrize(
    ("failure", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "No space left", "state.db"), TransientFault, "no space left"),
        (OSError(errno.EDQUOT, "Quota"), TransientFault, "no space left"),
        (OSError(errno.EMFILE, "Too many"), TransientFault, "open files"),
        (RuntimeError("secret"), PermanentFault, "defect"),
    ],
)
def test_the_machines_failures_have_their_words(
    failure: Exception, kind: type[Exception], words: str
) -> None:
    error = as_freehold_error(failure)
    assert isinstance(error, kind)
    assert words in str(error)
    assert error.next_command


def test_a_log_that_cannot_be_written_does_not_fail_what_it_tells_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Full:
        def write(self, _text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    write_log("cannot go on")
