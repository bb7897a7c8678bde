"""What belongs to the service as a whole: actions, endpoints, binding, check, settings, finalize, verbs."""

from __future__ import annotations

import re

import jinja2
import jinja2.meta
from jinja2 import nodes

from freehold.definition.checks.report import Report, known_names
from freehold.definition.document import Path
from freehold.definition.sandbox import parsed

VERBS = frozenset(
    {"install", "scale", "start", "stop", "restart", "upgrade", "rollback", "finalize", "backup"}
    | {"restore", "rebuild", "move", "rotate", "bind", "check", "switchover", "resize", "clone"}
)
WELL_KNOWN = frozenset({"leave", "check", "user", "role", "switchover"})
_BINDING_TEXT = re.compile(
    r"user|password|secret:password|application|service|site|folder|ca|host|port|hosts|addresses|version"
    r"|endpoint\.[a-z][-a-z0-9]*\.(host|port|hosts|addresses)|knobs\.[a-z][a-z0-9_]*"
)
# A snippet is shown to people: it names the file of the password, never the password.
SNIPPET_NAMES = frozenset(
    {"user", "application", "service", "site", "folder", "ca", "host", "port", "hosts"}
    | {"addresses", "version", "endpoint", "knobs"}
)
_PLACEHOLDER = re.compile(r"(?<!\$)\$\{([^}]*)\}")


def check_service(report: Report) -> None:
    _check_actions(report)
    _check_endpoints(report)
    _check_binding(report)
    _check_settings(report)
    _check_finalize(report)
    spec = report.spec
    if spec.check is not None:
        _needs_action(report, spec.check.action, ("spec", "check", "action"))
    for verb in spec.verbs:
        if verb not in VERBS:
            told = f"there is no such verb{known_names(verb, sorted(VERBS))}"
            report.add(("spec", "verbs", verb), told)
    for field in ("dashboard", "icon"):
        if file := getattr(spec, field):
            report.needs_file(("spec", field), file)


def _check_settings(report: Report) -> None:
    settings = report.spec.settings
    files = {name for each in report.spec.components.values() for name in each.files}
    if settings is not None and settings.file not in files:
        told = (
            f"no component has a file {settings.file!r}{known_names(settings.file, sorted(files))}"
        )
        report.add(("spec", "settings", "file"), told, about=("spec", "components"))


def _check_finalize(report: Report) -> None:
    for number, stage in enumerate(report.spec.finalize):
        path: Path = ("spec", "finalize", number)
        if stage.action:
            _needs_action(report, stage.action, (*path, "action"))
        if bool(stage.action) == bool(stage.facts):
            report.add(path, "exactly one of facts and action is needed")


def _needs_action(report: Report, name: str, path: Path) -> None:
    if name not in report.spec.actions:
        known = known_names(name, report.spec.actions)
        report.add(path, f"there is no action {name!r}{known}", about=("spec", "actions", name))


def _check_actions(report: Report) -> None:
    for name, action in report.spec.actions.items():
        if action.component and action.component not in report.spec.components:
            path: Path = ("spec", "actions", name, "component")
            known = known_names(action.component, report.spec.components)
            about: Path = ("spec", "components", action.component)
            report.add(path, f"there is no component {action.component!r}{known}", about=about)


def _check_endpoints(report: Report) -> None:
    for name, endpoint in report.spec.endpoints.items():
        path: Path = ("spec", "endpoints", name)
        component = report.component_of(endpoint.component)
        if component is None:
            known = known_names(endpoint.component, report.spec.components)
            about: Path = ("spec", "components", endpoint.component)
            told = f"there is no component {endpoint.component!r}{known}"
            report.add((*path, "component"), told, about=about)
            continue
        listener = component.listeners.get(endpoint.listener)
        if listener is None:
            known = known_names(endpoint.listener, component.listeners)
            told = f"there is no listener {endpoint.listener!r}{known}"
            report.add((*path, "listener"), told, about=("spec", "components"))
        elif listener.internal:
            report.add(
                (*path, "listener"), f"{endpoint.listener!r} is internal: clients cannot reach it"
            )
        for field in ("role", "otherwise"):
            role = getattr(endpoint, field)
            if role and role not in component.roles:
                told = f"there is no role {role!r}{known_names(role, component.roles)}"
                report.add((*path, field), told, about=("spec", "components"))


def _check_binding(report: Report) -> None:
    binding = report.spec.binding
    if binding is None:
        return
    path: Path = ("spec", "binding")
    if binding.endpoint not in report.spec.endpoints:
        told = f"there is no endpoint {binding.endpoint!r}{known_names(binding.endpoint, report.spec.endpoints)}"
        report.add((*path, "endpoint"), told, about=("spec", "endpoints", binding.endpoint))
    if binding.user_action:
        _needs_action(report, binding.user_action, (*path, "user_action"))
    for language, template in binding.snippets.items():
        if report.needs_file((*path, "snippets", language), template, "template"):
            _check_snippet(report, template)
    for name, text in binding.entries.items():
        _check_binding_text(report, (*path, "entries", name), text)
    for number, text in enumerate(binding.client):
        _check_binding_text(report, (*path, "client", number), text)


def _check_snippet(report: Report, template: str) -> None:
    try:
        tree = parsed(report.files[template].decode(), template)
    except (jinja2.TemplateSyntaxError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", 0)
        report.add_in(template, line, getattr(error, "message", None) or "is not UTF-8 text")
        return
    for name in sorted(jinja2.meta.find_undeclared_variables(tree) - SNIPPET_NAMES):
        known = known_names(name, sorted(SNIPPET_NAMES))
        line = next(node.lineno for node in tree.find_all(nodes.Name) if node.name == name)
        report.add_in(template, line, f"a snippet has no {name!r}{known}")


def _check_binding_text(report: Report, path: Path, text: str) -> None:
    for inner in _PLACEHOLDER.findall(text):
        if not _BINDING_TEXT.fullmatch(inner):
            report.add(path, f"a binding has no ${{{inner}}}")
        elif inner in ("password", "secret:password") and "client" in path:
            report.add(path, "a password must not stand in a command: others can read it there")
        elif inner.startswith("knobs.") and inner[6:] not in report.spec.knobs:
            report.add(path, f"there is no knob {inner[6:]!r}", about=("spec", "knobs", inner[6:]))
        elif inner.startswith("endpoint.") and inner.split(".")[1] not in report.spec.endpoints:
            report.add(path, f"there is no endpoint {inner.split('.')[1]!r}")
