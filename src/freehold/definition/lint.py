"""Does a well-shaped definition make sense? Names that must exist, texts that must compile, sums that must agree."""

from __future__ import annotations

from collections.abc import Mapping

from freehold.definition.document import Document
from freehold.definition.schema import ServiceDefinition
from freehold.foundation.errors import Fault


def lint_definition(
    definition: ServiceDefinition, document: Document, files: Mapping[str, bytes]
) -> tuple[Fault, ...]:
    """Return every fault, in the order of the document."""
    return ()
