"""Malformed definitions: each is told with its file, its path, its line and what to do about it."""

from __future__ import annotations

import pytest
from tests.unit.definition.packages import SERVICE, broken, load_tiny, tiny

from freehold.definition.loader import lint
from freehold.foundation.errors import DefinitionError


def told(files: dict[str, bytes]) -> list[str]:
    return [str(fault) for fault in lint(files, "packages/tiny")]


def line_of(text: str) -> int:
    """Return the line of the passage in the unbroken text."""
    return next(number for number, line in enumerate(SERVICE.splitlines(), 1) if text in line)


def test_the_unbroken_package_has_no_fault():
    assert told(tiny()) == []
    assert load_tiny().name == "tiny"


# passage of service.yaml, what it becomes, path, part of the message
CASES = {
    "unknown field": ("  category: testing", "  categori: testing", "spec.categori", "did you mean 'category'"),
    "unknown field deep": ("tls: server}", "tls: server, prt: 1}", "spec.components.node.listeners.api.prt", "did you mean 'port'"),
    "number for text": ('version: "1"', "version: 1.0", "spec.versions[0].version", "1.0 is not a text; put it in quotes"),
    "text for number": ("port: 7070", "port: high", "spec.components.node.listeners.api.port", "'high' is not a whole number"),
    "out of range": ("port: 7070", "port: 70700", "spec.components.node.listeners.api.port", "70700 is above 65535"),
    "wrong choice": ("type: bytes", "type: byte", "spec.knobs.memory.type", "did you mean 'bytes'"),
    "bad name": ("metadata: {name: tiny}", "metadata: {name: Tiny_1}", "metadata.name", "lower-case letters"),
    "bad size": ("size: 1Gi", "size: 1 gig", "spec.components.node.volumes.data.size", "512Mi"),
    "newer version": ("freehold.dev/v1alpha1", "freehold.dev/v9", "apiVersion", "a newer Freehold"),
    "default below least": ("default: 64Mi", "default: 16Mi", "spec.knobs.memory.default", "16Mi is below the least, 32Mi"),
    "default no choice": ("default: safe", "default: slow", "spec.knobs.mode.default", "'slow' is not one of fast, safe"),
    "bound without unit": ("minimum: 32Mi", "minimum: lots", "spec.knobs.memory.minimum", "'lots' is not an amount"),
    "preset of no knob": ("dev: {members: 1,", "dev: {member: 1,", "spec.presets.dev.member", "did you mean 'members'"),
    "preset out of range": ("ha: {members: 3}", "ha: {members: 9}", "spec.presets.ha.members", "9 is above the most, 5"),
    "rule is no CEL": ("knobs.members > 1 ||", "knobs.members >> 1 ||", "spec.rules[0].rule", "is not CEL"),
    "rule of no knob": ("knobs.members > 1", "knobs.nodes > 1", "spec.rules[0].rule", "there is no knob 'nodes'"),
    "preset breaks rule": ("dev: {members: 1, mode: fast}", "dev: {members: 1}", "spec.rules[0].rule", "the preset dev would be refused"),
    "missing template": ("template: tiny.conf.j2", "template: tiny.j2", 'spec.components.node.files["tiny.conf"].template', "did you mean 'tiny.conf.j2'"),
    "text with unknown knob": ('memory: "${knobs.memory}"', 'memory: "${knobs.ram}"', "spec.components.node.resources.memory", "there is no knob 'ram'"),
    "text with unknown name": ('"${conf}/tiny.conf"', '"${config}/tiny.conf"', "spec.components.node.run[2]", "there is no 'config' here"),
    "text never closed": ('"${conf}/tiny.conf"', '"${conf/tiny.conf"', "spec.components.node.run[2]", "never closed"),
    "probe of no listener": ("tcp: api", "tcp: app", "spec.components.node.probes.ready.tcp", "did you mean 'api'"),
    "probe of two kinds": ("{tcp: api}", "{tcp: api, hook: check}", "spec.components.node.probes.ready", "exactly one of"),
    "endpoint of no listener": ("{listener: api}", "{listener: web}", "spec.endpoints.api.listener", "there is no listener 'web'"),
    "hook that is not there": ("{hook: check}", "{hook: checks}", "spec.actions.check.hook", "did you mean 'check'"),
    "check of no action": ("{action: check}", "{action: probe}", "spec.check.action", "there is no action 'probe'"),
    "alert of no metric": ("metric: things", "metric: thing", "spec.alerts[0].metric", "did you mean 'things'"),
    "alert without limit": ("above: 3, ", "", "spec.alerts[0]", "exactly one of above, below and absent"),
    "missing runbook": ("docs/many.md", "docs/more.md", "spec.alerts[0].runbook", "did you mean 'docs/many.md'"),
    "unknown secret": ("secrets: [admin]", "secrets: [admim]", "spec.components.node.secrets[0]", "did you mean 'admin'"),
    "missing lock": ("locks: locks/1", "locks: locks/2", "spec.versions[0].locks", "there is no lock file"),
    "quorum too high": ('      members: "${knobs.members}"', '      quorum: 4\n      members: "${knobs.members}"', "spec.components.node.quorum", "members can never be ready"),
    "open without reason": ("port: 7070, tls: server", "port: 7070", "spec.components.node.listeners.api", "without TLS"),
    "starts after itself": ('      members: "${knobs.members}"', '      start_after: [node]\n      members: "${knobs.members}"', "spec.components.node.start_after", "in a circle"),
    "knob nobody reads": ("    mode: {type", "    more: {type: string, default: x}\n    mode: {type", "spec.knobs.more", "is used nowhere"),
    "merge": ("metadata: {name: tiny}", "metadata: {<<: {name: tiny}, name: tiny}", "metadata.<<", "merges"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_fault_names_file_path_line_and_remedy(case):
    old, new, path, message = CASES[case]
    faults = lint(broken(old, new), "packages/tiny")
    found = [fault for fault in faults if fault.path == path.replace(".<<", '["<<"]')]
    assert found, told(broken(old, new))
    assert message in found[0].message
    assert found[0].file == "service.yaml"
    below = new.startswith("      ") and "\n" in new  # put in above the old passage
    wanted = line_of(old.strip().splitlines()[0])
    assert wanted - 1 <= found[0].line <= wanted + 1 if below else found[0].line >= 1
    if not below and path.count(".") > 2 and not path.endswith("alerts[0]"):
        assert found[0].line == wanted


def test_a_missing_field_is_told_at_its_parent():
    (fault,) = lint(broken("  license: Apache-2.0\n", ""), "x")
    assert str(fault) == "service.yaml:4: spec: the field 'license' is missing"


def test_a_key_that_appears_twice_is_told_with_both_lines():
    (fault,) = lint(broken("  does: Says", "  title: Again\n  does: Says"), "x")
    assert str(fault) == "service.yaml:6: spec.title: appears twice, first on line 5"


def test_what_is_no_yaml_is_told_with_its_line():
    (fault,) = lint(broken("  rules:", "  rules: [\n"), "x")
    assert fault.line > 15
    assert "is not YAML" in fault.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("- a\n- b\n", "is not a mapping"),
        ("a: &a [*a]\n", "an alias contains itself"),
        ("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]), "once its aliases are expanded"),
        ("a: " + "[" * 5000, "is"),
        ("x: " + "y" * 600_000, "bytes large"),
        ("x: !!python/object/apply:os.system [ls]", "is not a mapping"),
    ],
)  # fmt: skip
def test_yaml_bombs_and_strangers_are_refused(text, message):
    faults = lint(tiny(service_yaml=text), "x")
    assert faults
    if "python" not in text:
        assert message in faults[0].message


def test_every_fault_is_told_at_once_and_none_that_only_follows():
    text = SERVICE.replace("  category:", "  categori:").replace("{hook: check}", "{hook: chek}")
    text = text.replace("mode: {type: choice", "mode: {typ: choice").replace("1Gi", "1 gig")
    faults = lint(tiny(service_yaml=text), "x")
    assert [fault.path for fault in faults] == [
        "spec",  # category is missing
        "spec.categori",
        "spec.knobs.mode",  # type is missing
        "spec.knobs.mode.typ",
        "spec.components.node.volumes.data.size",
        "spec.actions.check.hook",
    ]  # and not: "there is no knob 'mode'" from rule, preset and template


def test_a_misspelt_part_is_one_fault_and_not_one_for_each_use():
    (fault,) = lint(broken("  knobs:\n", "  knob:\n"), "x")
    assert fault.path == "spec.knob"
    (fault,) = lint(broken("  secrets:\n", "  secretes:\n"), "x")
    assert fault.path == "spec.secretes"


@pytest.mark.parametrize(
    ("template", "line", "message"),
    [
        ("a\n{{ knobs.nope }}\n", 2, "there is no knob 'nope'"),
        ("a\n{{ nope }}\n", 2, "there is no 'nope'"),
        ("{{ knobs.mode }}\n\n{% if x %}\n", 3, "Unexpected end of template"),
        ("{{ knobs.mode }}\n{{ 1 / 0 }}\n", 2, "division by zero"),
        ("{{ knobs.mode }}\n{{ secret('nope') }}\n", 2, "there is no secret 'nope'"),
        ("{{ knobs.mode }}\n${knobs.mode}\n", 2, "no placeholder of the agent"),
        ("{{ knobs.mode }}\n{{ ''.__class__.__mro__ }}\n", 2, "unsafe"),
        ("{{ knobs.mode }}\n{% include 'nope.j2' %}\n", 0, "there is no template 'nope.j2'"),
    ],
)
def test_a_template_is_told_with_its_line(template, line, message):
    faults = lint(tiny(tiny_conf_j2=template), "x")
    found = [fault for fault in faults if message in fault.message]
    assert found, faults
    assert (found[0].file, found[0].line) == ("tiny.conf.j2", line)


@pytest.mark.parametrize(
    ("lock", "path", "message"),
    [
        ('{"format": 1, "version": "2", "platform": "linux-x86_64", "files": []}', "version", "'1' expected"),
        ('{"format": 1, "version": "1", "platform": "linux-x86_64"}', "", "no list of files"),
        ('{"format": 1,\n', "", "is not JSON"),
        ('{"format": 1, "version": "1", "platform": "linux-x86_64", "files": [{"registry": "ftp"}]}', "files[0].registry", "not one of maven, pypi"),
        ('{"format": 1, "version": "1", "platform": "linux-x86_64", "files": [{"registry": "pypi", "name": "a", "version": "1", "file": "a.whl", "size": 1, "sha256": "x", "into": "../x"}]}', "files[0].into", "leads out of"),
        ('{"format": 1, "version": "1", "platform": "linux-x86_64", "files": [], "from": "https://x"}', "", "never hosts"),
    ],
)  # fmt: skip
def test_a_lock_is_told_with_its_entry(lock, path, message):
    faults = lint(tiny(locks_1_linux_x86_64_json=lock), "x")
    found = [fault for fault in faults if message in fault.message and fault.path == path]
    assert found, faults
    assert found[0].file == "locks/1/linux-x86_64.json"


def test_a_snippet_is_told_with_its_line_and_never_gets_the_password():
    text = SERVICE.replace("  check: {action", "  binding: {type: x, endpoint: api, user_action: check, snippets: {python: s.j2}}\n  check: {action")  # fmt: skip
    files = {**tiny(service_yaml=text), "s.j2": b"{{ host }}\n{{ password }}\n"}
    assert told(files)[0].startswith("s.j2:2: (document): a snippet has no 'password'")
    assert told({**files, "s.j2": b"{{ host }"}) != []


def test_hooks_are_read_and_never_run():
    faults = told(tiny(hooks_py="def check(member)\n"))
    assert faults == ["hooks.py:1: (document): is not Python: expected ':'"]
    faults = told(tiny(hooks_py="raise SystemExit\ndef check(m): ...\ndef metrics(m, a): ...\n"))
    assert faults == ["hooks.py:2: check: check must take (member, arguments)"]


def test_loading_raises_with_every_fault_and_the_next_command():
    with pytest.raises(DefinitionError) as caught:
        load_tiny(broken("{hook: check}", "{hook: chek}"))
    assert caught.value.message == "cannot load packages/tiny: 1 fault"
    assert caught.value.next_command == "freehold lint packages/tiny"
    assert len(caught.value.faults) == 1


def test_a_package_without_service_yaml():
    assert told({"README.md": b""}) == ["service.yaml: (document): there is no such file"]
