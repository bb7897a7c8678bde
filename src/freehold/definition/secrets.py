"""Names of secrets, as texts say them: ``tls.key`` and ``tls.crt`` are files of the secret ``tls``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from freehold.definition.schema import Secret

_CERTIFICATE_FILE = re.compile(r"(.+)\.(key|crt|pem)")


def secret_behind(name: str, declared: Mapping[str, Secret]) -> str | None:
    """Return the declared secret that a placeholder's name stands for; None when there is none."""
    if name in declared:
        return name
    match = _CERTIFICATE_FILE.fullmatch(name)
    if match and match[1] in declared and declared[match[1]].kind in ("certificate", "ca"):
        return match[1]
    return None
