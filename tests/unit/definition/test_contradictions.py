"""Definitions that are well formed and still cannot be meant: each is told at its place."""

from __future__ import annotations

import json

import pytest
from tests.unit.definition.packages import LOCK, SERVICE, broken, tiny

from freehold.definition.archive import LARGEST_PINNED_BYTES
from freehold.definition.loader import lint

NODE = "spec.components.node"
MEMBERS = '      members: "${knobs.members}"\n'


def beside(line: str) -> tuple[str, str]:
    """Put a line into the component."""
    return MEMBERS, MEMBERS + f"      {line}\n"


def at_service(line: str) -> tuple[str, str]:
    """Put a line into the spec."""
    return "  check: {action: check}\n", f"  check: {{action: check}}\n  {line}\n"


# (passage, its replacement), path of the fault, part of its message
CASES = {
    "another's component": (beside("uses: component/etcd"), f"{NODE}.uses", "not read yet"),
    "no command": (('run: ["${python}", -c, "${conf}/tiny.conf"]', "run: []"), f"{NODE}.run", "is empty"),
    "file outside conf": (("tiny.conf: {template", "../x: {template"), f'{NODE}.files["../x"]', "below ${conf}"),
    "package file missing": (beside("package_files: [run.sh]"), f"{NODE}.package_files[0]", "no file 'run.sh'"),
    "package file twice": (beside("package_files: [tiny.conf]"), f"{NODE}.package_files[0]", "no file 'tiny.conf'"),
    "port twice": (("api: {port: 7070, tls: server}", "{api: {port: 7070, tls: server}, b: {port: 7070, internal: true}}"), f"{NODE}.listeners.b.port", "taken by 'api'"),
    "leader is no role": (beside("leader: boss"), f"{NODE}.leader", "there is no role 'boss'"),
    "roles without probe": (beside("roles: {leader: 1}"), f"{NODE}.roles", "need a role probe"),
    "role told by tcp": (("ready: {tcp: api}", "{ready: {tcp: api}, role: {tcp: api}}"), f"{NODE}.probes.role", "told by http or a hook"),
    "role without expect": (("ready: {tcp: api}", '{ready: {tcp: api}, role: {http: {url: "http://x"}}}'), f"{NODE}.probes.role", "needs expect"),
    "log pattern broken": (beside("logs: [{file: x, pattern: '('}]"), f"{NODE}.logs[0].pattern", "not a regular expression"),
    "log without message": (beside("logs: [{file: x, pattern: 'a'}]"), f"{NODE}.logs[0].pattern", "(?P<message>"),
    "stop before nothing": (beside("stop: {before: drain}"), f"{NODE}.stop.before", "there is no action 'drain'"),
    "nobody may be down": (beside("down_at_once: 0"), f"{NODE}.down_at_once", "would stop every rollout"),
    "all may be down": (beside("down_at_once: 2"), f"{NODE}.down_at_once", "no rollout keeps the quorum"),
    "start after nobody": (beside("start_after: [brain]"), f"{NODE}.start_after[0]", "there is no component 'brain'"),
    "metric source of two": (("- hook: metrics\n", '- hook: metrics\n          http: {url: "http://x"}\n'), f"{NODE}.metrics[0]", "exactly one of http and hook"),
    "metric twice": (("{name: things, help: Things it keeps}", "{name: things, help: x}\n            - {name: things, help: x}"), f"{NODE}.metrics[0].metrics", "declared twice"),
    "metric of the agent": (("{name: things, help: Things it keeps}", "{name: up, help: x}\n            - {name: things, help: x}"), f"{NODE}.metrics[0].metrics[0].name", "by every agent already"),
    "member's own size": (('members: "${knobs.members}"', 'members: "${component.members}"'), f"{NODE}.members", "there is no 'component' here"),
    "condition is no condition": (beside("when: knobs.members"), f"{NODE}.when", "neither true nor false"),
    "double times whole": (('memory: "${knobs.memory}"', 'memory: "${knobs.memory * 1.5}"'), f"{NODE}.resources.memory", "No such overload"),
    "choice without choices": (("choices: [fast, safe], default: safe", "default: safe"), "spec.knobs.mode", "needs choices"),
    "items of no list": (("{type: bytes, default: 64Mi", "{of: [a], type: bytes, default: 64Mi"), "spec.knobs.memory.of", "only a list"),
    "choice that grows": (("default: safe, ", "default: safe, grows_only: true, "), "spec.knobs.mode.grows_only", "cannot grow"),
    "choice with a least": (("default: safe, ", "default: safe, minimum: 1, "), "spec.knobs.mode.minimum", "has no minimum"),
    "pattern broken": (("default: safe, ", "default: safe, pattern: '(', "), "spec.knobs.mode.pattern", "not a regular expression"),
    "protected preset": (at_service("protected_presets: [prod]"), "spec.protected_presets[0]", "there is no preset 'prod'"),
    "rule about a member": (("knobs.members > 1 ||", "member.ordinal > 1 ||"), "spec.rules[0].rule", "not 'member'"),
    "password per member": (("admin: {kind: password}", "admin: {per_member: true}"), "spec.secrets.admin.per_member", "of the whole service"),
    "password with names": (("admin: {kind: password}", "admin: {also: [x]}"), "spec.secrets.admin.also", "has no names"),
    "certificate without CA": (("admin: {kind: password}", "admin: {kind: certificate}"), "spec.secrets.admin", "needs a secret of kind ca"),
    "two CAs": (("admin: {kind: password}", "admin: {kind: ca}\n    other: {kind: ca}"), "spec.secrets.other", "one CA is enough"),
    "secret nobody reads": (("admin: {kind: password}", "admin: {kind: password}\n    other: {}"), "spec.secrets.other", "is used nowhere"),
    "hook without hooks": (("  hooks: {module: hooks.py}\n", ""), "spec.actions.check.hook", "the package has no hooks"),
    "module missing": (("{module: hooks.py}", "{module: hook.py}"), "spec.hooks.module", "did you mean 'hooks.py'"),
    "other module missing": (("{module: hooks.py}", "{module: hooks.py, files: [more.py]}"), "spec.hooks.files[0]", "no file 'more.py'"),
    "version twice": (('- {version: "1", locks: locks/1}', '- {version: "1", locks: locks/1}\n    - {version: "1", locks: locks/1}'), "spec.versions[1].version", "listed twice"),
    "source of both": (("locks: locks/1}", 'locks: locks/1, software: [{maven: "a:b:1", pypi: a==1}]}'), "spec.versions[0].software[0]", "exactly one of maven and pypi"),
    "source not Maven": (("locks: locks/1}", 'locks: locks/1, software: [{maven: "a:b"}]}'), "spec.versions[0].software[0].maven", "group:artifact:version"),
    "source not PyPI": (("locks: locks/1}", 'locks: locks/1, software: [{pypi: "a"}]}'), "spec.versions[0].software[0].pypi", "name==version"),
    "source elsewhere": (("locks: locks/1}", "locks: locks/1, software: [{pypi: a==1, only: [amiga]}]}"), "spec.versions[0].software[0].only[0]", "linux-x86_64"),
    "action elsewhere": (("check: {hook: check}", "check: {hook: check, component: brain}"), "spec.actions.check.component", "there is no component 'brain'"),
    "endpoint elsewhere": (("{listener: api}", "{listener: api, component: brain}"), "spec.endpoints.api.component", "there is no component 'brain'"),
    "endpoint internal": (("tls: server}", "internal: true}"), "spec.endpoints.api.listener", "is internal"),
    "endpoint of no role": (("{listener: api}", "{listener: api, role: boss}"), "spec.endpoints.api.role", "there is no role 'boss'"),
    "settings of no file": (at_service("settings: {file: other.conf}"), "spec.settings.file", "did you mean 'tiny.conf'"),
    "finalize of nothing": (at_service("finalize: [{title: x}]"), "spec.finalize[0]", "exactly one of facts and action"),
    "finalize of no action": (at_service("finalize: [{title: x, action: y}]"), "spec.finalize[0].action", "there is no action 'y'"),
    "no such verb": (at_service("verbs: {backups: {support: none, because: x}}"), "spec.verbs.backups", "did you mean 'backup'"),
    "no dashboard": (at_service("dashboard: dash.yaml"), "spec.dashboard", "no file 'dash.yaml'"),
    "threshold of no metric": (at_service("thresholds: {disk: {metric: fill, warn: 1}}"), "spec.thresholds.disk.metric", "no component declares"),
    "binding of no endpoint": (at_service("binding: {type: x, endpoint: web, user_action: check}"), "spec.binding.endpoint", "there is no endpoint 'web'"),
    "binding without user": (at_service("binding: {type: x, endpoint: api}"), "spec.binding.user_action", "there is no action 'user'"),
    "binding of a stranger": (at_service('binding: {type: x, endpoint: api, user_action: check, entries: {u: "${home}"}}'), "spec.binding.entries.u", "no ${home}"),
    "binding of no knob": (at_service('binding: {type: x, endpoint: api, user_action: check, entries: {u: "${knobs.x}"}}'), "spec.binding.entries.u", "there is no knob 'x'"),
    "binding of other endpoint": (at_service('binding: {type: x, endpoint: api, user_action: check, entries: {u: "${endpoint.web.hosts}"}}'), "spec.binding.entries.u", "there is no endpoint 'web'"),
    "password in a command": (at_service('binding: {type: x, endpoint: api, user_action: check, client: [sh, "${password}"]}'), "spec.binding.client[1]", "must not stand in a command"),
    "list for mapping": (("{listener: api}", "[api]"), "spec.endpoints.api", "a list is not a mapping"),
    "text for list": (("secrets: [admin]", "secrets: admin"), f"{NODE}.secrets", "'admin' is not a list"),
    "mapping for number or text": (('members: "${knobs.members}"', "members: {a: 1}"), f"{NODE}.members", "a mapping is not a text or a whole number"),
    "mapping inside hooks": (("{module: hooks.py}", "{module: [x]}"), "spec.hooks.module", "a list is not a text"),
    "no fails": (("{tcp: api}", "{tcp: api, fails: 0}"), f"{NODE}.probes.ready.fails", "0 is below 1"),
    "empty text": (("does: Says one thing", 'does: ""'), "spec.does", "is empty"),
    "no value": (("title: Tiny", "title:"), "spec.title", "nothing is not a text"),
    "name too long": (("    ha: {members", f"    {'h' * 41}: {{members"), f"spec.presets.{'h' * 41}", "longer than 40"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_at_its_place(case):
    (old, new), path, message = CASES[case]
    faults = lint(broken(old, new), "x")
    found = [fault for fault in faults if fault.path.startswith(path) and message in fault.message]
    assert found, [str(fault) for fault in faults]
    assert found[0].file == "service.yaml"
    lines = SERVICE.splitlines()
    assert 1 <= found[0].line <= len(lines) + new.count("\n")


def test_a_file_that_reloads_needs_a_way_to_reload():
    text = SERVICE.replace("{template: tiny.conf.j2}", "{template: tiny.conf.j2, changes: reload}")
    assert lint(tiny(service_yaml=text), "x") == ()
    (fault,) = lint(tiny(service_yaml=text.replace("      reload: {signal: SIGHUP}\n", "")), "x")
    assert "the component has no reload" in fault.message


def test_software_that_differs_between_platforms_is_told_when_a_template_asks():
    entry = {"registry": "pypi", "name": "a", "version": "1", "size": 1, "sha256": "0" * 64, "into": "lib", "unpack": None, "python": ""}  # fmt: skip
    one = json.dumps({**LOCK, "files": [{**entry, "file": "a.whl"}]})
    two = json.dumps({**LOCK, "platform": "linux-aarch64", "files": [{**entry, "file": "b.whl"}]})
    files = tiny(locks_1_linux_x86_64_json=one)
    files["locks/1/linux-aarch64.json"] = two.encode()
    assert lint(files, "x") == ()
    files["tiny.conf.j2"] += b"{{ software('lib') | join(',') }}\n"
    (fault,) = lint(files, "x")
    assert fault.file == "locks/1/linux-x86_64.json"
    assert "software('lib') differs" in fault.message


def test_a_package_too_large_to_pin_is_told():
    (fault,) = lint({**tiny(), "big.bin": b"x" * LARGEST_PINNED_BYTES}, "x")
    assert "can be pinned" in fault.message


def test_a_path_that_cannot_be_archived_is_told():
    (fault,) = lint({**tiny(), "a\\b": b""}, "x")
    assert str(fault) == "a\\b: (document): holds characters that not every system can store"
