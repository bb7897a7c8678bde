"""Store an edit of a wish, or only show what it would do.

Everything that can be refused has been refused before this; here is the one place where something
is stored, in one transaction, and it is the last thing a verb does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from freehold.definition.package import Package
from freehold.engine.verbs import Encounter, encounter
from freehold.engine.wish import Wish
from freehold.execution.edits import difference
from freehold.execution.records import Event, Operation
from freehold.foundation.errors import DefinitionError, RefusedError
from freehold.operations.desk import Asker, Desk
from freehold.operations.messages import Accepted, Change, PlanView
from freehold.operations.views import operation_view

LONGEST_DEADLINE_S = 30 * 86400.0

# How long a verb may take before its operation is called failed; the engine goes on trying.
DEADLINES_S = {
    "install": 1800.0,
    "scale": 6 * 3600.0,  # handing data over takes what it takes
    "start": 900.0,
    "stop": 900.0,
    "restart": 3600.0,
    "uninstall": 900.0,
    "purge": 900.0,
    "rebuild": 6 * 3600.0,
    "protect": 60.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One verb's edit of one wish."""

    verb: str
    before: Wish | None  # None: the service is new
    after: Wish
    package: Package


def carry_out(
    desk: Desk, asker: Asker, edit: Edit, plan: PlanView, change: Change
) -> Accepted | PlanView:
    """Return the plan when only that was asked for; else store the edit and follow it."""
    deadline_s = _deadline(edit.verb, change)
    _refuse_out_of_turn(desk, edit)
    if change.dry_run:
        return plan
    _refuse_overtaken(desk, edit)
    desk.packages.pin(edit.package)
    operation = _operation(desk, asker, edit, deadline_s)
    expected = edit.before.generation if edit.before else None
    stored = desk.engine.submit(edit.after, operation, expected_generation=expected)
    desk.journal.append_event(
        Event(
            at=operation.created_at,
            service=edit.after.service,
            member="",
            kind="audit",
            severity="info",
            message=f"{asker.actor} asked to {edit.verb}",
            operation=operation.id,
        )
    )
    return Accepted(operation=operation_view(stored), plan=plan)


def _refuse_out_of_turn(desk: Desk, edit: Edit) -> None:
    """Some verbs mean nothing while another is on its way; the table says which."""
    service = edit.after.service
    for running in desk.journal.operations(service=service, open_only=True):
        if encounter(edit.verb, running.verb) is Encounter.REFUSED:
            raise RefusedError(
                f"cannot {edit.verb} {service}: its {running.verb} is on its way",
                next_command=f"freehold operations wait {running.id}",
            )


def _refuse_overtaken(desk: Desk, edit: Edit) -> None:
    """Say who was first when another edit was stored since this one was planned."""
    service, stored = edit.after.service, desk.journal.wish(edit.after.service)
    if (stored.generation if stored else None) == (edit.before.generation if edit.before else None):
        return
    newest = next(iter(desk.journal.operations(service=service, limit=1)), None)
    who = f"{newest.verb} by {newest.actor}" if newest else "another command"
    raise RefusedError(
        f"cannot {edit.verb} {service}: {who} came first",
        next_command=f"freehold operations list {service}",
    )


def _operation(desk: Desk, asker: Asker, edit: Edit, deadline_s: float) -> Operation:
    now = desk.clock.now()
    before, after = difference(edit.before, edit.after) if edit.before else ({}, {})
    return Operation(
        id=desk.ids.new(),
        service=edit.after.service,
        lineage=edit.after.lineage,
        verb=edit.verb,
        actor=asker.actor,
        project=asker.project,
        generation=edit.after.generation,
        before=before,
        after=after,
        created_at=now,
        deadline_at=now + deadline_s,
    )


def _deadline(verb: str, change: Change) -> float:
    if change.timeout_s is None:
        return DEADLINES_S[verb]
    if not 0 < change.timeout_s <= LONGEST_DEADLINE_S:
        raise DefinitionError(
            f"cannot use a timeout of {change.timeout_s:g} s: it is between 0 s and 30 days"
        )
    return change.timeout_s


def next_generation(wish: Wish) -> Wish:
    return replace(wish, generation=wish.generation + 1)
