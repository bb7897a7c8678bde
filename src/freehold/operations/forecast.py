"""What an edit would do, before anything is stored: the plan that ``--dry-run`` prints.

It is the engine's own plan, rolled forward over what is seen now until the wish is fulfilled; a
refusal of the definition (a template that cannot be rendered) comes out here as well.
"""

from __future__ import annotations

from msgspec.structs import replace

from freehold.definition.package import Package
from freehold.engine import forecast as engine_forecast
from freehold.engine.describe import destroys, subject
from freehold.engine.desired import Desired
from freehold.engine.forecast import Foreseen
from freehold.engine.incarnations import incarnations
from freehold.engine.observed import Observed
from freehold.engine.render import render
from freehold.engine.wish import Want, Wish
from freehold.foundation.errors import RefusedError, TransientFault
from freehold.foundation.quantities import format_bytes
from freehold.observe.conditions import survives_when_ready
from freehold.operations.change import Edit
from freehold.operations.desk import Desk
from freehold.operations.lookup import first_look
from freehold.operations.messages import PlanView, StepView


async def foresee(desk: Desk, edit: Edit) -> PlanView:
    """Return what the edit would do. Raises DefinitionError when it cannot even be rendered."""
    observed = await _observed(desk, edit)
    desired = rendered(edit.after, edit.package, observed)
    steps = engine_forecast.foresee(
        lambda seen: rendered(edit.after, edit.package, seen), observed, desk.clock.now()
    )
    runs = edit.after.want is Want.RUNNING
    return PlanView(
        service=edit.after.service,
        verb=edit.verb,
        summary=_summary(edit, desired),
        steps=[_step_view(each) for each in steps],
        warnings=_warnings(edit, observed),
        memory_bytes=_memory(desired) if runs else 0,
        disk_bytes=_disk(desired) if runs else 0,
        download_bytes=await desk.store.missing_bytes(edit.package, edit.after.version)
        if runs and edit.after.version not in observed.software
        else 0,
        survives=survives_when_ready(desired, edit.package.spec.survives) if runs else "",
    )


async def with_room(desk: Desk, edit: Edit, plan: PlanView, *, dry_run: bool) -> PlanView:
    """Return the plan with the place's warnings about the members that the edit adds.

    Raises RefusedError when the place cannot carry them; a dry run only says so. The refusal's
    next command is the fix.
    """
    observed = await _observed(desk, edit)
    desired = rendered(edit.after, edit.package, observed)
    added = [member.spec for member in desired.members if member.name not in observed.members]
    try:
        warnings = list(await desk.place.preflight(edit.after, added))
    except RefusedError as refusal:
        if not dry_run:
            raise
        warnings = [f"will be refused: {refusal.message}", f"fix: {refusal.next_command}"]
    return replace(plan, warnings=[*plan.warnings, *warnings])


async def _observed(desk: Desk, edit: Edit) -> Observed:
    """Nothing is assumed of a service that has not been looked at: it might look new."""
    if edit.before is None:
        return Observed(software=await desk.software.present(edit.package))
    snapshot = await first_look(desk, edit.after.service)
    if snapshot is None or snapshot.wish.lineage != edit.after.lineage:
        raise TransientFault(
            f"cannot {edit.verb} {edit.after.service}: it has not been observed yet",
            next_command=f"freehold status {edit.after.service}",
        )
    return snapshot.observed


def rendered(wish: Wish, package: Package, observed: Observed) -> Desired:
    numbers, replaced = incarnations(wish, observed)
    return render(wish, package, numbers, replaced)


def _summary(edit: Edit, desired: Desired) -> str:
    wish, title = edit.after, edit.package.spec.title
    count = len(desired.members)
    members = f"{count} member{'s' if count != 1 else ''}"
    match edit.verb:
        case "install" | "scale":
            memory = format_bytes(_memory(desired))
            return f"{wish.service}: {members} of {title} {wish.version}, {memory} memory"
        case "purge":
            return f"{wish.service}: members, volumes, secrets and backups are destroyed"
        case "uninstall":
            return f"{wish.service}: members end, volumes and secrets are kept"
        case "protect":
            return f"{wish.service}: purge is {'refused' if wish.protected else 'allowed'}"
        case verb:
            return f"{wish.service}: {verb} {members} of {title} {wish.version}"


def _memory(desired: Desired) -> int:
    return sum(member.spec.memory_bytes for member in desired.members)


def _disk(desired: Desired) -> int:
    return sum(volume.size_bytes for member in desired.members for volume in member.spec.volumes)


def _step_view(foreseen: Foreseen) -> StepView:
    step = foreseen.step
    return StepView(
        step=str(step),
        because=step.because,
        member=subject(step),
        stage=foreseen.stage,
        interrupts=foreseen.interrupts,
        destroys=destroys(step),
    )


def _warnings(edit: Edit, observed: Observed) -> list[str]:
    """What a person should know that no step says."""
    spec, wish = edit.package.spec, edit.after
    warnings = []
    if edit.verb == "install":
        warnings += [
            f"{name}: no TLS, because {listener.because}"
            for component in spec.components.values()
            for name, listener in component.listeners.items()
            if listener.tls == "none" and not listener.internal and listener.because
        ]
        warnings += [
            version.notes
            for version in spec.versions
            if version.version == wish.version and version.notes
        ]
        if wish.settings:
            warnings.append(f"settings are passed on unchecked: {', '.join(wish.settings)}")
    if observed.unknown:
        warnings.append(f"the plan may change: {observed.unknown}")
    return warnings
