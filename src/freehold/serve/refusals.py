"""Turn every failure into the one error shape. Here, and nowhere else.

No traceback reaches a user: a defect of ours is written to the daemon's log and answered as a
PermanentFault that says so.
"""

from __future__ import annotations

import errno
from dataclasses import asdict

import msgspec

from freehold.foundation.errors import (
    DefinitionError,
    FreeholdError,
    PermanentFault,
    TransientFault,
)
from freehold.operations.messages import Refusal


def as_freehold_error(failure: BaseException) -> FreeholdError:
    """Return the failure as one of ours; what is not known becomes a PermanentFault."""
    match failure:
        case FreeholdError():
            return failure
        case msgspec.ValidationError():
            return DefinitionError(f"cannot read the request: {failure}")
        case msgspec.DecodeError():
            return DefinitionError(f"cannot read the request: not JSON: {failure}")
        case OSError(errno=code) if code in {errno.ENOSPC, errno.EDQUOT}:
            return TransientFault(
                f"cannot write {failure.filename or 'the state'}: no space left on the device",
                next_command="df -h",
            )
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return TransientFault(
                "cannot open another file: the limit of open files is reached",
                next_command="ulimit -n",
            )
        case _:
            return PermanentFault(
                "cannot answer: a defect in Freehold, its log has the details",
                next_command="freehold doctor",
            )


def refusal(error: FreeholdError) -> Refusal:
    return Refusal(
        error=type(error).__name__,
        message=error.message,
        next_command=error.next_command,
        faults=[asdict(fault) for fault in error.faults]
        if isinstance(error, DefinitionError)
        else [],
        retry_after_s=error.retry_after_s if isinstance(error, TransientFault) else None,
    )
