"""Render a package's Jinja templates.

Agent placeholders are made by ``secret("superuser")``, ``secret_file("tls.key")`` and
``address("orders-node-0")`` or written out (``${bind}``); values are never seen here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from freehold.definition.package import Package
from freehold.foundation.errors import DefinitionError, Fault


def render_template(package: Package, path: str, context: Mapping[str, Any]) -> str:
    """Return the rendered text. Raises DefinitionError naming template and line."""
    from freehold.definition import sandbox  # noqa: PLC0415  Jinja: 100 ms at the first rendering

    environment = sandbox.environment_of(package.files, package.digest)
    rendered = sandbox.render_or_fault(environment, path, context)
    if isinstance(rendered, Fault):
        raise DefinitionError(f"cannot render {path} of {package.name}", faults=(rendered,))
    return rendered
