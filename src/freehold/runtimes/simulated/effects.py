"""Carry out steps in the simulated place: idempotent, with the preconditions of the real ones."""

from __future__ import annotations

from typing import assert_never

from freehold.engine.observed import Reach, Retirement
from freehold.engine.plan import (
    Act,
    CancelAct,
    Configure,
    DestroyVolumes,
    Forget,
    Provision,
    Restart,
    Retire,
    Revive,
    Start,
    Stop,
)
from freehold.execution.ports import RuntimeStep
from freehold.foundation.errors import PermanentFault, RefusedError, TransientFault
from freehold.foundation.member import ActionOrder, Certificate
from freehold.runtimes.simulated.member import SimulatedMember
from freehold.runtimes.simulated.world import KeptMember, SimulatedWorld


def perform(world: SimulatedWorld, step: RuntimeStep) -> None:
    """Carry out one step.

    Raises:
        TransientFault: its agent does not answer. PermanentFault: there is no such member.
        RefusedError: uid, lineage or death certificate do not hold.
    """
    world.pass_time()
    match step:
        case Provision():
            _provision(world, step)
        case Retire():
            _retire(world, step)
        case DestroyVolumes():
            _destroy(world, step)
        case Forget():
            _forget(world, step)
        case Revive():
            _revive(world, step)
        case Start() | Stop() | Restart() | Configure() | Act() | CancelAct():
            _order(world, step)
        case _:
            assert_never(step)
    world.pass_time()


def _order(
    world: SimulatedWorld, step: Start | Stop | Restart | Configure | Act | CancelAct
) -> None:
    member, now = _answering(world, step), world.now()
    before = (member.run, member.ordered, member.spec.revision)
    match step:
        case Start(stamp=stamp):
            member.order_run(True, stamp, now)
        case Stop():
            member.order_run(False, "", now)
        case Restart(stamp=stamp):
            member.order_restart(stamp, now)
        case Configure(spec=spec, stamp=stamp):
            member.accept(spec, stamp, now)
        case Act(key=key, action=action, arguments=arguments):
            order = ActionOrder(key=key, action=action, arguments=arguments)
            if member.order_action(order, now):
                world.count(f"act {key} on {step.member}")
        case CancelAct(key=key):
            member.cancel_action(key, now)
        case _:
            assert_never(step)
    if before != (member.run, member.ordered, member.spec.revision):
        world.count(f"{step}")


def _provision(world: SimulatedWorld, step: Provision) -> None:
    service, spec = world.service(step.service), step.spec
    existing = service.members.get(step.member)
    if existing is not None:
        if existing.spec.incarnation != spec.incarnation:
            raise RefusedError(f"cannot provision {step.member}: another incarnation is there")
        return
    world.count(f"provision {step.member}:{spec.incarnation}")
    for kept in service.kept:
        same = kept.seen.member == step.member and kept.seen.incarnation == spec.incarnation
        if same and kept.retirement is not Retirement.NONE:
            raise RefusedError(f"cannot provision {step.member}: its incarnation has ended")
        if same:
            service.kept.remove(kept)
            kept.member.agent = Reach.ANSWERS
            kept.member.spec = spec
            kept.member.restart = kept.member.ordered = max(kept.member.restart, step.stamp)
            service.members[step.member] = kept.member
            return
    service.members[step.member] = SimulatedMember(
        spec=spec,
        uid=f"uid-{world.new_number()}",
        address=service.addresses.get(step.member) or world.new_address(),
        habits=world.habits,
        restart=step.stamp,
        ordered=step.stamp,
        unready_since=world.now(),
    )


def _retire(world: SimulatedWorld, step: Retire) -> None:
    service = world.service(step.service)
    member = service.members.get(step.member)
    if member is None:
        return
    if member.uid != step.uid:
        raise RefusedError(f"cannot retire {step.member}: it is another one than was meant")
    if member.certificate is not Certificate.FREE:
        raise RefusedError(f"cannot retire {step.member}: something of it may still run")
    del service.members[step.member]
    service.kept.append(KeptMember(member, step.retirement))
    world.count(f"retire {step.member}:{member.spec.incarnation}")


def _destroy(world: SimulatedWorld, step: DestroyVolumes) -> None:
    service = world.service(step.service)
    if service.wish is not None and service.wish.lineage != step.lineage:
        raise RefusedError(f"cannot destroy volumes of {step.member}: of another service")
    for kept in list(service.kept):
        if kept.seen.member == step.member and kept.seen.uid == step.uid:
            service.kept.remove(kept)
            world.count(f"destroy {step.member}:{kept.seen.incarnation}")


def _forget(world: SimulatedWorld, step: Forget) -> None:
    service = world.services.get(step.service)
    if service is None:
        return
    if service.members or service.kept:
        raise RefusedError(f"cannot forget {step.service}: members or volumes of it exist")
    del world.services[step.service]
    world.secrets.pop(step.lineage, None)
    world.count(f"forget {step.service}")


def _revive(world: SimulatedWorld, step: Revive) -> None:
    member = _member(world, step.service, step.member)
    if member.agent is not Reach.ANSWERS:
        member.adopt(world.now())


def _member(world: SimulatedWorld, service: str, name: str) -> SimulatedMember:
    member = world.service(service).members.get(name)
    if member is None:
        raise PermanentFault(f"cannot reach {name}: there is no such member")
    return member


def _answering(world: SimulatedWorld, step: RuntimeStep) -> SimulatedMember:
    name = "" if isinstance(step, Forget) else step.member
    member = _member(world, step.service, name)
    if member.agent is not Reach.ANSWERS:
        raise TransientFault(f"cannot {step}: its agent does not answer")
    return member
