"""Does a well-shaped definition make sense? Names that must exist, texts that must compile, sums that must agree."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.definition.archive import LARGEST_PINNED_BYTES, archive, digest_of
from freehold.definition.checks.components import check_components
from freehold.definition.checks.hooks import check_hooks
from freehold.definition.checks.knobs import check_knobs, check_presets, check_rules
from freehold.definition.checks.locks import check_versions
from freehold.definition.checks.metrics import check_metrics
from freehold.definition.checks.report import Report
from freehold.definition.checks.secrets import check_secrets
from freehold.definition.checks.service import check_service
from freehold.definition.checks.texts import check_texts
from freehold.definition.document import Document, Path
from freehold.definition.schema import ServiceDefinition
from freehold.foundation.errors import DefinitionError, Fault

_CHECKS = (
    check_versions,
    check_knobs,
    check_presets,
    check_rules,
    check_components,
    check_texts,
    check_secrets,
    check_hooks,
    check_service,
    check_metrics,
)


def lint_definition(
    definition: ServiceDefinition,
    document: Document,
    files: Mapping[str, bytes],
    unread: tuple[Path, ...] = (),
) -> tuple[Fault, ...]:
    """Return every fault, as found.

    Args:
        definition: what of the document could be read.
        document: the whole document.
        files: of the package.
        unread: paths of parts that could not be read (see Report).
    """
    report = Report(definition.spec, document, files, unread)
    _check_size(report)
    for check in _CHECKS:
        check(report)
    return tuple(report.faults)


def _check_size(report: Report) -> None:
    try:
        content = archive(report.files)
    except DefinitionError as error:
        for fault in error.faults:
            report.note(fault)
        return
    report.digest = digest_of(content)
    if len(content) > LARGEST_PINNED_BYTES:
        told = f"the package is {len(content)} bytes large, {LARGEST_PINNED_BYTES} can be pinned"
        report.add((), told)
