"""Services: install them, look at them, change them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from freehold.foundation.errors import DefinitionError
from freehold.operations import check, install, look, removal, running, scale
from freehold.operations.desk import Asker, Desk
from freehold.operations.messages import (
    Accepted,
    CheckView,
    Empty,
    Install,
    PlanView,
    Protect,
    Purge,
    Scale,
    ServiceView,
    Verb,
)
from freehold.serve.door import Answer, Call, Door, Lines, Query

Change = Callable[[Desk, Asker, str, Any], Awaitable[Accepted | PlanView]]


async def _list(call: Call) -> list[ServiceView]:
    return await look.list_services(call.desk, everything=call.query.get("all", False))


async def _look(call: Call) -> ServiceView:
    return await look.describe(call.desk, call.service)


async def _watch(call: Call) -> Lines:
    return look.watch_service(call.desk, call.service)


async def _install(call: Call) -> Answer:
    return _accepted(await install.install(call.desk, call.asker, call.body))


async def _check(call: Call) -> CheckView:
    return await check.check(call.desk, call.asker, call.service)


async def _rebuild(call: Call) -> Answer:
    if not call.body.member:
        raise DefinitionError(f"cannot rebuild {call.service}: say which member")
    return _accepted(await running.rebuild(call.desk, call.asker, call.service, call.body))


def _accepted(result: Accepted | PlanView) -> Answer:
    return Answer(result, 200 if isinstance(result, PlanView) else 202)


def _changing(verb: str, change: Change, takes: type, summary: str) -> Door:
    async def handler(call: Call) -> Answer:
        return _accepted(await change(call.desk, call.asker, call.service, call.body))

    return Door(
        method="POST",
        path=f"/v1/services/{{service}}/{verb}",
        handler=_rebuild if verb == "rebuild" else handler,
        summary=summary,
        takes=takes,
        gives=Accepted,
        status=202,
        also={200: PlanView},
    )


DOORS = (
    Door(
        method="GET",
        path="/v1/services",
        handler=_list,
        summary="List services",
        gives=list[ServiceView],
        query={"all": Query(kind=bool, help="uninstalled ones too")},
    ),
    Door(
        method="POST",
        path="/v1/services",
        handler=_install,
        summary="Install a package as a service",
        takes=Install,
        gives=Accepted,
        status=202,
        also={200: PlanView},
    ),
    Door(
        method="GET",
        path="/v1/services/{service}",
        handler=_look,
        summary="Describe a service",
        gives=ServiceView,
    ),
    Door(
        method="GET",
        path="/v1/services/{service}/watch",
        handler=_watch,
        summary="Describe a service again whenever it changes",
        gives=ServiceView,
        streams=True,
    ),
    _changing("scale", scale.scale, Scale, "Change the number of members"),
    _changing("start", running.start, Verb, "Start a stopped service"),
    _changing("stop", running.stop, Verb, "Stop a service"),
    _changing("restart", running.restart, Verb, "Restart members one after another"),
    _changing("uninstall", removal.uninstall, Verb, "End a service; volumes and secrets are kept"),
    _changing("purge", removal.purge, Purge, "Destroy a service and everything of it"),
    _changing("rebuild", running.rebuild, Verb, "Give a member new volumes, filled by its peers"),
    _changing("protect", removal.protect, Protect, "Refuse or allow a purge"),
    Door(
        method="POST",
        path="/v1/services/{service}/check",
        handler=_check,
        summary="Write one thing and read it back",
        takes=Empty,
        gives=CheckView,
    ),
)
