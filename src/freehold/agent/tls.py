"""One https request, in a thread: for the few members whose probes need it.

The agent keeps ssl out of asyncio (main.py says why), so this goes through ``http.client``.
"""

from __future__ import annotations

import sys

if sys.modules.get("ssl", sys) is None:
    del sys.modules["ssl"]

import http.client
import ssl

_LARGEST = 16 * 2**20


def ask_https(
    host: str,
    port: int,
    ca: str,
    timeout_s: float,
    request: tuple[str, str, bytes, dict[str, str]],
) -> tuple[int, bytes]:
    """Return status and body. Raises OSError (ssl errors are), ValueError."""
    method, target, body, headers = request
    context = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    try:
        connection.request(method, target, body=body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LARGEST)
    except http.client.HTTPException as error:
        raise ValueError(f"no answer that can be read: {error!r}") from error
    finally:
        connection.close()
