"""Bindings: logins and folders of applications."""

from __future__ import annotations

from freehold.foundation.errors import DefinitionError
from freehold.operations import bindings, connect
from freehold.operations.messages import Bind, BindingView, ConnectView
from freehold.serve.door import Call, Door, Query


async def _list(call: Call) -> list[BindingView]:
    return bindings.list_bindings(call.desk, call.service)


async def _bind(call: Call) -> BindingView:
    application = call.path["application"]
    if call.body.application not in {"", application}:
        raise DefinitionError(
            f"cannot bind {application}: the request speaks of {call.body.application[:60]!r}"
        )
    return await bindings.bind(call.desk, call.asker, call.service, application)


async def _unbind(call: Call) -> BindingView:
    return await bindings.unbind(call.desk, call.asker, call.service, call.path["application"])


async def _connect(call: Call) -> ConnectView:
    return await connect.connect(call.desk, call.service, call.query.get("application", ""))


_BINDINGS = "/v1/services/{service}/bindings"

DOORS = (
    Door(
        method="GET",
        path=_BINDINGS,
        handler=_list,
        summary="List bound applications",
        gives=list[BindingView],
    ),
    Door(
        method="PUT",
        path=f"{_BINDINGS}/{{application}}",
        handler=_bind,
        summary="Bind an application",
        takes=Bind,
        gives=BindingView,
    ),
    Door(
        method="DELETE",
        path=f"{_BINDINGS}/{{application}}",
        handler=_unbind,
        summary="Unbind an application",
        gives=BindingView,
    ),
    Door(
        method="GET",
        path="/v1/services/{service}/connect",
        handler=_connect,
        summary="Say how to connect as a bound application",
        gives=ConnectView,
        query={"application": Query(help="default: the first bound one")},
    ),
)
