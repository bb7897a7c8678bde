"""Ask a member's JVM through its Jolokia agent: plain JSON over HTTP, basic authentication.

There is no JMX port and no nodetool. Jolokia runs an operation in the thread of the request, and
goes on when the asker leaves, so a long one (drain, decommission) is started and looked at later.
"""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass
from typing import Any

PORT = 8778
STORAGE = "org.apache.cassandra.db:type=StorageService"


class JolokiaError(Exception):
    """The JVM answered, and refused or failed."""


class Unanswered(OSError):
    """No JVM answers there (yet, any more, or in time)."""


@dataclass(frozen=True)
class Jolokia:
    address: str
    password: str
    timeout_s: float = 3.0

    def read(self, *attributes: str, mbean: str = STORAGE) -> Any:
        """Return one attribute's value, or a dictionary of several."""
        wanted: Any = attributes[0] if len(attributes) == 1 else list(attributes)
        return self._ask({"type": "read", "mbean": mbean, "attribute": wanted}, self.timeout_s)

    def run(self, operation: str, *arguments: Any, mbean: str = STORAGE) -> Any:
        return self._ask(self._order(operation, arguments, mbean), self.timeout_s)

    def begin(self, operation: str, *arguments: Any, mbean: str = STORAGE) -> bool:
        """Start an operation; True when it ended within a moment, False when it is still running."""
        try:
            self._ask(self._order(operation, arguments, mbean), 1.0)
        except TimeoutError:
            return False
        return True

    @staticmethod
    def _order(operation: str, arguments: tuple[Any, ...], mbean: str) -> dict[str, Any]:
        return {
            "type": "exec",
            "mbean": mbean,
            "operation": operation,
            "arguments": list(arguments),
        }

    def _ask(self, question: dict[str, Any], timeout_s: float) -> Any:
        token = base64.b64encode(f"freehold:{self.password}".encode()).decode()
        headers = {"Content-Type": "application/json", "Authorization": f"Basic {token}"}
        connection = http.client.HTTPConnection(self.address, PORT, timeout=timeout_s)
        try:
            connection.request("POST", "/jolokia/", json.dumps(question), headers)
            response = connection.getresponse()
            text = response.read()
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(f"{self.address}:{PORT}: {error}") from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise Unanswered(f"{self.address}:{PORT}: HTTP {response.status}")
        answer = json.loads(text)
        if answer.get("status") != http.HTTPStatus.OK:
            raise JolokiaError(str(answer.get("error", answer)))
        return answer.get("value")
