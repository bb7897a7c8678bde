"""uninstall (volumes and secrets are kept), purge (nothing is), protect."""

from __future__ import annotations

from dataclasses import replace

from freehold.engine.wish import Want
from freehold.foundation.errors import RefusedError
from freehold.operations.change import Edit, carry_out, next_generation
from freehold.operations.desk import Asker, Desk
from freehold.operations.forecast import foresee
from freehold.operations.lookup import wish_of
from freehold.operations.messages import Accepted, PlanView, Protect, Purge, Verb


async def uninstall(desk: Desk, asker: Asker, service: str, verb: Verb) -> Accepted | PlanView:
    wish = wish_of(desk, service)
    if wish.want in {Want.UNINSTALLED, Want.PURGED}:
        raise RefusedError(
            f"cannot uninstall {service}: it is {wish.want} already",
            next_command=f"freehold purge {service}",
        )
    after = next_generation(replace(wish, want=Want.UNINSTALLED))
    package = desk.packages.by_digest(wish.definition)
    edit = Edit(verb="uninstall", before=wish, after=after, package=package)
    return carry_out(desk, asker, edit, await foresee(desk, edit), verb)


async def purge(desk: Desk, asker: Asker, service: str, purging: Purge) -> Accepted | PlanView:
    """Destroy everything of the service. The typed name says that somebody read which one."""
    wish = wish_of(desk, service)
    if wish.want is Want.PURGED:
        raise RefusedError(
            f"cannot purge {service}: it is being purged already",
            next_command=f"freehold operations list {service}",
        )
    if wish.protected and not purging.unprotect:
        raise RefusedError(
            f"cannot purge {service}: it is protected",
            next_command=f"freehold purge {service} --unprotect",
        )
    if not purging.dry_run and purging.confirm != service:
        raise RefusedError(
            f"cannot purge {service}: its name has to be typed to confirm, "
            "because all its data will be destroyed",
            next_command=f"freehold purge {service} --confirm {service}",
        )
    after = next_generation(replace(wish, want=Want.PURGED, protected=False))
    package = desk.packages.by_digest(wish.definition)
    edit = Edit(verb="purge", before=wish, after=after, package=package)
    return carry_out(desk, asker, edit, await foresee(desk, edit), purging)


async def protect(desk: Desk, asker: Asker, service: str, asked: Protect) -> Accepted | PlanView:
    wish = wish_of(desk, service)
    if wish.protected == asked.on:
        raise RefusedError(
            f"cannot {'protect' if asked.on else 'unprotect'} {service}: it is so already",
            next_command=f"freehold describe {service}",
        )
    after = next_generation(replace(wish, protected=asked.on))
    package = desk.packages.by_digest(wish.definition)
    edit = Edit(verb="protect", before=wish, after=after, package=package)
    return carry_out(desk, asker, edit, await foresee(desk, edit), asked)
