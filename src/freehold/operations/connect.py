"""connect: an interactive client where this machine has one, else a snippet per language.

Passwords are in neither: both read them from the binding's folder.
"""

from __future__ import annotations

import shutil

from freehold.adapters.bindings import BindingPhase
from freehold.definition.package import Package
from freehold.definition.templates import render_template
from freehold.foundation.errors import NotFoundError, RefusedError
from freehold.operations.binding_texts import Told
from freehold.operations.bindings import refuse_when_gone, told_to
from freehold.operations.desk import Desk
from freehold.operations.lookup import check_name, wish_of
from freehold.operations.messages import ConnectView


async def connect(desk: Desk, service: str, application: str = "") -> ConnectView:
    wish = wish_of(desk, service)
    refuse_when_gone(wish)
    package = desk.packages.by_digest(wish.definition)
    if package.spec.binding is None:
        raise RefusedError(
            f"cannot connect to {service}: {package.name} declares no binding",
            next_command=f"freehold describe {service}",
        )
    bound = [
        record.application
        for record in desk.bindings.records(service)
        if record.lineage == wish.lineage and record.phase is BindingPhase.BOUND
    ]
    chosen = check_name(application, "application") if application else next(iter(bound), "")
    if chosen not in bound:
        named = f"{chosen!r} is not bound to it" if chosen else "no application is bound to it"
        raise NotFoundError(
            f"cannot connect to {service}: {named}",
            next_command=f"freehold bind {service} {chosen or 'my-app'}",
        )
    told = await told_to(desk, wish, package, chosen)
    return ConnectView(
        service=service,
        application=chosen,
        folder=told.names["folder"],
        client=_client(package, told),
        snippets=_snippets(package, told),
    )


def _client(package: Package, told: Told) -> list[str]:
    """Return the argv of the client, empty when the machine has none."""
    binding = package.spec.binding
    if binding is None or not binding.client:
        return []
    argv = [told.fill(argument) for argument in binding.client]
    program = shutil.which(argv[0])
    return [program, *argv[1:]] if program else []


def _snippets(package: Package, told: Told) -> dict[str, str]:
    binding = package.spec.binding
    if binding is None or not binding.snippets:
        return {}
    names = told.nested()
    return {
        language: render_template(package, path, names)
        for language, path in binding.snippets.items()
    }
