"""The daemon itself and its machine. These doors open even while the state cannot be read."""

from __future__ import annotations

from typing import Any

from freehold.operations.messages import Adopt, Adopted, Empty, Finding, Version
from freehold.serve.door import Call, Door


async def _version(call: Call) -> Version:
    return call.daemon.version()


async def _openapi(_call: Call) -> dict[str, Any]:
    from freehold.serve.doors import DOORS  # noqa: PLC0415  that tuple holds this door
    from freehold.serve.openapi import document  # noqa: PLC0415  asked for once, if ever

    described: dict[str, Any] = document(DOORS)
    return described


async def _doctor(call: Call) -> list[Finding]:
    return await call.daemon.doctor()


async def _adopt(call: Call) -> Adopted:
    return await call.daemon.adopt(call.asker, call.body)


async def _stop(call: Call) -> dict[str, bool]:
    call.daemon.stop()
    return {"stopping": True}


DOORS = (
    Door(
        method="GET",
        path="/v1/version",
        handler=_version,
        summary="Say which Freehold this is",
        gives=Version,
    ),
    Door(
        method="GET",
        path="/v1/openapi.json",
        handler=_openapi,
        summary="Describe this API",
        gives=dict[str, Any],
    ),
    Door(
        method="GET",
        path="/v1/doctor",
        handler=_doctor,
        summary="Find what is wrong on this machine",
        gives=list[Finding],
    ),
    Door(
        method="POST",
        path="/v1/adopt",
        handler=_adopt,
        summary="Rebuild a lost state database from the members' folders",
        takes=Adopt,
        gives=Adopted,
    ),
    Door(
        method="POST",
        path="/v1/daemon/stop",
        handler=_stop,
        summary="Stop the daemon; services go on",
        takes=Empty,
        gives=dict[str, bool],
    ),
)
