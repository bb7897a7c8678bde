"""Operations: what was asked, and how far it is."""

from __future__ import annotations

from freehold.operations import history
from freehold.operations.lookup import check_name
from freehold.operations.messages import Empty, OperationView
from freehold.serve.door import Call, Door, Lines, Query


async def _list(call: Call) -> list[OperationView]:
    service = call.query.get("service") or None
    if service is not None:
        check_name(service)
    return history.list_operations(
        call.desk, service=service, open_only=call.query.get("open", False)
    )


async def _show(call: Call) -> OperationView:
    return history.show_operation(call.desk, call.path["operation"])


async def _cancel(call: Call) -> OperationView:
    return history.cancel_operation(call.desk, call.asker, call.path["operation"])


async def _watch(call: Call) -> Lines:
    return history.watch_operation(call.desk, call.path["operation"])


DOORS = (
    Door(
        method="GET",
        path="/v1/operations",
        handler=_list,
        summary="List operations, newest first",
        gives=list[OperationView],
        query={
            "service": Query(help="of this service only"),
            "open": Query(kind=bool, help="only those that have not ended"),
        },
    ),
    Door(
        method="GET",
        path="/v1/operations/{operation}",
        handler=_show,
        summary="Show an operation",
        gives=OperationView,
    ),
    Door(
        method="POST",
        path="/v1/operations/{operation}/cancel",
        handler=_cancel,
        summary="Send an operation's edit back; answers the way back",
        takes=Empty,
        gives=OperationView,
    ),
    Door(
        method="GET",
        path="/v1/operations/{operation}/watch",
        handler=_watch,
        summary="Show an operation on every change until it has ended",
        gives=OperationView,
        streams=True,
    ),
)
