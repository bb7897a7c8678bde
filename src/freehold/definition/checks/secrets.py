"""Secrets: whoever names one must find it declared; whatever is declared must be of use."""

from __future__ import annotations

import re
from collections.abc import Iterator

from freehold.definition.checks.report import Report, known_names, strings_of
from freehold.definition.document import Path
from freehold.definition.secrets import secret_behind

SECRETS: Path = ("spec", "secrets")
_PLACEHOLDER = re.compile(r"(?<!\$)\$\{(?:secret|secret_file):([^}]+)\}")
_CALL = re.compile(r"\b(?:secret|secret_file)\(\s*['\"]([^'\"]+)['\"]\s*\)")


def check_secrets(report: Report) -> None:
    declared = report.spec.secrets
    for name, secret in declared.items():
        path = (*SECRETS, name)
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
            report.add(path, "must be lower-case letters, digits, '-' and '_'")
        if secret.per_member and secret.kind != "certificate":
            report.add((*path, "per_member"), f"a {secret.kind} is of the whole service")
        if secret.also and secret.kind != "certificate":
            report.add((*path, "also"), f"a {secret.kind} has no names")
    authorities = [name for name, secret in declared.items() if secret.kind == "ca"]
    certificates = [name for name, secret in declared.items() if secret.kind == "certificate"]
    if certificates and not authorities:
        report.add((*SECRETS, certificates[0]), "a certificate needs a secret of kind ca")
    if len(authorities) > 1:
        report.add((*SECRETS, authorities[1]), "one CA is enough for a service")
    used = _check_references(report)
    if certificates:
        used |= set(authorities)
    for name in declared:
        if name not in used and not report.unread:
            report.add((*SECRETS, name), "is used nowhere")


def _check_references(report: Report) -> set[str]:
    """Note every reference to a secret that is not declared; return those that are used."""
    used: set[str] = set()
    for name, path, file, line in _references(report):
        known = secret_behind(name, report.spec.secrets)
        if known is not None:
            used.add(known)
            continue
        message = f"there is no secret {name!r}{known_names(name, report.spec.secrets)}"
        if file:
            report.add_in(file, line, message, about=(*SECRETS, name))
        else:
            report.add(path, message, about=(*SECRETS, name))
    return used


def _references(report: Report) -> Iterator[tuple[str, Path, str, int]]:
    """Yield (name, path in service.yaml) or (name, (), other file, line)."""
    for path, component_name, component in report.components():
        for number, secret in enumerate(component.secrets):
            yield secret, (*path, "secrets", number), "", 0
        data = report.document.data["spec"]["components"][component_name]
        for place, text in strings_of(data, path):
            yield from ((secret, place, "", 0) for secret in _PLACEHOLDER.findall(text))
        for file in component.files.values():
            for number, line in enumerate(_lines(report, file.template), 1):
                for secret in _PLACEHOLDER.findall(line) + _CALL.findall(line):
                    yield secret, (), file.template, number
    for action_name, action in report.spec.actions.items():
        for number, secret in enumerate(action.secrets):
            yield secret, ("spec", "actions", action_name, "secrets", number), "", 0


def _lines(report: Report, file: str) -> list[str]:
    return report.files.get(file, b"").decode(errors="replace").splitlines()
