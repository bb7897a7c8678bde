"""Turn what is known into what the API says. Pure: no port, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from freehold.definition.package import Package
from freehold.execution.records import Operation, StepRecord
from freehold.observe.alerts import Verdict
from freehold.observe.conditions import Sight, conditions, state_of_service, survives
from freehold.observe.endpoints import endpoints
from freehold.observe.members import MemberLine, MemberState
from freehold.operations.messages import (
    EndpointView,
    MemberView,
    OperationView,
    ServiceView,
    StepView,
)


def service_view(
    sight: Sight,
    package: Package | None,
    operation: Operation | None = None,
    alerts: Sequence[Verdict] = (),
) -> ServiceView:
    """Return everything a person asks of one service at once."""
    wish, lines = sight.wish, sight.lines
    state, reason = state_of_service(sight)
    wanted = len(sight.desired.members) if sight.desired else 0
    return ServiceView(
        name=wish.service,
        package=wish.package,
        version=wish.version,
        want=wish.want.value,
        state=state.value,
        reason=reason,
        members_ready=sum(line.state is MemberState.READY for line in lines),
        members_wanted=wanted,
        endpoints=endpoint_views(package, lines) if package else [],
        members=[member_view(line, sight.now, sight.observed_at) for line in lines],
        conditions=[asdict(condition) for condition in conditions(sight)],
        operation=operation.id if operation else "",
        waits=list(sight.waits),
        survives=survives(sight, package.spec.survives if package else ""),
        protected=wish.protected,
        preset=wish.preset,
        knobs=dict(wish.knobs),
        definition=wish.definition,
        lineage=wish.lineage,
        project=wish.project,
        created_at=made_at(wish.lineage),
        observed_at=sight.observed_at,
        generation=wish.generation,
        observed_generation=sight.desired.generation if sight.desired else 0,
        alerts=[asdict(verdict) for verdict in alerts],
    )


def endpoint_views(package: Package, lines: Sequence[MemberLine]) -> list[EndpointView]:
    return [
        EndpointView(name=each.name, protocol=each.protocol, tls=each.tls, addresses=each.addresses)
        for each in endpoints(package.spec, lines)
    ]


def member_view(line: MemberLine, now: float, observed_at: float) -> MemberView:
    seen, status = line.seen, line.seen.status if line.seen else None
    age = status.probed_age_s if status else None
    data = sum(status.volumes_used.values()) if status and status.volumes_used else None
    return MemberView(
        name=line.name,
        component=line.component,
        state=line.state.value,
        reason=line.reason,
        role=seen.role if seen else "",
        address=seen.address if seen else "",
        version=line.wanted.spec.version if line.wanted else "",
        revision=seen.revision_running or seen.revision_accepted if seen else "",
        up_to_date=line.up_to_date,
        since=seen.ready_since if seen else None,
        # The verdict was so old when it was observed; it has aged since.
        probed_age_s=None if age is None else age + max(0.0, now - observed_at),
        restarts=status.main.restarts if status else 0,
        last_exit=status.main.last_exit if status else "",
        incarnation=seen.incarnation if seen else 0,
        pid=status.main.pid if status else 0,
        agent_pid=status.agent_pid if status else 0,
        data_bytes=data,
    )


def operation_view(operation: Operation, members: Sequence[MemberView] = ()) -> OperationView:
    return OperationView(
        id=operation.id,
        service=operation.service,
        verb=operation.verb,
        phase=operation.phase.value,
        actor=operation.actor,
        project=operation.project,
        created_at=operation.created_at,
        deadline_at=operation.deadline_at,
        ended_at=operation.ended_at,
        steps=[_record_view(record, operation.service) for record in operation.steps],
        waits=list(operation.waits),
        reason=operation.reason,
        after=_plain(operation.after),
        members=list(members),
    )


def _record_view(record: StepRecord, service: str) -> StepView:
    last_word = record.step.rsplit(" ", 1)[-1]
    return StepView(
        step=record.step,
        because=record.because,
        member=last_word if last_word.startswith(f"{service}-") else "",
        outcome=record.outcome,
        note=record.note,
        ratio=record.ratio,
        started_at=record.started_at,
        ended_at=record.ended_at,
    )


def _plain(fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in {"founders", "site"}}


def made_at(identifier: str) -> float:
    """Return when an id was made (unix seconds): ids begin with 12 hex digits of milliseconds."""
    try:
        return int(identifier[:12], 16) / 1000
    except ValueError:
        return 0.0
