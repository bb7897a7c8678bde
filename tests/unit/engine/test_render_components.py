"""Components: conditions, groups, order, companions and files that come and go with a knob."""

from __future__ import annotations

import json
from typing import Any

import pytest

from freehold.definition import knobs
from freehold.definition.loader import load_package
from freehold.definition.package import Package
from freehold.engine.desired import Desired
from freehold.engine.render import members_of, render
from freehold.engine.wish import Wish
from freehold.foundation.errors import DefinitionError

SERVICE = """\
apiVersion: freehold.dev/v1alpha1
kind: ServiceDefinition
metadata: {name: store}
spec:
  title: Store
  does: Keeps things in shards
  category: testing
  license: Apache-2.0
  source: here
  versions: [{version: "1", locks: locks/1}]
  knobs:
    shards: {type: integer, default: 2, minimum: 1, maximum: 9, changes: live}
    proxy: {type: boolean, default: true, changes: live}
    options: {type: list, of: [-a, -b], default: []}
    extra: {type: string, default: ""}
  components:
    coordinator:
      when: knobs.shards > 1
      members: 3
      first_start: ordered
      run: [coordinate]
      secrets: [token]
    server:
      start_after: [coordinator]
      members: "${knobs.shards * 3}"
      groups: "${knobs.shards}"
      joins: parallel
      run: [serve, "${knobs.options}", "${knobs.extra}", "--shard=${member.group}", "${member}"]
      env: {CLASS_PATH: "${software}/lib"}
      companions:
        proxy: {when: knobs.proxy, run: [proxy, "${conf}/proxy.conf"], owns: main}
      files:
        proxy.conf: {template: proxy.conf.j2, when: knobs.proxy}
        jars.txt: {template: jars.txt.j2}
      account: named
  secrets:
    token: {kind: password}
  actions:
    switchover: {hook: move, component: server, title: move the lead}
    clean: {hook: move, component: coordinator, when: joined, deadline: 1m}
  hooks: {module: hooks.py}
  endpoints: {}
"""


def entry(name: str, into: str) -> dict[str, Any]:
    return {"registry": "maven", "name": f"g:{name}", "version": "1", "file": f"{name}.jar", "size": 1, "sha256": "0" * 64, "into": into, "unpack": None, "python": ""}  # fmt: skip


LOCK = {
    "format": 1,
    "version": "1",
    "platform": "linux-x86_64",
    "files": [entry("b", "lib"), entry("a", "lib"), entry("agent", "agents")],
}


def package() -> Package:
    files = {
        "service.yaml": SERVICE,
        "hooks.py": "def move(member, arguments): ...\n",
        "proxy.conf.j2": "{{ member.name }} of {{ component.members }}\n",
        "jars.txt.j2": "{% for name in software('lib') %}{{ name }}\n{% endfor %}",
        "locks/1/linux-x86_64.json": json.dumps(LOCK),
        "locks/1/linux-aarch64.json": json.dumps({**LOCK, "platform": "linux-aarch64"}),
    }
    return load_package({path: text.encode() for path, text in files.items()}, "store")


def wish(**values: Any) -> Wish:
    return Wish(
        service="s",
        lineage="l",
        package="store",
        version="1",
        definition=package().digest,
        preset="",
        knobs=knobs.resolve(package(), "", values),
        site="here",
    )


def drawn(**values: Any) -> Desired:
    return render(wish(**values), package(), {})


def test_a_component_comes_and_goes_with_its_condition():
    assert [part.name for part in drawn().components] == ["coordinator", "server"]
    assert [part.name for part in drawn(shards=1).components] == ["server"]
    assert members_of(wish(), package()) == {"coordinator": 3, "server": 6}
    assert drawn(shards=1).duties == ()  # an action of a component that is not there


def test_groups_are_filled_evenly_and_the_quorum_is_a_groups():
    server = drawn().component("server")
    assert server is not None
    assert [member.group for member in server.members] == [0, 1, 0, 1, 0, 1]
    assert server.members[3].spec.main.argv == ("serve", "--shard=1", "${member}")
    assert (server.quorum, server.down_at_once) == (2, 1)


def test_order_and_pace_of_a_component():
    coordinator, server = drawn().components
    assert (coordinator.first_start_ordered, coordinator.joins_in_parallel) == (True, False)
    assert (server.start_after, server.joins_in_parallel) == (("coordinator",), True)


def test_arguments_from_lists_and_empty_knobs():
    argv = drawn(options=["-a", "-b"], extra="x").members[3].spec.main.argv
    assert argv == ("serve", "-a", "-b", "x", "--shard=0", "${member}")


def test_companions_and_files_with_a_condition():
    spec = drawn().members[3].spec
    assert [(each.name, each.owns_main) for each in spec.companions] == [("proxy", True)]
    assert [file.path for file in spec.files] == ["jars.txt", "proxy.conf"]
    assert spec.account_named
    bare = drawn(proxy=False).members[3].spec
    assert (bare.companions, [file.path for file in bare.files]) == ((), ["jars.txt"])


def test_templates_see_the_locks_names_sorted():
    (jars,) = [file for file in drawn(proxy=False).members[3].spec.files if file.path == "jars.txt"]
    assert jars.text == "a.jar\nb.jar\n"


def test_secrets_go_only_to_the_components_that_name_them():
    desired = drawn()
    assert desired.members[0].spec.secrets == ("token",)
    assert desired.members[3].spec.secrets == ()
    assert desired.secrets == ("token",)


def test_well_known_actions_belong_to_their_component():
    desired = drawn()
    assert desired.switchover == {"server": "switchover"}
    assert [(duty.component, duty.when, duty.deadline_s) for duty in desired.duties] == [
        ("coordinator", "joined", 60.0)
    ]
    assert [action.name for action in desired.members[3].spec.actions] == ["switchover"]


def test_too_many_members_are_a_fault_not_a_hang():
    text = SERVICE.replace('"${knobs.shards * 3}"', '"${knobs.shards * 1000000}"')
    broken = package()
    files = {**broken.files, "service.yaml": text.encode()}
    with pytest.raises(DefinitionError, match="not between 0 and 1000"):
        render(wish(), load_package(files, "store"), {})
