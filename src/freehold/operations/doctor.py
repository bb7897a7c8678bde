"""doctor: what is wrong on this machine and with its services, each with the line that fixes it."""

from __future__ import annotations

from freehold.engine.wish import Want
from freehold.observe.conditions import ServiceState, state_of_service
from freehold.operations.desk import Desk
from freehold.operations.lookup import package_of, sight_of
from freehold.operations.messages import Finding

_WELL = {ServiceState.READY, ServiceState.STOPPED, ServiceState.UNINSTALLED}
_BAD = {ServiceState.UNAVAILABLE}


async def doctor(desk: Desk) -> list[Finding]:
    """Return problems first, then warnings, then what is well."""
    findings = [*await desk.examiner.examine(), *_services(desk)]
    rank = {"problem": 0, "warning": 1, "ok": 2}
    return sorted(findings, key=lambda finding: rank[finding.status])


def _services(desk: Desk) -> list[Finding]:
    found = []
    for wish in desk.journal.wishes():
        state, reason = state_of_service(sight_of(desk, wish))
        status = "ok" if state in _WELL else "problem" if state in _BAD else "warning"
        found.append(
            Finding(
                check=f"service {wish.service}",
                status=status,
                message=f"{state}: {reason}" if reason else state.value,
                fix="" if status == "ok" else f"freehold status {wish.service}",
            )
        )
        if package_of(desk, wish) is None and wish.want is not Want.PURGED:
            found.append(
                Finding(
                    check=f"definition of {wish.service}",
                    status="problem",
                    message="its pinned archive is lost or damaged",
                    fix="freehold adopt",
                )
            )
    return found
