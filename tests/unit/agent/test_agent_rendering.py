"""Placeholders, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from freehold.agent.rendering import Filling, render, write_files
from freehold.foundation.errors import PermanentFault, TransientFault
from freehold.foundation.member import FileSpec, HttpCall, MemberSpec, Place, Process


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for part in ("conf", "secrets"):
        (tmp_path / part).mkdir()
    (tmp_path / "secrets/pw").write_text("top-secret\n")
    return Place(
        member="db-node-0",
        bind="127.41.0.1",
        advertise="db.example",
        failure_domain="rack",
        addresses={"db-node-0": "127.41.0.1", "db-node-1": "127.41.0.2"},
        folder=str(tmp_path),
        conf=str(tmp_path / "conf"),
        run="/run/m",
        secrets=str(tmp_path / "secrets"),
        socket="/s",
        health_socket="/h",
        volumes={"data": "/v/data", "commit-log": "/v/log"},
        software="/sw",
        derived="/sw-made",
        log_folder="/l",
        worker_python="/usr/bin/python3",
    )


def spec(*files: FileSpec) -> MemberSpec:
    return MemberSpec(
        service="db",
        lineage="l",
        component="node",
        group=0,
        ordinal=0,
        name="db-node-0",
        site="here",
        incarnation=1,
        version="1",
        definition="d",
        main=Process(argv=("x",)),
        files=files,
    )


def test_every_placeholder_has_its_value(place: Place) -> None:
    text = (
        "${bind} ${advertise} ${failure_domain} ${address:db-node-1} ${volume.commit-log} "
        "${software} ${derived} ${run} ${member} ${python} $${literal} ${secret:pw} $plain {x}"
    )
    expected = (
        "127.41.0.1 db.example rack 127.41.0.2 /v/log "
        "/sw /sw-made /run/m db-node-0 /usr/bin/python3 ${literal} top-secret $plain {x}"
    )
    assert Filling(place).fill(text, secrets=True) == expected
    assert Filling(place).fill("${secret_file:tls.key}") == f"{place.secrets}/tls.key"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${nothing}", "nothing"),
        ("${volume.other}", "volume.other"),
        ("${address:stranger}", "address:stranger"),
        ("${secret:pw}", "cannot put the secret 'pw' into a command"),
        ("${secret_file:../../etc/shadow}", "as the name of a secret"),
    ],
)
def test_what_cannot_be_filled_is_an_error_that_names_it(
    place: Place, text: str, message: str
) -> None:
    with pytest.raises(PermanentFault, match=message):
        Filling(place).fill(text)


def test_a_secret_that_is_not_there_yet_may_come(place: Place) -> None:
    with pytest.raises(TransientFault, match="'later'"):
        Filling(place).fill("${secret:later}", secrets=True)


def test_a_secret_may_stand_in_the_header_of_a_call_but_not_in_its_address(place: Place) -> None:
    call = HttpCall(url="http://${bind}/", password="${secret:pw}", headers={"a": "${secret:pw}"})
    filled = Filling(place).fill_call(call)
    assert (filled.password, filled.headers) == ("top-secret", {"a": "top-secret"})
    with pytest.raises(PermanentFault):
        Filling(place).fill_call(HttpCall(url="http://x/${secret:pw}"))


@pytest.mark.parametrize("path", ["../out", "/etc/x", "a/../../b", ""])
def test_a_file_outside_of_conf_is_refused(place: Place, path: str) -> None:
    with pytest.raises(PermanentFault, match="outside"):
        render(spec(FileSpec(path=path, text="")), place)


def test_files_are_0600_and_only_what_differs_is_written(place: Place) -> None:
    files = render(spec(FileSpec(path="a/b.conf", text="1"), FileSpec(path="c", text="2")), place)
    assert write_files(files, place) == ("a/b.conf", "c")
    assert write_files(files, place) == ()
    assert write_files({**files, "c": b"3"}, place) == ("c",)
    assert Path(place.conf, "a/b.conf").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in Path(place.conf).iterdir()) == ["a", "c"]


def test_a_linked_folder_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "conf/a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="a"):
        write_files({"a/b": b"x"}, place)
    assert list((tmp_path / "elsewhere").iterdir()) == []
