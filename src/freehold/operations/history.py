"""operations list, show, cancel, watch: what was asked, and how far it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from freehold.operations.desk import Asker, Desk
from freehold.operations.lookup import has_ended, operation_of, sight_of
from freehold.operations.messages import MemberView, OperationView
from freehold.operations.views import member_view, operation_view


def list_operations(
    desk: Desk, *, service: str | None = None, open_only: bool = False
) -> list[OperationView]:
    found = desk.journal.operations(service=service, open_only=open_only)
    return [operation_view(each) for each in found]


def show_operation(desk: Desk, operation_id: str) -> OperationView:
    operation = operation_of(desk, operation_id)
    return operation_view(operation, _members(desk, operation.service))


def cancel_operation(desk: Desk, asker: Asker, operation_id: str) -> OperationView:
    """Send its fields back; the answer is the operation that tracks the way back."""
    return operation_view(desk.engine.cancel(operation_id, actor=asker.actor))


async def watch_operation(desk: Desk, operation_id: str) -> AsyncIterator[OperationView]:
    """Yield the operation now and on every change until it has ended; that one is the last."""
    service = operation_of(desk, operation_id).service
    shown: OperationView | None = None
    async for _ in desk.engine.subscribe(service):
        operation = operation_of(desk, operation_id)
        view = operation_view(operation, _members(desk, service))
        if view != shown:
            yield view
            shown = view
        if has_ended(operation):
            return


def _members(desk: Desk, service: str) -> Sequence[MemberView]:
    wish = desk.journal.wish(service)
    if wish is None:
        return ()
    sight = sight_of(desk, wish)
    return [member_view(line, sight.observed_at, sight.observed_at) for line in sight.lines]
