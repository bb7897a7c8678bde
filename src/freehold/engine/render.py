"""Wish + definition → what should exist: every member's files, commands, probes and actions.

Pure: the same wish, package and incarnations give the same bytes. Secrets and addresses stay
placeholders, so peers that move or come and go change no restart file of the others.

Two digests say what a change costs (see :mod:`freehold.engine.revisions`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.definition import expressions, locks
from freehold.definition.expressions import ExpressionError
from freehold.definition.package import Package
from freehold.definition.schema import Component, Spec, When
from freehold.engine import member_specs
from freehold.engine.desired import Desired, DesiredComponent, DesiredMember, Duty
from freehold.engine.tokens import ring_tokens
from freehold.engine.wish import Wish
from freehold.foundation.errors import DefinitionError, Fault
from freehold.foundation.names import member_name
from freehold.foundation.quantities import parse_duration

MOST_MEMBERS = 1000


def render(
    wish: Wish,
    package: Package,
    incarnations: Mapping[str, int],
    replaced: frozenset[str] = frozenset(),
) -> Desired:
    """Return what the wish means.

    Args:
        wish: with complete knobs.
        package: the pinned one.
        incarnations: member → its incarnation; 0 where missing.
        replaced: members whose incarnation takes the place of a lost one (templates see
            ``member.replaces``).

    Raises:
        DefinitionError: a template or expression fails; names file and line.
        NotFoundError: the package has no such version.
    """
    locks.version_of(package, wish.version)
    scene = _Scene(wish=wish, package=package, incarnations=incarnations, replaced=replaced)
    components = tuple(
        _component(scene, name, component)
        for name, component in package.spec.components.items()
        if scene.asks(component.when, f"spec.components.{name}.when")
    )
    rendered = frozenset(component.name for component in components)
    members = [member for component in components for member in component.members]
    return Desired(
        service=wish.service,
        lineage=wish.lineage,
        want=wish.want,
        version=wish.version,
        generation=wish.generation,
        restart=wish.restart,
        components=components,
        secrets=_secrets(package.spec, members),
        duties=_duties(package.spec, rendered),
        leave=_well_known(package.spec, "leave", rendered),
        leave_deadline_s=_leave_deadline_s(package.spec),
        switchover=_well_known(package.spec, "switchover", rendered),
        facts={"knobs": dict(wish.knobs), "settings": dict(wish.settings), "site": wish.site},
    )


def members_of(wish: Wish, package: Package) -> dict[str, int]:
    """Return component → number of members, without rendering them. Raises DefinitionError."""
    scene = _Scene(wish=wish, package=package, incarnations={}, replaced=frozenset())
    return {
        name: scene.count(component.members, f"spec.components.{name}.members")
        for name, component in package.spec.components.items()
        if scene.asks(component.when, f"spec.components.{name}.when")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """What all members have in view."""

    wish: Wish
    package: Package
    incarnations: Mapping[str, int]
    replaced: frozenset[str]

    def context(self) -> dict[str, Any]:
        return {
            "knobs": dict(self.wish.knobs),
            "settings": dict(self.wish.settings),
            "service": self.wish.service,
            "site": self.wish.site,
            "version": self.wish.version,
            "preset": self.wish.preset,
        }

    def asks(self, condition: str, path: str) -> bool:
        try:
            return expressions.holds(condition, self.context())
        except ExpressionError as error:
            raise _fault(self.package, path, error) from error

    def count(self, text: str | int, path: str, **more: Any) -> int:
        try:
            value = expressions.fill_value(text, {**self.context(), **more})
            number = int(value)
        except (ExpressionError, TypeError, ValueError) as error:
            raise _fault(self.package, path, error) from error
        if not 0 <= number <= MOST_MEMBERS:
            reason = ValueError(f"{number} is not between 0 and {MOST_MEMBERS}")
            raise _fault(self.package, path, reason)
        return number


def _fault(package: Package, path: str, error: Exception) -> DefinitionError:
    fault = Fault("service.yaml", path, 0, str(error))
    return DefinitionError(f"cannot render {package.name}", faults=(fault,))


def _component(scene: _Scene, name: str, component: Component) -> DesiredComponent:
    place = f"spec.components.{name}"
    count = scene.count(component.members, f"{place}.members")
    groups = max(1, scene.count(component.groups, f"{place}.groups"))
    seen = {"name": name, "members": count, "groups": groups}
    founders = min(scene.wish.founders.get(name, 0), MOST_MEMBERS)
    wish = scene.wish
    context = {
        **scene.context(),
        "component": seen,
        "members": [member_name(wish.service, name, ordinal) for ordinal in range(count)],
        "founders": [member_name(wish.service, name, ordinal) for ordinal in range(founders)],
        **_functions(scene.package, wish.version),
    }
    members = tuple(_member(scene, component, context, ordinal) for ordinal in range(count))
    return DesiredComponent(
        name=name,
        members=members,
        quorum=scene.count(component.quorum, f"{place}.quorum", component=seen),
        down_at_once=scene.count(component.down_at_once, f"{place}.down_at_once", component=seen),
        leader=component.leader,
        start_after=tuple(component.start_after),
        joins_in_parallel=component.joins == "parallel",
        first_start_ordered=component.first_start == "ordered",
    )


def _member(
    scene: _Scene, component: Component, context: Mapping[str, Any], ordinal: int
) -> DesiredMember:
    name: str = context["component"]["name"]
    group = ordinal % context["component"]["groups"]  # spread evenly; for life while groups stay
    full_name = member_name(scene.wish.service, name, ordinal)
    incarnation = scene.incarnations.get(full_name, 0)
    founder = ordinal < scene.wish.founders.get(name, 0) and incarnation == 0
    seen = {
        "name": full_name,
        "ordinal": ordinal,
        "group": group,
        "component": name,
        "incarnation": incarnation,
        "founder": founder,
        "replaces": full_name in scene.replaced,
    }
    try:
        spec = member_specs.build(
            scene.wish, scene.package, name, component, {**context, "member": seen}
        )
    except (ExpressionError, ValueError) as error:
        raise _fault(scene.package, f"spec.components.{name}", error) from error
    return DesiredMember(
        name=full_name,
        component=name,
        group=group,
        ordinal=ordinal,
        incarnation=incarnation,
        spec=spec,
        founder=founder,
    )


def _functions(package: Package, version: str) -> dict[str, Any]:
    """Return what templates may call beside the values."""
    return {
        "software": functools.partial(
            locks.names_of, locks.version_of(package, version), package.files
        ),
        "address": lambda name: f"${{address:{name}}}",
        "secret": lambda name: f"${{secret:{name}}}",
        "secret_file": lambda name: f"${{secret_file:{name}}}",
        "ring_tokens": ring_tokens,
    }


def _secrets(spec: Spec, members: list[DesiredMember]) -> tuple[str, ...]:
    """Return all that must be issued; a CA goes with any certificate."""
    names: set[str] = set()
    for name, secret in spec.secrets.items():
        if secret.per_member:
            names.update(f"{name}@{member.name}" for member in members if _reads(member, name))
        else:
            names.add(name)
    return tuple(sorted(names))


def _reads(member: DesiredMember, secret: str) -> bool:
    return f"{secret}@{member.name}" in member.spec.secrets


def _duties(spec: Spec, rendered: frozenset[str]) -> tuple[Duty, ...]:
    first = next(iter(spec.components))
    return tuple(
        Duty(
            action=name,
            component=action.component or first,
            when=action.when.value,
            title=action.title,
            deadline_s=parse_duration(action.deadline),
        )
        for name, action in spec.actions.items()
        if action.when is not When.ASKED and (action.component or first) in rendered
    )


def _well_known(spec: Spec, name: str, rendered: frozenset[str]) -> dict[str, str]:
    """Return component → action for a well-known action (``leave``), where the package has it."""
    action = spec.actions.get(name)
    if action is None:
        return {}
    component = action.component or next(iter(spec.components))
    return {component: name} if component in rendered else {}


def _leave_deadline_s(spec: Spec) -> float:
    action = spec.actions.get("leave")
    return parse_duration(action.deadline) if action is not None else 6 * 3600.0
