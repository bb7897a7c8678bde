"""scale: another number of members, by the knob that the package counts them with."""

from __future__ import annotations

import re
from dataclasses import replace

from freehold.definition import knobs as knob_values
from freehold.definition.package import Package
from freehold.engine.wish import Want
from freehold.foundation.errors import DefinitionError, NotFoundError, RefusedError
from freehold.operations.change import Edit, carry_out, next_generation
from freehold.operations.desk import Asker, Desk
from freehold.operations.forecast import foresee, with_room
from freehold.operations.lookup import wish_of
from freehold.operations.messages import Accepted, PlanView, Scale

_KNOB = re.compile(r"\$\{\s*knobs\.([a-z][a-z0-9_]*)\s*\}")


async def scale(desk: Desk, asker: Asker, service: str, asked: Scale) -> Accepted | PlanView:
    wish = wish_of(desk, service)
    if wish.want in {Want.UNINSTALLED, Want.PURGED}:
        raise RefusedError(
            f"cannot scale {service}: it is {wish.want}",
            next_command=f"freehold install {wish.package} --name {service}",
        )
    package = desk.packages.by_digest(wish.definition)
    knob = _knob_of_members(package, asked.component)
    if wish.knobs.get(knob) == asked.members:
        raise RefusedError(
            f"cannot scale {service} to {asked.members}: it is meant to have so many already",
            next_command=f"freehold status {service}",
        )
    changed = {**wish.knobs, knob: asked.members}
    resolved = knob_values.resolve(package, wish.preset, changed, wish.knobs)
    after = next_generation(replace(wish, knobs=resolved))
    edit = Edit(verb="scale", before=wish, after=after, package=package)
    plan = await foresee(desk, edit)
    if asked.members > wish.knobs.get(knob, 0):
        plan = await with_room(desk, edit, plan, dry_run=asked.dry_run)
    return carry_out(desk, asker, edit, plan, asked)


def _knob_of_members(package: Package, component: str) -> str:
    """Return the knob that a component's members are counted with."""
    components = package.spec.components
    if component and component not in components:
        known = ", ".join(components)
        raise NotFoundError(
            f"cannot scale {component!r}: the components of {package.name} are {known}",
            next_command=f"freehold explain {package.name}",
        )
    scaled = {
        name: match[1]
        for name, each in components.items()
        if (match := _KNOB.fullmatch(str(each.members))) and component in {"", name}
    }
    if not scaled:
        raise RefusedError(
            f"cannot scale {component or package.name}: its number of members is fixed",
            next_command=f"freehold explain {package.name}",
        )
    if len(set(scaled.values())) > 1:
        raise DefinitionError(
            f"cannot scale {package.name}: say which component, one of {', '.join(scaled)}",
            next_command=f"freehold explain {package.name}",
        )
    return next(iter(scaled.values()))
