"""Rendering: the same input gives the same bytes, and a digest says what each change costs."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.definition import knobs
from freehold.definition.loader import load_package
from freehold.definition.package import Package
from freehold.engine.desired import Desired
from freehold.engine.render import members_of, render
from freehold.engine.wish import Wish
from freehold.foundation.errors import DefinitionError, NotFoundError
from freehold.foundation.member import Change, MemberSpec

ECHO = Path(__file__).parents[3] / "src/freehold/testkit/echo"


def read(folder: Path, **changed: str) -> Package:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    return load_package({**files, **{name: text.encode() for name, text in changed.items()}}, "x")


PACKAGE = read(ECHO)


def wish(members: int = 3, founders: int | None = None, **values: Any) -> Wish:
    chosen = knobs.resolve(PACKAGE, "ha", {"members": members, **values})
    return Wish(
        service="orders",
        lineage="0193-lineage",
        package="echo",
        version="2.0",
        definition=PACKAGE.digest,
        preset="ha",
        knobs=chosen,
        site="here",
        founders={"node": 3 if founders is None else founders},
    )


def drawn(members: int = 3, **values: Any) -> Desired:
    return render(wish(members, **values), PACKAGE, {})


def spec(desired: Desired, ordinal: int = 0) -> MemberSpec:
    return desired.members[ordinal].spec


def text(member: MemberSpec, path: str) -> str:
    return next(file.text for file in member.files if file.path == path)


def test_members_are_named_by_component_and_ordinal_for_life():
    desired = drawn()
    assert [each.name for each in desired.members] == ["orders-node-0", "orders-node-1", "orders-node-2"]  # fmt: skip
    assert spec(desired, 1).peers == ("orders-node-0", "orders-node-1", "orders-node-2")
    assert members_of(wish(5), PACKAGE) == {"node": 5}


def test_quorum_and_leader_come_with_the_component():
    (component,) = drawn(5).components
    assert (component.quorum, component.down_at_once, component.leader) == (3, 1, "leader")


def test_secrets_stay_placeholders_and_are_listed_by_their_issued_names():
    desired = drawn(2)
    assert desired.secrets == ("ca", "superuser", "tls@orders-node-0", "tls@orders-node-1")
    assert spec(desired, 1).secrets == ("ca", "superuser", "tls@orders-node-1")
    assert '"password_file": "${secret_file:superuser}"' in text(spec(desired), "server.json")
    assert '"orders-node-1": "${address:orders-node-1}"' in text(spec(desired), "peers.json")


def test_a_file_of_the_package_reaches_the_agent_as_it_is():
    sent = text(spec(drawn()), "server.py")
    original = (ECHO / "server.py").read_text()
    assert sent.replace("$${", "${") == original
    changed = read(ECHO, **{"server.py": original + "# ${bind} and $${x}\n"})
    sent = text(spec(render(wish(), changed, {})), "server.py")
    assert sent.endswith("# $${bind} and $$${x}\n")  # the agent takes one $ away


def test_duties_and_well_known_actions():
    desired = drawn()
    assert [(duty.action, duty.when) for duty in desired.duties] == [
        ("form", "formed"),
        ("regroup", "members-changed"),
    ]
    assert desired.leave == {"node": "leave"}
    assert desired.leave_deadline_s == 600
    assert desired.switchover == {}


def test_founders_are_those_of_the_first_boot_in_their_first_incarnation():
    desired = render(wish(4, founders=3), PACKAGE, {"orders-node-1": 1}, frozenset({"orders-node-1"}))  # fmt: skip
    assert [member.founder for member in desired.members] == [True, False, True, False]
    rebuilt = spec(desired, 1)
    assert (rebuilt.incarnation, rebuilt.facts["replaces"]) == (1, True)
    assert rebuilt.facts["founders"] == ["orders-node-0", "orders-node-1", "orders-node-2"]


def test_numbers_are_filled_in_with_their_units():
    member = spec(drawn(memory="128Mi", storage="1Gi"))
    assert member.memory_bytes == 128 * 2**20
    assert {volume.name: volume.size_bytes for volume in member.volumes}["data"] == 2**30
    assert member.ready is not None
    assert (member.ready.every_s, member.stop.within_s) == (0.2, 5.0)
    assert member.main.argv[-1] == "2.0"


@pytest.mark.parametrize(
    ("change", "costs"),
    [
        ({"greeting": "salve"}, Change.RELOAD),
        ({"delay_ms": 5}, Change.RESTART),
        ({"memory": "65Mi"}, Change.RESTART),
        ({"storage": "17Mi"}, Change.LIVE),
    ],
)
def test_a_change_costs_what_its_knob_says(change, costs):
    before, after = spec(drawn()), spec(drawn(**change))
    assert before.revision != after.revision
    assert (before.restart_hash != after.restart_hash) == (costs is Change.RESTART)
    assert (before.reload_hash != after.reload_hash) == (costs is Change.RELOAD)


def test_another_version_restarts():
    other = render(replace(wish(), version="1.0"), PACKAGE, {})
    assert spec(other).restart_hash != spec(drawn()).restart_hash


def test_a_new_hook_or_probe_restarts_nothing():
    changed = read(ECHO, **{"hooks.py": (ECHO / "hooks.py").read_text() + "\n# more\n"})
    after = spec(render(replace(wish(), definition=changed.digest), changed, {}))
    before = spec(drawn())
    assert after.revision != before.revision
    assert (after.restart_hash, after.reload_hash) == (before.restart_hash, before.reload_hash)


def test_a_template_that_fails_is_told_with_its_line():
    template = "{{ knobs.greeting }}\n{{ 1 // (knobs.members - 5) }}\n"
    package = read(ECHO, **{"templates/greeting.txt.j2": template})
    assert render(wish(3), package, {})
    with pytest.raises(DefinitionError) as caught:
        render(wish(5), package, {})
    (fault,) = caught.value.faults
    assert (fault.file, fault.line) == ("templates/greeting.txt.j2", 2)
    assert caught.value.message == "cannot render templates/greeting.txt.j2 of echo"


def test_a_version_that_the_package_has_not():
    with pytest.raises(NotFoundError, match=r"cannot find version '9' of echo: it has 2.0, 1.0"):
        render(replace(wish(), version="9"), PACKAGE, {})


any_members = st.integers(1, 5)
any_values = st.fixed_dictionaries(
    {},
    optional={
        "greeting": st.text("ab ${}%\\\"'", max_size=12),
        "delay_ms": st.integers(0, 60000),
        "fail": st.sampled_from(["none", "start", "ready"]),
        "storage": st.integers(2**20, 2**40),
    },
)


@settings(max_examples=40)
@given(members=any_members, values=any_values)  # kills the mutant "hash a set of files"
def test_the_same_input_gives_the_same_bytes_and_reads_back(members, values):
    one, two = drawn(members, **values), drawn(members, **values)
    assert msgspec.json.encode(one) == msgspec.json.encode(two)
    for member in one.members:
        assert msgspec.json.decode(msgspec.json.encode(member.spec), type=MemberSpec) == member.spec


@settings(max_examples=40)
@given(members=any_members, more=st.integers(0, 4), values=any_values)
def test_members_that_come_or_go_restart_nobody_else(members, more, values):
    """Kills the mutants "peers are part of the restart hash" and "live files are"."""
    others = (members + more - 1) % 5 + 1
    before, after = drawn(members, **values), drawn(others, **values)
    for one, two in zip(before.members, after.members, strict=False):
        assert one.spec.restart_hash == two.spec.restart_hash
        assert one.spec.reload_hash == two.spec.reload_hash
        assert (one.spec.revision == two.spec.revision) == (members == others)


any_settings = st.dictionaries(st.sampled_from(["a", "b"]), st.integers(0, 1), max_size=1)


@settings(max_examples=40)
@given(free=any_settings, other=any_settings, greeting=st.sampled_from(["hello", "salve"]))
def test_a_revision_names_the_whole_spec(free, other, greeting):
    """Two specs have one revision exactly when they are equal: kills "leave facts out"."""
    one = spec(render(replace(wish(), settings=free), PACKAGE, {}))
    two = spec(render(replace(wish(greeting=greeting), settings=other), PACKAGE, {}))
    assert (one.revision == two.revision) == (asdict(one) == asdict(two))
