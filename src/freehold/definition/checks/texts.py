"""Every ``${…}``, ``when`` and template: does it compile, and does it work with each preset?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2.meta
from jinja2 import nodes

from freehold.definition import expressions, locks
from freehold.definition.checks.knobs import KNOBS, resolved, unknown_knobs, used_in_expression
from freehold.definition.checks.report import Report, known_names, strings_of
from freehold.definition.document import Path
from freehold.definition.expressions import ExpressionError
from freehold.definition.sandbox import environment_of, parsed, render_or_fault
from freehold.definition.schema import Component

Context = dict[str, Any]

TEMPLATE_NAMES = expressions.NAMES | {
    *("software", "address", "secret", "secret_file", "ring_tokens", "range", "dict", "namespace")
}
_SERVICE_SCOPE = frozenset({"knobs", "settings", "service", "site", "version", "preset"})
# Fields that are not filled in: prose, names and regular expressions.
_NOT_FILLED = frozenset(
    {"title", "help", "pattern", "because", "time_format", "template", "expect"}
)
_LOCK_PLACEHOLDER = re.compile(r"(?<!\$)\$\{([^}]*)\}")


def check_texts(report: Report) -> None:
    environment = environment_of(report.files, report.digest)
    for path, name, component in report.components():
        samples = list(sample_contexts(report, name, component))
        data = report.document.data["spec"]["components"][name]
        for place, text in strings_of(data, path):
            _check_text(report, place, text, samples)
        for file in component.files.values():
            if file.template in report.files:
                _check_template(report, environment, file.template, samples)
    _check_unused(report)


def _check_text(report: Report, path: Path, text: str, samples: list[Context]) -> None:
    field = path[-1]
    if field in _NOT_FILLED or "roles" in path:
        return
    is_condition = field == "when"
    if not is_condition and "${" not in text:
        return
    try:
        parts = () if is_condition else expressions.split(text)
        found = [text] if is_condition else [part.text for part in parts if part.expression]
        for expression in found:
            _check_names(report, path, expression, _scope(path))
        _evaluate(report, path, text, samples)
    except ExpressionError as error:
        report.add(path, str(error), about=KNOBS)


def _scope(path: Path) -> frozenset[str]:
    """Return the names a field may use: a component's own number is not known inside itself."""
    field = path[3] if len(path) > 3 else ""
    if field in ("members", "groups", "when"):
        return _SERVICE_SCOPE
    if field in ("quorum", "down_at_once"):
        return _SERVICE_SCOPE | {"component"}
    return expressions.NAMES


def _check_names(report: Report, path: Path, expression: str, scope: frozenset[str]) -> None:
    strange = sorted(expressions.names_in(expression) - scope)
    for name in strange:
        known = known_names(name, sorted(scope))
        raise ExpressionError(f"{expression!r}: there is no {name!r} here{known}")
    for name in unknown_knobs(report, expression):
        known = known_names(name, report.spec.knobs)
        report.add(path, f"there is no knob {name!r}{known}", about=(*KNOBS, name))


def _evaluate(report: Report, path: Path, text: str, samples: list[Context]) -> None:
    if unknown_knobs(report, text):
        return  # told already
    for context in samples:
        if path[-1] == "when":
            expressions.holds(text, context)
        else:
            expressions.fill(text, context)


def sample_contexts(report: Report, name: str, component: Component) -> Iterator[Context]:
    """Yield what texts see in the first and a later member, with the defaults and each preset."""
    for preset in ("", *report.spec.presets):
        knobs = resolved(report, preset)
        if knobs is None:
            continue
        try:
            count = max(1, int(expressions.fill_value(component.members, {"knobs": knobs})))
        except (ExpressionError, TypeError, ValueError):
            continue
        members = [f"sample-{name}-{ordinal}" for ordinal in range(min(count, 100))]
        for ordinal in {0, len(members) - 1}:
            yield {
                "knobs": knobs,
                "settings": {},
                "service": "sample",
                "site": "here",
                "version": report.spec.versions[0].version,
                "preset": preset,
                "component": {"name": name, "members": count, "groups": 1},
                "members": members,
                "founders": members[:1],
                "member": {
                    "name": members[ordinal],
                    "ordinal": ordinal,
                    "group": 0,
                    "component": name,
                    "incarnation": 0,
                    "founder": ordinal == 0,
                    "replaces": False,
                },
            }


def _check_template(
    report: Report, environment: jinja2.Environment, template: str, samples: list[Context]
) -> None:
    try:
        source = report.files[template].decode()
        tree = parsed(source, template)
    except (jinja2.TemplateSyntaxError, UnicodeDecodeError) as error:
        line = getattr(error, "lineno", 0)
        report.add_in(template, line, getattr(error, "message", "is not UTF-8 text"))
        return
    before = len(report.faults)
    for undeclared in sorted(jinja2.meta.find_undeclared_variables(tree) - TEMPLATE_NAMES):
        known = known_names(undeclared, sorted(TEMPLATE_NAMES))
        report.add_in(template, _line_of(tree, undeclared), f"there is no {undeclared!r}{known}")
    for knob, line in _attributes(tree, "knobs"):
        if knob not in report.spec.knobs:
            told = f"there is no knob {knob!r}{known_names(knob, report.spec.knobs)}"
            report.add_in(template, line, told, about=(*KNOBS, knob))
    _check_placeholders(report, template, source)
    if len(report.faults) == before:
        _try_template(report, environment, template, samples)


def _try_template(
    report: Report, environment: jinja2.Environment, template: str, samples: list[Context]
) -> None:
    functions: Mapping[str, Any] = {
        "software": lambda folder: _software(report, folder),
        "address": "${{address:{}}}".format,
        "secret": "${{secret:{}}}".format,
        "secret_file": "${{secret_file:{}}}".format,
        "ring_tokens": lambda ordinal, each=16, low=0, high=0: [ordinal + low + high] * each,
    }
    if report.unread:
        return
    for context in samples:
        rendered = render_or_fault(environment, template, {**context, **functions})
        if not isinstance(rendered, str):
            report.note(rendered)
            return


def _software(report: Report, folder: str) -> list[str]:
    try:
        return locks.names_of(report.spec.versions[0], report.files, folder)
    except (ValueError, KeyError, TypeError):
        return []  # the lock check has said why


def _line_of(tree: nodes.Template, name: str) -> int:
    return next((node.lineno for node in tree.find_all(nodes.Name) if node.name == name), 0)


def _attributes(tree: nodes.Template, of: str) -> Iterator[tuple[str, int]]:
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == of:
            yield node.attr, node.lineno
    for item in tree.find_all(nodes.Getitem):
        is_of = isinstance(item.node, nodes.Name) and item.node.name == of
        if is_of and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            yield item.arg.value, item.lineno


def _check_placeholders(report: Report, template: str, source: str) -> None:
    """A template's ``${…}`` is filled in by the agent alone: CEL has no place there."""
    for number, line in enumerate(source.splitlines(), 1):
        for inner in _LOCK_PLACEHOLDER.findall(line):
            if "{{" in inner or expressions.is_agent_placeholder(inner):
                continue
            if re.fullmatch(r"[a-z_]+([:.].*)?", inner):
                message = f"${{{inner}}} is no placeholder of the agent; write {{{{ … }}}}, or $${{ for a literal"
                report.add_in(template, number, message)


def _check_unused(report: Report) -> None:
    used = _used_knobs(report)
    if used is None or report.unread:
        return
    for name in report.spec.knobs:
        if name not in used:
            report.add((*KNOBS, name), "is used nowhere: no text, template or hook reads it")


def _used_knobs(report: Report) -> set[str] | None:
    """Return the knobs that anything reads; None when a template reads them all."""
    used: set[str] = set()
    for _, text in strings_of(report.document.data["spec"].get("components", {}), ()):
        used |= used_in_expression(text)
    binding = report.document.data["spec"].get("binding", {})
    for _, text in strings_of(binding, ()):
        used |= used_in_expression(text)
    for path, content in report.files.items():
        if path.endswith(".py"):
            used |= _texts_in_python(content)
        elif path.endswith((".j2", ".jinja")):
            read = _knobs_in_template(path, content)
            if read is None:
                return None
            used |= read
    return used


def _texts_in_python(content: bytes) -> set[str]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return set()
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in found if isinstance(value, str)}


def _knobs_in_template(path: str, content: bytes) -> set[str] | None:
    try:
        tree = parsed(content.decode(), path)
    except (jinja2.TemplateSyntaxError, UnicodeDecodeError):
        return set()
    named = [node for node in tree.find_all(nodes.Name) if node.name == "knobs"]
    attributes = {name for name, _ in _attributes(tree, "knobs")}
    accesses = sum(1 for _ in _attributes(tree, "knobs"))
    return None if len(named) > accesses else attributes
