"""bind, unbind, bindings: a login of its own and a folder of credentials for one application.

The order makes every cut harmless: intent, password, login, folder, done. Typing the same
command again takes up what was cut short; the key of the action carries the generation, so the
engine's login is made once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from freehold.adapters.bindings import BindingPhase, BindingRecord
from freehold.definition.package import Package
from freehold.definition.schema import Binding
from freehold.engine.wish import Want, Wish
from freehold.execution.records import Event
from freehold.foundation.errors import NotFoundError, PermanentFault, RefusedError
from freehold.foundation.member import ActionPhase
from freehold.operations.acting import act, ready_member
from freehold.operations.binding_texts import (
    Told,
    entries,
    has_authority,
    login_of,
    secret_of,
    tell,
)
from freehold.operations.desk import Asker, Desk
from freehold.operations.lookup import check_name, sight_of, wish_of
from freehold.operations.messages import BindingView

LOGIN_WITHIN_S = 50.0  # below the time a client waits for an answer


def list_bindings(desk: Desk, service: str) -> list[BindingView]:
    wish = wish_of(desk, service)
    return [
        _view(desk, service, record)
        for record in desk.bindings.records(service)
        if record.lineage == wish.lineage and record.phase is not BindingPhase.UNBOUND
    ]


async def bind(desk: Desk, asker: Asker, service: str, application: str) -> BindingView:
    """Make login and folder; bound already: the folder is written again, with the same password."""
    check_name(application, "application")
    async with desk.turns.of(f"binding {service} {application}"):
        wish = wish_of(desk, service)
        package = desk.packages.by_digest(wish.definition)
        binding = _binding_of(package, service)
        record = _next_record(desk, wish, application)
        member = ready_member(desk, wish, package, binding.user_action)
        desk.bindings.put_record(service, record)
        secret = secret_of(application)
        desk.secrets.issue_password(service, wish.lineage, secret)
        key = f"bind:{application}:{record.generation}"
        await _user_action(
            desk,
            wish,
            binding,
            member=member.name,
            application=application,
            key=key,
            wanted="present",
        )
        told = await told_to(desk, wish, package, application)
        password = desk.secrets.value(wish.lineage, secret)
        files = entries(told, package, password, _ca(desk, wish, package))
        desk.bindings.write(service, application, files)
        bound = replace(record, phase=BindingPhase.BOUND, entries=tuple(sorted(files)))
        desk.bindings.put_record(service, bound)
        _audit(desk, asker, service, f"bound {application}")
        return _view(desk, service, bound)


async def unbind(desk: Desk, asker: Asker, service: str, application: str) -> BindingView:
    """Drop the login, then the folder: nobody is left with credentials that still work."""
    check_name(application, "application")
    async with desk.turns.of(f"binding {service} {application}"):
        wish = wish_of(desk, service)
        package = desk.packages.by_digest(wish.definition)
        record = desk.bindings.record(service, application)
        if record is None or record.lineage != wish.lineage or _is_over(record):
            raise NotFoundError(
                f"cannot unbind {application!r}: it is not bound to {service}",
                next_command=f"freehold bindings {service}",
            )
        binding = _binding_of(package, service)
        member = ready_member(desk, wish, package, binding.user_action)
        record = replace(record, phase=BindingPhase.UNBINDING)
        desk.bindings.put_record(service, record)
        key = f"unbind:{application}:{record.generation}"
        await _user_action(
            desk,
            wish,
            binding,
            member=member.name,
            application=application,
            key=key,
            wanted="absent",
        )
        desk.bindings.remove(service, application)
        desk.secrets.remove(wish.lineage, secret_of(application))
        over = replace(record, phase=BindingPhase.UNBOUND, entries=())
        desk.bindings.put_record(service, over)
        _audit(desk, asker, service, f"unbound {application}")
        return _view(desk, service, over)


async def told_to(desk: Desk, wish: Wish, package: Package, application: str) -> Told:
    folder = str(desk.bindings.folder(wish.service, application))
    addresses = await _addresses(desk, wish)
    return tell(wish, package, addresses, application=application, folder=folder)


async def _addresses(desk: Desk, wish: Wish) -> Mapping[str, Sequence[str]]:
    """Return component -> addresses of every wanted member, by ordinal."""
    desired = sight_of(desk, wish).desired
    if desired is None:
        return {}
    members = [member.name for member in desired.members]
    known = await desk.place.reserve(wish, members)
    return {
        component.name: [known[member.name] for member in component.members]
        for component in desired.components
    }


async def _user_action(
    desk: Desk,
    wish: Wish,
    binding: Binding,
    *,
    member: str,
    application: str,
    key: str,
    wanted: str,
) -> None:
    """The secret is in the member's hands only while its login is made."""
    secret = secret_of(application)
    if wanted == "present":
        desk.place.hand_secret(wish.service, member, secret)
    arguments = {"user": login_of(application), "secret": secret, "wanted": wanted}
    if wanted == "absent":
        del arguments["secret"]
    try:
        state = await act(
            desk,
            wish.service,
            member,
            action=binding.user_action,
            key=key,
            arguments=arguments,
            within_s=LOGIN_WITHIN_S,
        )
    finally:
        if wanted == "present":
            desk.place.withdraw_secret(wish.service, member, secret)
    if state.phase is not ActionPhase.DONE:
        _renumber(desk, wish.service, application)
        doing = "bind" if wanted == "present" else "unbind"
        raise PermanentFault(
            f"cannot {doing} {application}: {state.note or state.phase}",
            next_command=f"freehold logs {wish.service} --member {member}",
        )


def _renumber(desk: Desk, service: str, application: str) -> None:
    """A failed action is kept under its key: the next attempt needs one of its own."""
    record = desk.bindings.record(service, application)
    if record is not None:
        desk.bindings.put_record(service, replace(record, generation=record.generation + 1))


def _binding_of(package: Package, service: str) -> Binding:
    binding = package.spec.binding
    if binding is None or binding.user_action not in package.spec.actions:
        raise RefusedError(
            f"cannot bind to {service}: {package.name} has no logins to give out",
            next_command=f"freehold describe {service}",
        )
    return binding


def _next_record(desk: Desk, wish: Wish, application: str) -> BindingRecord:
    former = desk.bindings.record(wish.service, application)
    if former is not None and former.lineage == wish.lineage:
        if former.phase is BindingPhase.UNBINDING:
            raise RefusedError(
                f"cannot bind {application}: its unbinding was cut short",
                next_command=f"freehold unbind {wish.service} {application}",
            )
        if former.phase is not BindingPhase.UNBOUND:
            return former
    return BindingRecord(
        application=application,
        lineage=wish.lineage,
        generation=former.generation + 1 if former is not None else 1,
        phase=BindingPhase.BINDING,
        created_at=desk.clock.now(),
    )


def _is_over(record: BindingRecord) -> bool:
    return record.phase is BindingPhase.UNBOUND


def _ca(desk: Desk, wish: Wish, package: Package) -> str:
    """Return the bundle of the service's authority, "" when it has none."""
    if not has_authority(package):
        return ""
    return desk.secrets.authority_bundle(wish.lineage).decode()


def _view(desk: Desk, service: str, record: BindingRecord) -> BindingView:
    return BindingView(
        service=service,
        application=record.application,
        folder=str(desk.bindings.folder(service, record.application)),
        entries=list(record.entries),
        created_at=record.created_at,
        generation=record.generation,
    )


def _audit(desk: Desk, asker: Asker, service: str, what: str) -> None:
    desk.journal.append_event(
        Event(
            at=desk.clock.now(),
            service=service,
            member="",
            kind="audit",
            severity="info",
            message=f"{asker.actor} {what}",
        )
    )


def refuse_when_gone(wish: Wish) -> None:
    if wish.want in {Want.UNINSTALLED, Want.PURGED}:
        raise RefusedError(
            f"cannot connect to {wish.service}: it is {wish.want}",
            next_command=f"freehold install {wish.package} --name {wish.service}",
        )
