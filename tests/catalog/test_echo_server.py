"""Echo itself: what it acknowledges is on disk, and its hooks may be called any number of times."""

from __future__ import annotations

import base64
import datetime as dt
import importlib.util
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.catalog.echo_members import ECHO, PASSWORD, EchoMember

from freehold.adapters import certificates
from freehold.agent.hook import Done, Failed, Progress

pytestmark = pytest.mark.real

NAMES = ["orders-node-0", "orders-node-1"]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("echo_hooks", ECHO / "hooks.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[EchoMember]]:
    authority = certificates.make_authority("orders", "lineage-of-a-test", dt.datetime.now(dt.UTC))
    addresses = {name: f"127.91.7.{number + 1}" for number, name in enumerate(NAMES)}
    made = [EchoMember(tmp_path, authority, addresses, name) for name in NAMES]
    for member in made:
        member.start()
    for member in made:
        wait_for(member.connects)
    yield made
    for member in made:
        member.kill()


def wait_for(condition: Any, within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.005)


def ask(
    member: EchoMember, method: str, path: str, body: str = "", login: str = f"admin:{PASSWORD}"
) -> Any:
    tls = ssl.create_default_context(cafile=str(member.folder / "secrets/ca.crt"))
    url = f"https://{member.addresses[member.name]}:7070{path}"
    request = urllib.request.Request(url, data=body.encode() if body else None, method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
        text = answer.read().decode()
        return json.loads(text) if answer.headers["content-type"].endswith("json") else text


def refusal(*arguments: Any, **more: Any) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(*arguments, **more)
    with caught.value:
        return caught.value.code


def test_an_acknowledged_record_survives_kill_9_and_half_a_line_does_not(members, hooks):
    first = members[0]
    ask(first, "PUT", "/records/a", "one")
    first.kill()
    with (first.folder / "data/records.log").open("ab") as log:
        log.write(b'["b", 1.0, "ha')
    first.start()
    wait_for(first.connects)
    assert ask(first, "GET", "/records") == {"a": "one"}


def test_without_a_login_nothing_is_told(members, hooks):
    assert refusal(members[0], "GET", "/records", login="admin:wrong") == 401
    assert refusal(members[0], "GET", "/records", login="nobody:") == 401


def test_a_login_works_on_every_member_until_it_is_dropped(members, hooks):
    seen = members[0].seen_by_hooks(NAMES, **{"app.shop": "s3cret"})
    wanted = {"user": "shop", "secret": "app.shop", "wanted": "present"}
    assert hooks.user(seen, wanted) == hooks.user(seen, wanted) == Done({"user": "shop"})
    assert ask(members[1], "PUT", "/records/x", "y", login="shop:s3cret") == "stored"
    assert refusal(members[1], "PUT", "/logins/evil", "hash", login="shop:s3cret") == 401
    hooks.user(seen, {**wanted, "wanted": "absent"})
    assert refusal(members[1], "GET", "/records/x", login="shop:s3cret") == 401


def test_a_leaving_member_hands_everything_over_and_takes_no_more(members, hooks):
    leaver, other = members[1], members[0]
    for number in range(30):
        ask(leaver, "PUT", f"/records/k{number}", str(number))
    seen = leaver.seen_by_hooks(NAMES)
    assert hooks.leave(seen, {}) == hooks.leave(seen, {}) == Done({"records": 30, "to": NAMES[0]})
    assert ask(other, "GET", "/records") == {f"k{number}": str(number) for number in range(30)}
    assert refusal(leaver, "PUT", "/records/late", "x") == 503


def test_the_last_member_cannot_leave(members, hooks):
    assert isinstance(hooks.leave(members[0].seen_by_hooks(NAMES[:1]), {}), Failed)


def test_forming_twice_with_one_key_counts_once_and_waits_for_the_dead(members, hooks):
    seen = members[0].seen_by_hooks(NAMES)
    members[1].kill()
    assert isinstance(hooks.form(seen, {}), Progress)
    members[1].start()
    wait_for(members[1].connects)
    assert hooks.form(seen, {}) == hooks.form(seen, {}) == Done({"members": NAMES})
    for member in members:
        status = ask(member, "GET", "/status")
        assert (status["group"], status["formed"]) == (NAMES, 1)


def test_check_writes_reads_and_leaves_nothing_behind(members, hooks):
    assert isinstance(hooks.check(members[0].seen_by_hooks(NAMES), {"token": "t"}), Done)
    assert ask(members[0], "GET", "/records") == {}


def test_it_listens_soon_after_its_start(members, hooks):
    took = []
    for _ in range(5):
        members[0].kill()
        began = time.monotonic()
        members[0].start()
        wait_for(members[0].connects)
        took.append(time.monotonic() - began)
    assert min(took) < 1.0, took  # 0.1 s on an idle machine; the bound leaves room for busy ones
    print("start to listening, ms:", sorted(round(each * 1000) for each in took))  # noqa: T201
