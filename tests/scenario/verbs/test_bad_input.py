"""Bad input by the real command: the class of the error, its exit code, and nothing changed."""

import socket
from pathlib import Path

import pytest
from tests.scenario.home import Home, kill, until
from tests.scenario.verbs.conftest import ECHO

WRONG, REFUSED, NOT_FOUND = 2, 3, 4

INSTALLS = {
    "an unknown package": (["no-such-thing"], NOT_FOUND, "no-such-thing"),
    "a bad name": ([ECHO, "Bad_Name"], WRONG, "Bad_Name"),
    "a knob that is not there": ([ECHO, "new", "--set", "membres=3"], WRONG, "membres"),
    "a knob of the wrong type": ([ECHO, "new", "--set", "members=three"], WRONG, "members"),
    "a knob out of range": ([ECHO, "new", "--set", "members=99"], WRONG, "5"),
    "an amount without a unit of ours": ([ECHO, "new", "--set", "memory=12Q"], WRONG, "12Q"),
    "an unknown version": ([ECHO, "new", "--version", "9.9"], NOT_FOUND, "9.9"),
    "an unknown preset": ([ECHO, "new", "--preset", "huge"], (WRONG, NOT_FOUND), "huge"),
    "more memory than there is": ([ECHO, "new", "--set", "memory=900Gi"], REFUSED, "memory"),
    "contradictory knobs": (
        ["cassandra", "new", "--set", "members=2", "--set", "redundancy=3"],
        REFUSED,
        "redundancy",
    ),
    "a name that is taken": ([ECHO, "echo"], REFUSED, "echo"),
}

CHANGES = {
    "an unknown service": (["scale", "nobody", "--members", "2"], NOT_FOUND, "nobody"),
    "too many members": (["scale", "echo", "--members", "99"], WRONG, "99"),
    "a purge without its name": (["purge", "echo", "--yes"], (WRONG, REFUSED), "confirm"),
    "a purge with another name": (
        ["purge", "echo", "--yes", "--confirm", "other", "--unprotect"],
        REFUSED,
        "has to be typed",
    ),
    "a purge of what is protected": (
        ["purge", "echo", "--yes", "--confirm", "echo"],
        REFUSED,
        "protect",
    ),
    "a rebuild of nobody": (
        ["rebuild", "echo", "echo-node-9"],
        NOT_FOUND,
        "echo-node-9",
    ),
}


def state_of(home: Home):
    seen = home.service("echo")
    members = [(each["name"], each["pid"], each["restarts"]) for each in seen["members"]]
    services = [each["name"] for each in home.json("list", "--all")]
    return seen["generation"], members, services


def assert_refused(home: Home, words: list[str], codes, text: str):
    answer = home.run(*words, code=None)
    wanted = codes if isinstance(codes, tuple) else (codes,)
    assert answer.returncode in wanted, answer.stdout + answer.stderr
    assert "cannot" in answer.stderr
    assert text in answer.stderr
    assert "Traceback" not in answer.stderr


def test_bad_input_is_refused_by_its_class_and_changes_nothing(echo):
    before = state_of(echo)
    for what, (words, codes, text) in INSTALLS.items():
        assert_refused(echo, ["install", *words, "--yes"], codes, text)
        assert state_of(echo) == before, what
    for what, (words, codes, text) in CHANGES.items():
        more = [] if "--yes" in words else ["--yes"]
        assert_refused(echo, [*words, *more], codes, text)
        assert state_of(echo) == before, what


def test_of_two_commands_at_once_each_ends_and_the_state_is_one_of_theirs(echo):
    both = [echo.start("scale", "echo", "--members", str(count), "--yes") for count in (2, 4)]
    told = [each.communicate(timeout=120)[0] for each in both]
    codes = sorted(each.returncode for each in both)
    assert codes[0] == 0, told
    seen = echo.until_state("echo", "ready")
    assert len(seen["members"]) in (2, 4)
    operations = echo.json("operations", "list", "echo")
    assert all(each["phase"] != "running" for each in operations)


@pytest.fixture
def squatter(echo):
    """Somebody else listens where a member will want to."""
    address = echo.member("echo", 1)["address"]
    echo.run("stop", "echo", "--yes")
    with socket.create_server((address, 7070)):
        yield address


def test_a_taken_address_is_reported_never_moved_and_the_member_starts_when_it_is_free(
    echo, squatter
):
    echo.run("start", "echo", "--yes", "--no-wait")
    seen = until(
        lambda: echo.member("echo", 1),
        lambda member: f"{squatter}:7070" in member["reason"],
        60,
        "the member says which address is taken",
        echo.evidence,
    )
    assert seen["address"] == squatter
    assert seen["pid"] == 0


def test_what_was_taken_and_freed_needs_nobody(echo):
    address = echo.member("echo", 1)["address"]
    echo.run("stop", "echo", "--yes")
    with socket.create_server((address, 7070)):
        echo.run("start", "echo", "--yes", "--no-wait")
        until(
            lambda: echo.member("echo", 1)["reason"],
            lambda reason: address in reason,
            60,
            "it waits",
        )
    echo.until_state("echo", "ready")


@pytest.mark.slow
def test_tampered_software_is_refused_and_running_services_are_untouched(echo, tmp_path):
    before = state_of(echo)
    blob = echo.folder / "data/store/blobs"
    echo.run("software", "fetch", "cassandra", within_s=400)
    jar = max(blob.iterdir(), key=lambda path: path.stat().st_size)
    for tree in (echo.folder / "data/store/trees").iterdir():
        if (tree / "lib").exists():
            tree.rename(tmp_path / "gone")  # it has to be laid out again, from tampered files
    jar.chmod(0o644)
    with jar.open("r+b") as file:
        file.write(b"tampered")
    echo.run("software", "fetch", "cassandra", within_s=400)  # verified, put aside, fetched anew
    assert jar.read_bytes()[:8] != b"tampered"
    assert state_of(echo) == before


def test_a_malformed_package_is_told_whole_with_file_and_line(home, tmp_path):
    folder = tmp_path / "broken"
    folder.mkdir()
    text = (Path(ECHO) / "service.yaml").read_text()
    (folder / "service.yaml").write_text(
        text.replace("title: Echo", "headline: Echo", 1).replace(
            "down_at_once: 1", "down_at_once: x y"
        )
    )
    answer = home.run("lint", str(folder), code=WRONG)
    told = answer.stdout + answer.stderr
    assert "service.yaml:6" in told
    assert "headline" in told
    assert told.count("service.yaml:") > 1
    assert home.run("install", str(folder), "bad", "--yes", code=WRONG)
    assert home.json("list", "--all") == []


def test_a_killed_daemon_answers_the_next_command(echo):
    kill(echo.daemon_pid)
    assert echo.service("echo")["state"] == "ready"
