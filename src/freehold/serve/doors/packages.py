"""The catalog, explanations, and software."""

from __future__ import annotations

from freehold.operations import catalog, explain, software
from freehold.operations.messages import (
    CatalogEntry,
    Collect,
    Collected,
    ExplainView,
    Fetch,
    FetchProgress,
    PackageView,
    SoftwareView,
)
from freehold.serve.door import Call, Door, Lines


async def _catalog(call: Call) -> list[CatalogEntry]:
    return catalog.list_catalog(call.desk)


async def _package(call: Call) -> PackageView:
    return catalog.show_package(call.desk, call.path["package"])


async def _explain(call: Call) -> ExplainView:
    return explain.explain(call.desk, call.path["package"], call.path.get("path", ""))


async def _software(call: Call) -> list[SoftwareView]:
    return await software.list_software(call.desk)


async def _fetch(call: Call) -> Lines:
    return software.fetch_software(call.desk, call.body)


async def _collect(call: Call) -> Collected:
    return await software.collect_software(call.desk, call.body)


DOORS = (
    Door(
        method="GET",
        path="/v1/catalog",
        handler=_catalog,
        summary="List packages that can be installed",
        gives=list[CatalogEntry],
    ),
    Door(
        method="GET",
        path="/v1/catalog/{package}",
        handler=_package,
        summary="Show a package in full",
        gives=PackageView,
    ),
    Door(
        method="GET",
        path="/v1/explain/{package}",
        handler=_explain,
        summary="Explain a package's knobs",
        gives=ExplainView,
    ),
    Door(
        method="GET",
        path="/v1/explain/{package}/{path:path}",
        handler=_explain,
        summary="Explain one knob, or one field of the definition",
        gives=ExplainView,
    ),
    Door(
        method="GET",
        path="/v1/software",
        handler=_software,
        summary="List software that is laid out here",
        gives=list[SoftwareView],
    ),
    Door(
        method="POST",
        path="/v1/software/fetch",
        handler=_fetch,
        summary="Fetch, verify and lay out a version's software",
        takes=Fetch,
        gives=FetchProgress,
        streams=True,
    ),
    Door(
        method="POST",
        path="/v1/software/gc",
        handler=_collect,
        summary="Remove software that no service needs",
        takes=Collect,
        gives=Collected,
    ),
)
