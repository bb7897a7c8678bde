"""Every package we ship: without a fault, true to what its knobs say, and the same at every rendering."""

from __future__ import annotations

import json
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import pytest

from freehold.definition import knobs
from freehold.definition.loader import lint, load_package
from freehold.definition.package import Package
from freehold.definition.schema import Knob, KnobType
from freehold.engine.desired import Desired
from freehold.engine.render import render
from freehold.engine.wish import Wish
from freehold.foundation.errors import FreeholdError
from freehold.foundation.member import Change

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(
    path.parent
    for pattern in ("catalog/*/service.yaml", "src/freehold/testkit/*/service.yaml")
    for path in ROOT.glob(pattern)
)
each_package = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def package_of(folder: Path) -> Package:
    return load_package(files_of(folder), folder.name)


def drawn(package: Package, preset: str, version: str = "", **values: Any) -> Desired:
    chosen = knobs.resolve(package, preset, values)
    wish = Wish(
        service="sample",
        lineage="lineage",
        package=package.name,
        version=version or package.spec.versions[0].version,
        definition=package.digest,
        preset=preset,
        knobs=chosen,
        site="here",
        founders=dict.fromkeys(package.spec.components, 3),
    )
    return render(wish, package, {})


@each_package
def test_lint_finds_nothing(folder):
    assert [str(fault) for fault in lint(files_of(folder), folder.name)] == []


@each_package
def test_every_preset_of_every_version_renders_alike_every_time(folder):
    package = package_of(folder)
    assert {"dev", "ha"} <= set(package.spec.presets)
    for preset in ("", *package.spec.presets):
        for version in package.spec.versions:
            desired = drawn(package, preset, version.version)
            assert desired.members
            assert desired == drawn(package_of(folder), preset, version.version)


@each_package
def test_dev_is_one_member_and_ha_outlives_the_loss_of_one(folder):
    package = package_of(folder)
    assert all(len(part.members) == 1 for part in drawn(package, "dev").components)
    for part in drawn(package, "ha").components:
        assert len(part.members) - part.down_at_once >= part.quorum
    assert "ha" in package.spec.protected_presets


def other_value(knob: Knob, now: Any) -> Any:
    """Return another allowed value, larger where there is an order; None when none is known."""
    candidates: list[Any] = []
    match knob.type:
        case KnobType.BOOLEAN:
            candidates = [not now]
        case KnobType.CHOICE:
            candidates = list(knob.choices or ())
        case KnobType.INTEGER | KnobType.BYTES | KnobType.NUMBER | KnobType.CPU | KnobType.DURATION:
            candidates = [now + 1, now * 2, *(knob.choices or ()), now + 2**20]
        case KnobType.STRING:
            candidates = [f"{now}x", "other"]
        case KnobType.LIST:
            candidates = [[item] for item in knob.of or ("a",)]
    for candidate in candidates:
        try:
            value = knobs.parse_value(knob, candidate)
        except ValueError:
            continue
        if value != now:
            return value
    return None


@each_package
def test_a_knob_costs_what_it_says_and_changes_something(folder):
    """`changes: live` on a knob that restarts members would interrupt a consumer unwarned."""
    package = package_of(folder)
    wrong = []
    for preset in package.spec.presets:
        before = drawn(package, preset)
        chosen = knobs.resolve(package, preset, {})
        for name, knob in package.spec.knobs.items():
            value = other_value(knob, chosen[name])
            try:
                after = drawn(package, preset, **{name: value})
            except FreeholdError:
                continue  # a rule between knobs forbids it here
            pairs = list(zip(before.members, after.members, strict=False))
            restarts = any(one.spec.restart_hash != two.spec.restart_hash for one, two in pairs)
            reloads = any(one.spec.reload_hash != two.spec.reload_hash for one, two in pairs)
            costs = Change.RESTART if restarts else Change.RELOAD if reloads else Change.LIVE
            allowed = [Change.LIVE, Change.RELOAD, Change.RESTART, Change.REBUILD]
            if allowed.index(costs) > allowed.index(knob.changes):
                wrong.append(f"{preset}: {name} says {knob.changes}, costs {costs}")
    assert wrong == []


@each_package
def test_no_secret_stands_in_a_command_or_an_environment(folder):
    package = package_of(folder)
    for preset in package.spec.presets:
        for member in drawn(package, preset).members:
            processes = [member.spec.main, *(each.process for each in member.spec.companions)]
            for process in processes:
                assert "${secret:" not in " ".join([*process.argv, *process.env.values()])


@each_package
def test_every_password_and_certificate_that_members_read_is_issued(folder):
    package = package_of(folder)
    desired = drawn(package, "ha")
    for member in desired.members:
        assert set(member.spec.secrets) <= set(desired.secrets)


def spoken_by(path: Path) -> str:
    """Return the code of a module without comments and docstrings, which may give examples."""
    with path.open("rb") as source:
        return " ".join(
            token.string.lower()
            for token in tokenize.tokenize(source.readline)
            if token.type != tokenize.COMMENT and not token.string.startswith('"""')
        )


def test_no_code_names_a_package_of_the_catalog():
    names = [folder.name for folder in FOLDERS if folder.parent.name == "catalog"]
    found = [
        f"{path.relative_to(ROOT)} names {name}"
        for path in (ROOT / "src/freehold").rglob("*.py")
        if "testkit" not in path.parts
        for name in names
        if name in spoken_by(path)
    ]
    assert found == []


IMPORT_HOOKS = """
import json, sys
from freehold.agent.worker import load
package = json.load(sys.stdin)
hooks = load(package)
bare = [
    name for name in package["named"]
    if len(told := getattr(hooks, name).__annotations__) != 3 or "return" not in told
]
print(json.dumps(bare))
"""


@each_package
def test_hooks_are_importable_as_the_worker_does_and_typed(folder):
    """In a process of its own, with the package's libraries absent: they are imported late."""
    package = package_of(folder)
    spec = drawn(package, "ha").members[0].spec
    probes = [probe.hook for probe in (spec.alive, spec.ready, spec.role) if probe and probe.hook]
    named = [action.hook for action in spec.actions] + probes
    told = {"module": spec.hooks.module, "files": dict(spec.hooks.files), "libraries": "", "named": named}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_HOOKS],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
