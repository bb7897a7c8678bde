"""check: the package writes one thing and reads it back, as a client would."""

from __future__ import annotations

from freehold.foundation.errors import RefusedError
from freehold.foundation.member import ActionPhase
from freehold.foundation.quantities import parse_duration
from freehold.operations.acting import act, ready_member
from freehold.operations.desk import Asker, Desk
from freehold.operations.lookup import wish_of
from freehold.operations.messages import CheckView

CHECK_WITHIN_S = 50.0


async def check(desk: Desk, _asker: Asker, service: str) -> CheckView:
    wish = wish_of(desk, service)
    package = desk.packages.by_digest(wish.definition)
    declared = package.spec.check
    if declared is None:
        raise RefusedError(
            f"cannot check {service}: {package.name} declares no check",
            next_command=f"freehold status {service}",
        )
    member = ready_member(desk, wish, package, declared.action)
    token = desk.ids.new()
    arguments = {"token": token, "expires_s": parse_duration(declared.expires)}
    started = desk.clock.now()
    state = await act(
        desk,
        service,
        member.name,
        action=declared.action,
        key=f"check:{token}",
        arguments=arguments,
        within_s=CHECK_WITHIN_S,
    )
    return CheckView(
        service=service,
        passed=state.phase is ActionPhase.DONE,
        seconds=desk.clock.now() - started,
        detail=_detail(state.value) or state.note or declared.title,
        member=member.name,
    )


def _detail(value: object) -> str:
    if isinstance(value, dict):
        return str(value.get("detail", ""))
    return value if isinstance(value, str) else ""
