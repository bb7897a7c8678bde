"""install: a package becomes a service, or an uninstalled one comes back as it was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from freehold.definition import knobs as knob_values
from freehold.definition.package import Package
from freehold.definition.schema import Version
from freehold.engine.render import members_of
from freehold.engine.wish import Want, Wish
from freehold.foundation.errors import NotFoundError, RefusedError
from freehold.operations.change import Edit, carry_out
from freehold.operations.desk import Asker, Desk
from freehold.operations.forecast import foresee, with_room
from freehold.operations.lookup import check_name
from freehold.operations.messages import Accepted, Install, PlanView


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    """What the consumer chose, checked."""

    package: Package
    version: Version
    preset: str
    knobs: dict[str, Any]


async def install(desk: Desk, asker: Asker, asked: Install) -> Accepted | PlanView:
    package = find_package(desk, asked.package)
    name = check_name(asked.name or package.name)
    former = desk.journal.wish(name)
    if former is not None:
        _refuse_taken(former, package)
        package = desk.packages.by_digest(former.definition)
    choice = _choose(package, asked, former)
    wish = _returning(choice, asked, former) if former else _new(desk, asker, choice, asked, name)
    edit = Edit(verb="install", before=former, after=wish, package=package)
    plan = await with_room(desk, edit, await foresee(desk, edit), dry_run=asked.dry_run)
    return carry_out(desk, asker, edit, plan, asked)


def find_package(desk: Desk, named: str) -> Package:
    """Return a package of the catalog, or the one in a folder given by its absolute path."""
    if not named.startswith("/"):
        return desk.packages.named(check_name(named, "package"))
    return desk.packages.from_folder(Path(named))


def _refuse_taken(former: Wish, package: Package) -> None:
    name = former.service
    if former.want is Want.PURGED:
        raise RefusedError(
            f"cannot install {name}: the former service of this name is still being purged",
            next_command=f"freehold operations list {name}",
        )
    if former.want is not Want.UNINSTALLED:
        raise RefusedError(
            f"cannot install {name}: a service of this name is installed",
            next_command=f"freehold install {package.name} --name {name}-2",
        )
    if former.package != package.name:
        raise RefusedError(
            f"cannot install {name}: volumes of an uninstalled {former.package} have this name",
            next_command=f"freehold install {package.name} --name {name}-2",
        )


def _choose(package: Package, asked: Install, former: Wish | None) -> _Choice:
    """Defaults of a service that comes back are what it had."""
    spec = package.spec
    version = _version(package, asked.version or (former.version if former else ""))
    if former is not None and version.version != former.version:
        raise RefusedError(
            f"cannot install {former.service} with version {version.version}: "
            f"its volumes were written by {former.version}",
            next_command=f"freehold install {package.name} --name {former.service}",
        )
    kept_preset = former is not None and not asked.preset
    preset = (
        former.preset
        if former is not None and kept_preset
        else asked.preset or knob_values.default_preset(spec)
    )
    values = {**(former.knobs if former is not None and kept_preset else {}), **asked.knobs}
    resolved = knob_values.resolve(package, preset, values, former.knobs if former else None)
    knob_values.check_settings(spec, asked.settings)
    return _Choice(package=package, version=version, preset=preset, knobs=resolved)


def _version(package: Package, asked: str) -> Version:
    versions = package.spec.versions
    if not asked:
        return versions[0]
    found = next((each for each in versions if each.version == asked), None)
    if found is None:
        known = ", ".join(each.version for each in versions)
        raise NotFoundError(
            f"cannot install {package.name} {asked}: its versions are {known}",
            next_command=f"freehold catalog {package.name}",
        )
    return found


def _new(desk: Desk, asker: Asker, choice: _Choice, asked: Install, name: str) -> Wish:
    wish = Wish(
        service=name,
        lineage=desk.ids.new(),
        package=choice.package.name,
        version=choice.version.version,
        definition=choice.package.digest,
        preset=choice.preset,
        knobs=choice.knobs,
        site=desk.site,
        settings=asked.settings,
        protected=choice.preset in choice.package.spec.protected_presets,
        project=asker.project,
    )
    return replace(wish, founders=members_of(wish, choice.package))


def _returning(choice: _Choice, asked: Install, former: Wish) -> Wish:
    """Same lineage, secrets, volumes and founders: it is the same service."""
    return replace(
        former,
        want=Want.RUNNING,
        preset=choice.preset,
        knobs=choice.knobs,
        settings=asked.settings or former.settings,
        generation=former.generation + 1,
    )
