"""Fetching from a real HTTP server that behaves badly: clear errors, nothing half installed."""

from __future__ import annotations

import socket
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.scenario.software.misbehaving_registry import (
    HOST,
    Handler,
    Registry,
    bytes_instead,
    cut_after,
    drip,
    hang_after,
    status,
    wheel_bytes,
    whole_whatever_was_asked,
)

from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.software.download import Patience
from freehold.software.fetch import fetch_files
from freehold.software.lock import LockedFile
from freehold.software.network import Access
from freehold.software.partial import Stopped
from freehold.software.registries import Registries
from freehold.software.store import Store, sha256_of
from freehold.software.transport import Address, basic

QUICK = Patience(attempts=3, first_delay_s=0.01)


def fetch(registry: Registry, store: Store, timeout_s: float = 10.0, **more: object) -> None:
    fetch_files(
        registry.lock().files,
        store,
        lambda: registry.registries(timeout_s),
        patience=QUICK,
        **more,  # type: ignore[arg-type]
    )


def blobs(store: Store) -> set[str]:
    names = {path.name for path in store.blobs.iterdir()}
    for name in names:  # whatever happened: a blob is always whole
        assert sha256_of(store.blobs / name) == name
    return names


def test_everything_comes_once_and_then_never_again(registry: Registry, store: Store):
    for number in range(12):
        registry.jar(f"jar{number}")
    registry.wheel("tool", wheel_bytes({"inner/run": (b"x", 0o755)}))
    seen: list[tuple[int, int]] = []
    fetch(registry, store, progress=lambda done, total, _: seen.append((done, total)))
    assert blobs(store) == {file.sha256 for file in registry.files}
    assert not list(store.partial.iterdir())
    assert all(len(registry.asked_for(file)) == 1 for file in registry.files)
    size = sum(file.size for file in registry.files)
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)

    def offline() -> Registries:
        raise AssertionError("asked for registries with nothing to fetch")

    fetch_files(registry.lock().files, store, offline)


def test_a_mirror_that_serves_html_will_do(registry: Registry, store: Store):
    registry.html = True
    registry.wheel("tool", wheel_bytes({"inner/run": (b"x", 0o755)}))
    fetch(registry, store)
    assert len(blobs(store)) == 1


def test_wrong_bytes_are_put_aside_and_both_hashes_named(registry: Registry, store: Store):
    good, bad = registry.jar("good"), registry.jar("bad", 1000)
    wrong = bytes(1000)
    registry.contents["/m/org/test/bad/1.0/bad-1.0.jar"] = wrong
    fetch_files([good], store, registry.registries)
    with pytest.raises(PermanentFault) as caught:
        fetch(registry, store)
    aside = list(store.quarantine.iterdir())
    assert [path.read_bytes() for path in aside] == [wrong]
    message = str(caught.value)
    assert message.startswith("cannot use bad-1.0.jar: its sha256 is ")
    assert all(text in message for text in (bad.sha256, sha256_of(aside[0]), str(aside[0])))
    assert blobs(store) == {good.sha256}
    assert len(registry.asked_for(bad)) == 1  # the same answer would come again


@pytest.mark.parametrize("size", [500, 1500])
def test_a_file_of_another_size_is_wrong(registry: Registry, store: Store, size: int):
    bad = registry.jar("bad", 1000)
    registry.act(bad, *[bytes_instead(bytes(size))] * 3)
    with pytest.raises((PermanentFault, TransientFault), match=r"bad-1\.0\.jar"):
        fetch(registry, store)
    assert not blobs(store)


def test_an_index_that_lists_another_hash_is_refused(registry: Registry, store: Store):
    registry.wheel("tool", b"true")
    registry.files = [replace_hash(registry.files[0])]
    with pytest.raises(PermanentFault, match=r"it lists sha256 .*, the lock says 0000"):
        fetch(registry, store)


def replace_hash(file: LockedFile) -> LockedFile:
    return msgspec.structs.replace(file, sha256="0" * 64)


def test_a_cut_connection_goes_on_where_it_was(registry: Registry, store: Store):
    file = registry.jar("jar")
    registry.act(file, cut_after(70_000))
    fetch(registry, store)
    assert registry.asked_for(file) == ["", "bytes=70000-"]
    assert blobs(store) == {file.sha256}


def test_cuts_that_bring_something_each_time_never_run_out_of_tries(
    registry: Registry, store: Store
):
    file = registry.jar("jar", 1_000_000)

    def part(handler: Handler, content: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        said = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        rest = len(content) - start
        handler.answer(206, content[start : start + 100_000], said, rest)
        handler.close_connection = True

    registry.act(file, *[part] * 8)
    fetch(registry, store)
    assert len(registry.asked_for(file)) == 9 > QUICK.attempts


def test_a_server_without_ranges_starts_again(registry: Registry, store: Store):
    file = registry.jar("jar")
    registry.act(file, cut_after(70_000), whole_whatever_was_asked)
    fetch(registry, store)
    assert len(registry.asked_for(file)) == 2
    assert blobs(store) == {file.sha256}


def test_a_beginning_that_is_wrong_is_thrown_away(registry: Registry, store: Store):
    file = registry.jar("jar")
    (store.partial / file.sha256).write_bytes(bytes(70_000))
    fetch(registry, store)
    assert registry.asked_for(file) == ["bytes=70000-", ""]
    assert blobs(store) == {file.sha256}


@pytest.mark.parametrize("extra", [0, 5])
def test_a_partial_that_is_whole_or_too_long(registry: Registry, store: Store, extra: int):
    file = registry.jar("jar", 1000)
    content = registry.contents["/m/org/test/jar/1.0/jar-1.0.jar"]
    (store.partial / file.sha256).write_bytes(content + bytes(extra))
    fetch(registry, store)
    assert registry.asked_for(file) == ([""] if extra else [])
    assert blobs(store) == {file.sha256}


def test_a_missing_file_is_named(registry: Registry, store: Store):
    file = registry.jar("gone")
    registry.contents.clear()
    with pytest.raises(PermanentFault, match=rf"cannot find gone-1\.0\.jar: {HOST} does not have"):
        fetch(registry, store)
    assert len(registry.asked_for(file)) == 1
    assert not blobs(store)


def test_the_next_registry_is_asked_when_the_first_does_not_have_it(
    registry: Registry, store: Store
):
    registry.jar("jar")
    normal = registry.registries()
    both = (Address(url=f"{registry.url}/other", kind="maven"), *normal.maven)
    fetch_files(registry.files, store, lambda: replace(normal, maven=both))
    assert len(blobs(store)) == 1


def test_a_busy_registry_is_asked_again(registry: Registry, store: Store):
    file = registry.jar("jar")
    registry.act(file, status(503), status(429))
    fetch(registry, store)
    assert len(registry.asked_for(file)) == 3


def test_a_kept_connection_that_was_closed_meanwhile_costs_no_try(registry: Registry, store: Store):
    def hang_up_afterwards(handler: Handler, content: bytes) -> None:
        handler.serve(content)
        handler.close_connection = True  # and no header that says so

    wheel = registry.wheel("tool", b"content")
    registry.acts["/simple/tool/"] = deque([hang_up_afterwards])
    once = Patience(attempts=1)
    fetch_files(registry.files, store, registry.registries, patience=once)
    assert blobs(store) == {wheel.sha256}


def test_a_refusal_is_final_and_says_who_refuses(registry: Registry, store: Store):
    file = registry.jar("jar")
    registry.login = "Basic x"
    with pytest.raises(PermanentFault, match=f"{HOST} answers 401"):
        fetch(registry, store)
    assert len(registry.asked_for(file)) == 1


def test_logins_are_sent(registry: Registry, store: Store):
    registry.jar("jar")
    registry.login = basic("ann", "secret")
    address = Address(url=f"{registry.url}/m", kind="maven", authorization=registry.login)
    fetch_files(registry.files, store, lambda: replace(registry.registries(), maven=(address,)))
    assert len(blobs(store)) == 1


def test_logins_stay_behind_when_a_redirect_leads_elsewhere(registry: Registry, store: Store):
    elsewhere = Registry()
    elsewhere.start("127.42.0.2")
    try:
        file = registry.jar("jar")
        elsewhere.contents = dict(registry.contents)
        target = f"{elsewhere.url}/m/org/test/jar/1.0/jar-1.0.jar"
        registry.act(file, status(302, {"Location": target}))
        login = basic("ann", "secret")
        address = Address(url=f"{registry.url}/m", kind="maven", authorization=login)
        fetch_files(registry.files, store, lambda: replace(registry.registries(), maven=(address,)))
        assert "Authorization" in registry.headers[0]
        assert "Authorization" not in elsewhere.headers[0]
    finally:
        elsewhere.stop()


def test_redirects_in_a_circle_end(registry: Registry, store: Store):
    file = registry.jar("jar")
    registry.act(file, *[status(302, {"Location": "jar-1.0.jar"})] * 20)
    with pytest.raises(PermanentFault, match="redirects"):
        fetch(registry, store)


def test_a_proxy_is_asked_instead(registry: Registry, store: Store):
    registry.jar("jar")
    proxied = replace(
        registry.registries(),
        maven=(Address(url="http://repository.invalid/m", kind="maven"),),
        access=Access(proxies={"http": registry.url}),
    )
    fetch_files(registry.files, store, lambda: proxied)
    assert registry.headers[0]["Host"] == "repository.invalid"
    assert len(blobs(store)) == 1


def test_a_dead_registry_says_what_is_here_already(registry: Registry, store: Store):
    here, lost = registry.jar("here", 300_000), registry.jar("lost", 700_000)
    fetch_files([here], store, registry.registries)
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind((HOST, 0))
        dead = Address(url=f"http://{HOST}:{closed.getsockname()[1]}/m", kind="maven")
        with pytest.raises(TransientFault) as caught:
            fetch_files(
                registry.files,
                store,
                lambda: replace(registry.registries(), maven=(dead,)),
                patience=QUICK,
            )
    assert str(caught.value) == (
        f"cannot fetch {lost.file}: cannot reach {HOST}: [Errno 111] Connection refused; "
        "0.3 MB of 1.0 MB are here and are not fetched again"
    )
    assert caught.value.next_command
    assert blobs(store) == {here.sha256}


def test_a_silent_registry_is_given_up_and_what_came_is_kept(registry: Registry, store: Store):
    file = registry.jar("jar")
    registry.act(file, hang_after(50_000), *[hang_after(0)] * 3)
    with pytest.raises(TransientFault, match="timed out"):
        fetch(registry, store, timeout_s=0.2)
    assert (store.partial / file.sha256).stat().st_size == 50_000
    assert not blobs(store)


def test_a_dripping_registry_counts_as_dead(registry: Registry, store: Store):
    registry.act(registry.jar("jar"), drip)
    patience = Patience(attempts=1, grace_s=0.2, slowest_bytes_s=100_000)
    with pytest.raises(TransientFault, match=f"read from {HOST}: .* B/s"):
        fetch_files(registry.files, store, registry.registries, patience=patience)


def test_cancelling_does_not_wait_for_a_silent_server_and_keeps_what_came(
    registry: Registry, store: Store
):
    file = registry.jar("jar")
    registry.act(file, hang_after(50_000))
    stop = threading.Event()

    def watch(done: int, _total: int, _note: str) -> None:
        if done == 50_000:
            stop.set()

    with pytest.raises(Stopped):
        fetch(registry, store, timeout_s=300, stop=stop, progress=watch)
    assert not registry.released.is_set()
    assert (store.partial / file.sha256).stat().st_size == 50_000


def test_one_wrong_file_stops_the_others(registry: Registry, store: Store):
    for number in range(30):
        registry.jar(f"jar{number}", 1000)
    bad = registry.jar("bad", 5000)  # the largest goes first
    registry.act(bad, bytes_instead(bytes(5000)))
    with pytest.raises(PermanentFault, match=r"bad-1\.0\.jar"):
        fetch(registry, store)
    registry.acts.clear()
    fetch(registry, store)
    assert len(blobs(store)) == 31


def test_a_store_that_cannot_be_written_says_so(registry: Registry, tmp_path: Path):
    (tmp_path / "store").write_text("a file")
    with pytest.raises(PermanentFault, match="cannot make the software store"):
        Store(tmp_path / "store").prepare()
