"""Components: what they name must exist, what they promise must be possible."""

from __future__ import annotations

import re

from freehold.definition.checks.knobs import resolved
from freehold.definition.checks.report import Report, known_names, metric_sources_of, probes_of
from freehold.definition.document import Path
from freehold.definition.expressions import ExpressionError, fill_value
from freehold.definition.schema import Component, Probe
from freehold.foundation.member import Change


def check_components(report: Report) -> None:
    for path, name, component in report.components():
        if component.uses:
            report.add((*path, "uses"), "building on another package's component is not read yet")
        if not component.run:
            report.add((*path, "run"), "is empty")
        _check_files(report, path, component)
        _check_listeners(report, path, component)
        _check_roles(report, path, component)
        for kind, probe in probes_of(component):
            _check_probe(report, (*path, "probes", kind), component, probe, kind)
        for number, log in enumerate(component.logs):
            _check_pattern(report, (*path, "logs", number, "pattern"), log.pattern)
        _check_before(report, path, name, component)
    for path, source in metric_sources_of(report.spec):
        if (source.http is None) == (source.hook is None):
            report.add(path, "exactly one of http and hook is needed")
        names = [metric.name for metric in source.metrics]
        for name in sorted({name for name in names if names.count(name) > 1}):
            report.add((*path, "metrics"), f"{name!r} is declared twice")
    _check_order(report)
    for preset in ("", *report.spec.presets):
        _check_quorum(report, preset)


def _check_files(report: Report, path: Path, component: Component) -> None:
    for name, file in component.files.items():
        report.needs_file((*path, "files", name, "template"), file.template, "template")
        if name.startswith("/") or ".." in name.split("/"):
            report.add((*path, "files", name), "must lie below ${conf}")
        if file.changes is Change.RELOAD and not (component.reload.signal or component.reload.exec):
            report.add(
                (*path, "files", name, "changes"),
                "the component has no reload: name a signal or a command",
                about=(*path, "reload"),
            )
    for number, name in enumerate(component.package_files):
        if report.needs_file((*path, "package_files", number), name):
            _check_text(report, (*path, "package_files", number), name)
        if name in component.files:
            report.add((*path, "package_files", number), f"{name!r} is among files too")


def _check_text(report: Report, path: Path, name: str) -> None:
    try:
        report.files[name].decode()
    except UnicodeDecodeError:
        report.add(path, f"{name!r} is not UTF-8 text")


def _check_listeners(report: Report, path: Path, component: Component) -> None:
    ports: dict[int, str] = {}
    for name, listener in component.listeners.items():
        place = (*path, "listeners", name)
        if listener.port in ports:
            report.add((*place, "port"), f"{listener.port} is taken by {ports[listener.port]!r}")
        ports.setdefault(listener.port, name)
        if listener.tls == "none" and not listener.internal and not listener.because:
            report.add(place, "without TLS for clients it needs a `because`, shown in the plan")


def _check_roles(report: Report, path: Path, component: Component) -> None:
    if component.leader and component.leader not in component.roles:
        known = known_names(component.leader, component.roles)
        report.add((*path, "leader"), f"there is no role {component.leader!r}{known}")
    if component.roles and component.probes.role is None:
        report.add(
            (*path, "roles"),
            "roles need a role probe: nobody else can tell them",
            about=(*path, "probes"),
        )


def _check_probe(report: Report, path: Path, component: Component, probe: Probe, kind: str) -> None:
    given = [name for name in ("exec", "http", "tcp", "hook") if getattr(probe, name) is not None]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        report.add(path, f"exactly one of exec, http, tcp and hook is needed, {found} found")
    if probe.tcp is not None and probe.tcp not in component.listeners:
        known = known_names(probe.tcp, component.listeners)
        about = (*path[:3], "listeners", probe.tcp)
        report.add((*path, "tcp"), f"there is no listener {probe.tcp!r}{known}", about=about)
    if kind == "role" and probe.http is not None and "*" not in probe.expect.values():
        report.add(path, 'a role by http needs expect: {"path.of.role": "*"}')
    if kind == "role" and (probe.exec is not None or probe.tcp is not None):
        report.add(path, "a role is told by http or a hook")


def _check_pattern(report: Report, path: Path, pattern: str) -> None:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        report.add(path, f"is not a regular expression: {error}")
        return
    if pattern and "message" not in groups:
        report.add(path, "needs a group (?P<message>…)")


def _check_before(report: Report, path: Path, name: str, component: Component) -> None:
    before = component.stop.before
    if not before:
        return
    action = report.spec.actions.get(before)
    first = next(iter(report.spec.components))
    if action is None:
        known = known_names(before, report.spec.actions)
        about: Path = ("spec", "actions", before)
        report.add((*path, "stop", "before"), f"there is no action {before!r}{known}", about=about)
    elif (action.component or first) != name:
        report.add((*path, "stop", "before"), f"{before!r} is an action of another component")


def _check_order(report: Report) -> None:
    components = report.spec.components
    for path, name, component in report.components():
        for number, other in enumerate(component.start_after):
            if other not in components:
                known = known_names(other, components)
                about: Path = ("spec", "components", other)
                place = (*path, "start_after", number)
                report.add(place, f"there is no component {other!r}{known}", about=about)
        cycle = _cycle_from(report, name)
        if cycle and name == min(cycle):  # told once, not from each of its members
            report.add(
                (*path, "start_after"), f"goes in a circle: {' after '.join([*cycle, name])}"
            )


def _cycle_from(report: Report, start: str) -> list[str]:
    """Return the components on a way from ``start`` back to itself; empty when there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        component = report.spec.components.get(way[-1])
        for other in component.start_after if component else ():
            if other == start:
                return way
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def _check_quorum(report: Report, preset: str) -> None:
    """With the members of a preset: can one be taken down at all, and is the quorum reachable?"""
    knobs = resolved(report, preset)
    if knobs is None:
        return
    named = f"preset {preset}" if preset else "the defaults"
    for path, name, component in report.components():
        sums = _sums(name, component, knobs)
        if sums is None:
            continue  # the text check has said why
        members, quorum, down = sums
        if members == 0:
            continue
        if quorum > members:
            report.add(
                (*path, "quorum"), f"{quorum} of {members} members can never be ready ({named})"
            )
        elif down < 1:
            report.add((*path, "down_at_once"), f"{down} would stop every rollout ({named})")
        elif 2 < members < quorum + down:
            told = f"{members} members, {down} down at once, quorum {quorum}"
            report.add((*path, "down_at_once"), f"no rollout keeps the quorum: {told} ({named})")


def _sums(name: str, component: Component, knobs: dict[str, object]) -> tuple[int, int, int] | None:
    """Return members per group, quorum and how many may be down."""
    context: dict[str, object] = {"knobs": knobs}
    try:
        members = int(fill_value(component.members, context))
        groups = max(1, int(fill_value(component.groups, context)))
        context["component"] = {"name": name, "members": members, "groups": groups}
        quorum = int(fill_value(component.quorum, context))
        return members // groups, quorum, int(fill_value(component.down_at_once, context))
    except (ExpressionError, TypeError, ValueError):
        return None
