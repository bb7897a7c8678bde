"""Put together what an agent answers to GET /v1/status."""

from __future__ import annotations

import os
from collections.abc import Mapping

from freehold import __version__
from freehold.agent import proc
from freehold.agent.actions import Actions
from freehold.agent.memory import Memory
from freehold.agent.processes import certificate_of
from freehold.agent.supervisor import Supervisor
from freehold.foundation.member import Certificate, MemberStatus


def status_of(
    memory: Memory,
    supervisor: Supervisor,
    actions: Actions,
    volumes_used: Mapping[str, int],
    metrics: Mapping[str, float],
) -> MemberStatus:
    running = supervisor.main.life.running
    alive = supervisor.main.alive
    ready = supervisor.ready
    return MemberStatus(
        member=memory.spec.name,
        incarnation=memory.spec.incarnation,
        phase=supervisor.phase,
        reason=supervisor.reason,
        revision_accepted=memory.spec.revision,
        revision_running=running.revision if running is not None and alive else "",
        restart=memory.state.restart,
        run=memory.orders.run,
        alive=supervisor.health.alive if alive else False,
        ready=ready,
        probed_age_s=supervisor.health.probed_age_s,
        role=supervisor.health.role if ready else "",
        # While the software lives, or its launcher is about to lock, asking the lock would disturb.
        certificate=Certificate.HELD
        if alive
        else certificate_of(f"{memory.place.folder}/alive.lock"),
        initialised=memory.state.initialised,
        main=supervisor.main.status(),
        companions=supervisor.companions.status(),
        actions={key: record.state for key, record in actions.records.items()},
        volumes_used=volumes_used,
        metrics=metrics,
        agent_version=__version__,
        agent_pid=os.getpid(),
        boot_id=proc.boot_id(),
    )
