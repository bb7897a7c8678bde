"""The error tree: every failure a user can meet, drawn once.

    FreeholdError
    ├── DefinitionError   the text is wrong                      exit 2,  HTTP 422
    ├── RefusedError      would endanger data, or is not allowed exit 3,  HTTP 409
    ├── NotFoundError     no such service, package, operation    exit 4,  HTTP 404
    ├── TransientFault    the world may recover                  exit 75, HTTP 503
    └── PermanentFault    will fail the same way again           exit 70, HTTP 500

Errors end in Error (the asker's side) or Fault (the world's side). A message starts with
"cannot", names the thing and the cause; ``next_command`` is what to type now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class FreeholdError(Exception):
    """Root of the tree; never raised itself."""

    exit_code: ClassVar[int] = 70
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, next_command: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_command = next_command

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a text, with the place of it."""

    file: str
    path: str  # dotted path inside the document: spec.knobs.members.default
    line: int  # 1-based; 0 when the text has no such place
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.path or '(document)'}: {self.message}"


class DefinitionError(FreeholdError):
    """A text (definition, values file, knob) is wrong; carries every fault found in it."""

    exit_code = 2
    http_status = 422

    def __init__(
        self, message: str, *, faults: tuple[Fault, ...] = (), next_command: str = ""
    ) -> None:
        super().__init__(message, next_command=next_command)
        self.faults = faults

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {fault}" for fault in self.faults)])


class RefusedError(FreeholdError):
    """Well formed, but would endanger data or quorum, or is not allowed."""

    exit_code = 3
    http_status = 409


class NotFoundError(FreeholdError):
    """No such service, package, operation, member."""

    exit_code = 4
    http_status = 404


class TransientFault(FreeholdError):
    """The world may recover: try again after ``retry_after_s``."""

    exit_code = 75
    http_status = 503

    def __init__(self, message: str, *, retry_after_s: float = 5.0, next_command: str = "") -> None:
        super().__init__(message, next_command=next_command)
        self.retry_after_s = retry_after_s


class PermanentFault(FreeholdError):
    """Will fail the same way again until somebody changes something."""

    exit_code = 70
    http_status = 500
