"""The package's actions, interrupted at every effect, against a cluster that speaks the real protocols."""

import signal
import subprocess

import pytest

NTS3 = {"class": "NetworkTopologyStrategy", "here": "3"}


def formed(hooks):
    assert hooks.carry("formed")["kind"] == "done"
    return hooks.cluster


def test_the_known_superuser_is_replaced_and_logins_are_spread(serve):
    cluster = formed(serve(3))
    assert cluster.roles["freehold_admin"] == {"p": "it's-generated", "login": True, "super": True}
    known = cluster.roles["cassandra"]
    assert (known["login"], known["super"]) == (False, False)
    assert known["p"] != "cassandra"
    assert cluster.keyspaces["system_auth"] == NTS3
    assert cluster.keyspaces["freehold_check"] == NTS3


def test_forming_interrupted_after_any_effect_ends_the_same(serve):
    clean = formed(serve(3))
    assert len(clean.effects) >= 5
    for number in range(len(clean.effects)):
        hooks = serve(3)
        hooks.cluster.break_at = number
        assert formed(hooks).state() == clean.state(), f"interrupted after {clean.effects[number]}"


def test_forming_again_changes_nothing(serve):
    hooks = serve(3)
    before = len(formed(hooks).effects)
    hooks.cluster.roles["shop"] = {"p": "x", "login": True, "super": False}  # an application's
    assert len(formed(hooks).effects) == before


def test_a_role_that_nobody_of_us_made_ends_the_service_before_it_begins(serve):
    hooks = serve(3)
    hooks.cluster.roles["mallory"] = {"p": "x", "login": True, "super": True}
    answer = hooks.carry("formed")
    assert answer["kind"] == "failed"
    assert "mallory" in answer["reason"]


def test_forming_waits_for_every_founder(serve):
    hooks = serve(3)
    last = list(hooks.cluster.members.values())[2]
    last.answers = False
    answer = hooks.call("formed")
    assert answer["kind"] == "progress"
    assert last.address in answer["note"]
    assert hooks.cluster.effects == []


def test_copies_of_logins_grow_one_by_one_each_repaired_before_the_next(serve):
    hooks = serve(3)
    formed(hooks)
    cluster = hooks.cluster
    for name in ("system_auth", "system_distributed", "system_traces", "freehold_check"):
        cluster.keyspaces[name] = {"class": "NetworkTopologyStrategy", "here": "1"}
    cluster.effects.clear()
    assert hooks.carry("members_changed")["kind"] == "done"
    repairs = [number for number, what in enumerate(cluster.effects) if what == "repair"]
    alters = [n for n, what in enumerate(cluster.effects) if what == "alter keyspace system_auth"]
    assert len(alters) == 2
    assert alters[0] < repairs[0] < alters[1] < repairs[1]
    assert cluster.keyspaces["system_auth"] == NTS3


def test_growing_interrupted_after_any_effect_still_repairs(serve):
    for number in (0, 1, 2, 3, 5, 8):
        hooks = serve(2)
        formed(hooks)
        cluster = hooks.cluster
        cluster.keyspaces["system_auth"] = {"class": "NetworkTopologyStrategy", "here": "1"}
        cluster.effects.clear()
        cluster.break_at = number
        assert hooks.carry("members_changed")["kind"] == "done"
        assert cluster.keyspaces["system_auth"]["here"] == "2"
        assert cluster.repaired_at > cluster.altered_at


@pytest.mark.parametrize("number", [-1, 0, 1, 2, 3, 4, 5])
def test_a_member_hands_its_rows_over_whatever_interrupts(serve, number):
    hooks = serve(3)
    formed(hooks)
    cluster = hooks.cluster
    cluster.effects.clear()
    cluster.break_at = number
    assert hooks.carry("leave", 2)["kind"] == "done"
    assert cluster.effects.count("decommission") == 1
    assert len(cluster.joined) == 2
    assert cluster.keyspaces["system_auth"]["here"] == "2"
    assert hooks.carry("leave", 2)["kind"] == "done"  # asked again, it has left


def test_no_member_leaves_below_the_copies_somebody_chose(serve):
    hooks = serve(3)
    formed(hooks).keyspaces["shop"] = dict(NTS3)
    answer = hooks.carry("leave", 2)
    assert answer["kind"] == "failed"
    assert "shop keeps 3 copies" in answer["reason"]
    assert hooks.cluster.keyspaces["system_auth"] == NTS3
    assert len(hooks.cluster.joined) == 3


def test_the_last_member_never_hands_over(serve):
    hooks = serve(1)
    formed(hooks)
    assert "last member" in hooks.carry("leave")["reason"]


def test_a_member_waits_with_leaving_while_another_is_away(serve):
    hooks = serve(3)
    formed(hooks)
    next(iter(hooks.cluster.members.values())).answers = False
    answer = hooks.call("leave", 2)
    assert answer["kind"] == "progress"
    assert "to be back" in answer["note"]
    assert "decommission" not in hooks.cluster.effects


def test_one_that_never_joined_is_killed_and_can_never_start_again(serve):
    hooks = serve(3)
    formed(hooks)
    joining = list(hooks.cluster.members.values())[2]
    joining.mode = "JOINING"
    hooks.cluster.joined.discard(joining.address)
    process = subprocess.Popen(["sleep", "60"])
    answer = hooks.call("leave", 2, process.pid)
    assert answer["kind"] == "progress"
    assert process.wait(10) == -signal.SIGKILL
    joining.answers = False
    marker = hooks.folder / "data-2/data"
    assert marker.is_file()  # where Cassandra wants a folder
    age(marker)
    assert hooks.call("leave", 2, 0)["kind"] == "done"


def test_one_that_joined_in_the_last_moment_gets_its_folder_back(serve):
    hooks = serve(3)
    formed(hooks)
    late = list(hooks.cluster.members.values())[2]
    late.mode = "STARTING"
    folder = hooks.folder / "data-2"
    (folder / "data.withdrawn").mkdir(parents=True)
    (folder / "data").touch()
    assert "still owns rows" in hooks.call("leave", 2, 0)["note"]
    assert (folder / "data").is_dir()


def age(path):
    """Make a file look a minute old."""
    import os

    at = path.stat().st_mtime - 60
    os.utime(path, (at, at))


def test_drain_ends_at_once_where_there_is_nothing_to_flush(serve):
    hooks = serve(2)
    assert hooks.carry("drain", 1)["kind"] == "done"
    assert list(hooks.cluster.members.values())[1].mode == "DRAINED"
    assert hooks.carry("drain", 1)["kind"] == "done"
    assert hooks.call("drain", 0, 0)["kind"] == "done"  # no process


def test_the_check_reads_what_it_wrote(serve):
    hooks = serve(3)
    formed(hooks)
    answer = hooks.carry("check", token="it's one", expires_s=60.0)
    assert "QUORUM" in answer["value"]["detail"]


def test_an_application_gets_a_login_and_a_keyspace_and_keeps_its_rows_when_dropped(serve):
    hooks = serve(3)
    formed(hooks)
    wanted = {"user": "shop", "secret": "app.shop", "wanted": "present"}
    for _ in range(2):  # again changes nothing
        answer = hooks.carry("user", **wanted)
        assert answer["value"] == {"user": "shop", "keyspace": "shop"}
    assert hooks.cluster.roles["shop"] == {"p": "pw", "login": True, "super": False}
    assert hooks.cluster.keyspaces["shop"] == NTS3
    assert "alter role" not in " ".join(hooks.cluster.effects[-4:])
    hooks.secrets["app.shop"] = "another"
    hooks.carry("user", **wanted)
    assert hooks.cluster.roles["shop"]["p"] == "another"
    for _ in range(2):
        assert (
            hooks.carry("user", user="shop", secret="app.shop", wanted="absent")["kind"] == "done"
        )
    assert "shop" not in hooks.cluster.roles
    assert hooks.cluster.keyspaces["shop"] == NTS3


@pytest.mark.parametrize("name", ["freehold_admin", "cassandra", "system_auth", "a;b", "A", ""])
def test_no_application_takes_a_name_that_is_not_its_own(serve, name):
    hooks = serve(1)
    before = formed(hooks).state()
    assert hooks.carry("user", user=name, secret="app.shop", wanted="present")["kind"] == "failed"
    assert hooks.cluster.state() == before


def test_peers_count_only_owners_of_rows_as_unreachable(serve):
    hooks = serve(3)
    away = list(hooks.cluster.members.values())[2]
    away.answers = False
    view = hooks.call_metrics()
    assert view == {"ring_members": 3.0, "unreachable_members": 1.0}
    hooks.cluster.joined.discard(away.address)  # it has left
    assert hooks.call_metrics() == {"ring_members": 2.0, "unreachable_members": 0.0}
