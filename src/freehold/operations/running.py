"""start, stop, restart, rebuild: run the service, or not, or anew."""

from __future__ import annotations

from dataclasses import replace

from freehold.engine.wish import Want, Wish
from freehold.foundation.errors import NotFoundError, RefusedError
from freehold.operations.change import Edit, carry_out, next_generation
from freehold.operations.desk import Asker, Desk
from freehold.operations.forecast import foresee
from freehold.operations.lookup import sight_of, wish_of
from freehold.operations.messages import Accepted, PlanView, Verb


async def start(desk: Desk, asker: Asker, service: str, verb: Verb) -> Accepted | PlanView:
    wish = _installed(desk, service, "start")
    if wish.want is Want.RUNNING:
        raise RefusedError(
            f"cannot start {service}: it is meant to run already",
            next_command=f"freehold status {service}",
        )
    return await _edit(
        desk, asker, wish, replace(wish, want=Want.RUNNING), change=verb, verb="start"
    )


async def stop(desk: Desk, asker: Asker, service: str, verb: Verb) -> Accepted | PlanView:
    """Never waits for health: stopping is what one does with a service that is not well."""
    wish = _installed(desk, service, "stop")
    if wish.want is Want.STOPPED:
        raise RefusedError(
            f"cannot stop {service}: it is meant to be stopped already",
            next_command=f"freehold status {service}",
        )
    return await _edit(
        desk, asker, wish, replace(wish, want=Want.STOPPED), change=verb, verb="stop"
    )


async def restart(desk: Desk, asker: Asker, service: str, verb: Verb) -> Accepted | PlanView:
    wish = _installed(desk, service, "restart")
    if wish.want is not Want.RUNNING:
        raise RefusedError(
            f"cannot restart {service}: it is {wish.want}",
            next_command=f"freehold start {service}",
        )
    stamped = replace(wish, restart=desk.ids.new())
    return await _edit(desk, asker, wish, stamped, change=verb, verb="restart")


async def rebuild(desk: Desk, asker: Asker, service: str, verb: Verb) -> Accepted | PlanView:
    """Give a member new volumes, filled from its peers; refused when it has none."""
    wish = _installed(desk, service, "rebuild")
    sight = sight_of(desk, wish)
    desired, observed = sight.desired, sight.observed
    if desired is None or observed is None or sight.blind:
        raise RefusedError(
            f"cannot rebuild {verb.member}: {service} {sight.blind}",
            next_command=f"freehold status {service}",
        )
    member = next((each for each in desired.members if each.name == verb.member), None)
    if member is None:
        known = ", ".join(each.name for each in desired.members)
        raise NotFoundError(
            f"cannot rebuild {verb.member!r}: the members of {service} are {known}",
            next_command=f"freehold status {service}",
        )
    others = [
        each
        for name, each in observed.members.items()
        if name != member.name and each.component == member.component and each.group == member.group
    ]
    if not any(each.is_ready for each in others):
        raise RefusedError(
            f"cannot rebuild {member.name}: no other member is ready to fill it, "
            "its volumes may be the only copy",
            next_command=f"freehold status {service}",
        )
    wanted = {**wish.rebuild, member.name: member.incarnation + 1}
    return await _edit(
        desk, asker, wish, replace(wish, rebuild=wanted), change=verb, verb="rebuild"
    )


def _installed(desk: Desk, service: str, verb: str) -> Wish:
    wish = wish_of(desk, service)
    if wish.want in {Want.UNINSTALLED, Want.PURGED}:
        raise RefusedError(
            f"cannot {verb} {service}: it is {wish.want}",
            next_command=f"freehold install {wish.package} --name {service}",
        )
    return wish


async def _edit(
    desk: Desk, asker: Asker, before: Wish, after: Wish, *, verb: str, change: Verb
) -> Accepted | PlanView:
    package = desk.packages.by_digest(before.definition)
    edit = Edit(verb=verb, before=before, after=next_generation(after), package=package)
    plan = await foresee(desk, edit)
    return carry_out(desk, asker, edit, plan, change)
