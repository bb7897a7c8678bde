"""What the members are given: who starts the ring and who joins it, and what a change costs."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from freehold.definition import knobs
from freehold.engine.render import render
from freehold.engine.wish import Wish
from freehold.foundation.errors import DefinitionError, RefusedError
from freehold.foundation.member import MemberSpec


def members(
    package: Any,
    count: int = 3,
    *,
    founders: int = 3,
    incarnations: dict[str, int] | None = None,
    replaced: tuple[str, ...] = (),
    settings: dict[str, Any] | None = None,
    **values: Any,
) -> list[MemberSpec]:
    chosen = knobs.resolve(package, "ha", {"members": count, **values})
    wish = Wish(
        service="orders",
        lineage="lineage",
        package=package.name,
        version=package.spec.versions[0].version,
        definition=package.digest,
        preset="ha",
        knobs=chosen,
        settings=settings or {},
        site="here",
        founders={"node": founders},
    )
    desired = render(wish, package, incarnations or {}, frozenset(replaced))
    return [each.spec for each in desired.members]


def text(spec: MemberSpec, path: str) -> str:
    return next(file.text for file in spec.files if file.path == path)


def config(spec: MemberSpec) -> dict[str, Any]:
    """Return cassandra.yaml; a key that stands twice is an error, as it is for Cassandra."""
    written = text(spec, "cassandra.yaml")
    keys = re.findall(r"(?m)^(\w+):", written)
    assert len(keys) == len(set(keys))
    found: dict[str, Any] = yaml.safe_load(written)
    return found


def seeds(spec: MemberSpec) -> list[str]:
    listed = config(spec)["seed_provider"][0]["parameters"][0]["seeds"]
    return re.findall(r"\{address:([\w-]+)\}", listed)


def test_founders_start_the_ring_and_later_members_join_it(package):
    *first, last = members(package, 4)
    for spec in first:
        assert config(spec)["auto_bootstrap"] is False
        assert seeds(spec) == ["orders-node-0", "orders-node-1", "orders-node-2"]
    assert config(last)["auto_bootstrap"] is True
    assert last.name not in seeds(last)


def test_a_rebuilt_founder_joins_takes_its_old_place_and_is_not_its_own_seed(package):
    name = "orders-node-0"
    spec = members(package, incarnations={name: 1}, replaced=(name,))[0]
    assert config(spec)["auto_bootstrap"] is True
    assert seeds(spec) == ["orders-node-1", "orders-node-2"]
    options = text(spec, "java.options")
    assert f"-Dcassandra.replace_address_first_boot=${{address:{name}}}" in options


def test_a_founder_that_left_and_comes_back_joins_as_a_new_one(package):
    name = "orders-node-2"
    spec = members(package, incarnations={name: 1})[2]
    assert config(spec)["auto_bootstrap"] is True
    assert "replace_address" not in text(spec, "java.options")


def test_the_only_member_rebuilt_finds_seeds_among_later_ones(package):
    name = "orders-node-0"
    made = members(package, 3, founders=1, incarnations={name: 1}, replaced=(name,), redundancy=1)
    assert seeds(made[0]) == ["orders-node-1", "orders-node-2"]


def test_members_that_come_and_go_restart_nobody(package):
    three, four = members(package, 3), members(package, 4)
    assert [each.restart_hash for each in four[:3]] == [each.restart_hash for each in three]


def test_only_members_that_always_stay_are_seeds(package):
    made = members(package, 3, founders=5, redundancy=2)
    assert all(seeds(spec) == ["orders-node-0", "orders-node-1"] for spec in made)


def test_no_command_line_or_environment_holds_a_secret(package):
    for spec in members(package):
        assert "secret:" not in " ".join((*spec.main.argv, *spec.main.env.values()))
        assert "${secret:control}" in text(spec, "jolokia.properties")


def test_the_class_path_names_jars_in_one_order_and_no_folder(package):
    line = next(
        line for line in text(members(package)[0], "java.options").splitlines() if "-cp" in line
    )
    jars = line.removeprefix('-cp "').removesuffix('"').split(":")
    assert len(jars) == 100
    assert jars == sorted(jars)
    assert all(re.fullmatch(r"\$\{software\}/lib/[^/*]+\.jar", jar) for jar in jars)


def test_settings_win_over_sizes_and_nothing_that_the_package_owns_is_taken(package):
    given = {"concurrent_reads": 24, "column_index_size": "8KiB"}
    written = config(members(package, settings=given)[0])
    assert written["concurrent_reads"] == 24
    assert written["column_index_size"] == "8KiB"
    for key in ("authenticator", "commitlog_sync", "rpc_address", "server_encryption_options"):
        with pytest.raises(RefusedError, match=key):
            knobs.check_settings(package.spec, {key: "x"})


def test_each_durability_and_compiler_says_what_it_promises(package):
    assert config(members(package)[0])["commitlog_sync"] == "batch"
    assert config(members(package, durability="periodic")[0])["commitlog_sync"] == "periodic"
    assert "TieredStopAtLevel=1" in text(members(package)[0], "java.options")
    fast = text(members(package, compiler="throughput")[0], "java.options")
    assert "TieredStopAtLevel" not in fast


@pytest.mark.parametrize(
    ("memory", "heap", "start"), [("640Mi", 256, 64), ("1Gi", 409, 102), ("4Gi", 1638, 1638)]
)
def test_two_fifths_of_the_memory_are_heap(package, memory, heap, start):
    options = text(members(package, memory=memory)[0], "java.options").splitlines()
    assert f"-Xmx{heap}m" in options
    assert f"-Xms{start}m" in options


def test_fewer_members_than_copies_are_refused_with_the_reason(package):
    with pytest.raises(RefusedError, match="so many copies of each row need as many members"):
        knobs.resolve(package, "ha", {"members": 2})
    assert knobs.resolve(package, "dev", {})["members"] == 1
    with pytest.raises(DefinitionError):
        knobs.resolve(package, "ha", {"memory": "512Mi"})
