"""Keep out of the agent's start what it never uses: a tenth of its time and 2 MB.

Called before asyncio and msgspec are imported, in the agent's own process only.
"""

from __future__ import annotations

import gc
import os
import sys
from types import ModuleType
from typing import Any, cast


def spare_imports() -> None:
    """Let asyncio do without ssl, and uuid (which msgspec imports) without platform.

    asyncio supports a Python without ssl; the few members with https probes import it when they
    need it (tls.py). uuid asks platform one question, the system's name.
    """
    gc.disable()  # imports make no garbage; looking for it costs 4 ms. settle() enables it
    modules = cast("dict[str, Any]", sys.modules)
    modules.setdefault("ssl", None)
    if "platform" in modules or "uuid" in modules:
        return
    stand_in = ModuleType("platform")
    cast("Any", stand_in).system = lambda: os.uname().sysname
    modules["platform"] = stand_in
    try:
        import uuid  # noqa: F401, PLC0415
    finally:
        del modules["platform"]


def settle() -> None:
    """What the start made stays for ever: collect from now on, but never look at that again."""
    gc.freeze()
    gc.enable()
