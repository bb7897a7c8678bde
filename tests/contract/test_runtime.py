"""The Runtime port: what the engine may rely on, whatever the place."""

from dataclasses import replace

import pytest
from tests.contract.labs import Story

from freehold.engine.observed import Reach, Retirement
from freehold.engine.plan import (
    Act,
    CancelAct,
    Configure,
    DestroyVolumes,
    Forget,
    Restart,
    Retire,
    Revive,
    Start,
    Stop,
)
from freehold.foundation.errors import PermanentFault, RefusedError
from freehold.foundation.member import ActionPhase, Certificate, Phase


async def test_nothing_recorded_is_nothing_there(lab):
    observed = await Story(lab).observe()
    assert (observed.members, observed.kept, observed.recorded) == ({}, (), False)


async def test_addresses_are_reserved_before_members_and_stay(lab):
    story = Story(lab, members=3)
    names = [each.name for each in story.desired().members]
    before = await lab.runtime.reserve(story.wish, names)
    await story.prepare()
    assert await lab.runtime.reserve(story.wish, names) == before
    assert len(set(before.values())) == 3
    await lab.runtime.perform(story.provision(1))
    assert (await story.seen(names[1])).address == before[names[1]]


async def test_a_provisioned_member_waits_for_its_start(lab):
    story = Story(lab)
    member = await story.provisioned()
    assert member.reach is Reach.ANSWERS
    assert member.phase is Phase.STOPPED
    assert member.certificate is Certificate.FREE
    assert member.run is False
    assert member.uid
    assert member.revision_accepted == story.spec().revision
    assert member.restart_hash == story.spec().restart_hash
    assert (await story.observe()).recorded


async def test_provisioning_again_changes_nothing(lab):
    story = Story(lab)
    before = await story.running()
    await lab.runtime.perform(story.provision())
    after = await story.seen()
    assert (after.uid, after.run, after.phase) == (before.uid, True, before.phase)


async def test_a_started_member_becomes_ready_and_remembers_it(lab):
    story = Story(lab)
    member = await story.running()
    assert member.phase is Phase.RUNNING
    assert member.certificate is Certificate.HELD
    assert member.initialised
    assert member.revision_running == story.spec().revision
    await lab.runtime.perform(story.say(Start))
    assert (await story.seen()).started_at == member.started_at


async def test_a_stopped_member_has_its_death_certificate(lab):
    story = Story(lab)
    await story.running()
    for _turn in range(2):
        await lab.runtime.perform(story.say(Stop))
    member = await story.until(lambda seen: seen.phase is Phase.STOPPED)
    assert member.certificate is Certificate.FREE
    assert member.run is False
    await lab.runtime.perform(story.say(Start))
    await story.until(lambda seen: seen.is_ready)


async def test_a_restart_stamp_is_carried_out_once(lab):
    story = Story(lab)
    before = await story.running()
    await lab.runtime.perform(story.say(Restart, stamp="2026-01-01"))
    after = await story.until(lambda seen: seen.is_ready and seen.started_at != before.started_at)
    assert after.restart == "2026-01-01"
    await lab.runtime.perform(story.say(Restart, stamp="2026-01-01"))
    assert (await story.until(lambda seen: seen.is_ready)).started_at == after.started_at


async def test_a_restart_file_restarts_and_is_then_what_runs(lab):
    story = Story(lab)
    before = await story.running()
    spec = story.spec(delay_ms=1)
    assert spec.restart_hash != story.spec().restart_hash
    await lab.runtime.perform(story.say(Configure, spec=spec, restarts=True))
    after = await story.until(lambda seen: seen.is_ready and seen.revision_running == spec.revision)
    assert after.started_at != before.started_at
    assert (after.revision_accepted, after.restart_hash) == (spec.revision, spec.restart_hash)


async def test_a_reload_leaves_the_process_alone(lab):
    story = Story(lab)
    before = await story.running()
    spec = story.spec(greeting="good day")
    assert spec.restart_hash == story.spec().restart_hash
    for _turn in range(2):
        await lab.runtime.perform(story.say(Configure, spec=spec, restarts=False))
    after = await story.until(lambda seen: seen.revision_running == spec.revision)
    assert after.started_at == before.started_at


async def test_a_crash_is_mended_by_the_member_itself(lab):
    story = Story(lab)
    before = await story.running()
    lab.kill_software(story.member)
    after = await story.until(lambda seen: seen.is_ready and seen.started_at != before.started_at)
    assert after.revision_running == before.revision_running


async def test_an_action_runs_to_its_end_and_never_twice(lab):
    story = Story(lab)
    await story.running()
    step = story.say(Act, action="flush", key="flush:1")
    await lab.runtime.perform(step)
    await lab.runtime.perform(step)
    done = await story.until(
        lambda seen: "flush:1" in seen.actions and seen.actions["flush:1"].phase is ActionPhase.DONE
    )
    await lab.runtime.perform(step)
    assert (await story.seen()).actions["flush:1"] == done.actions["flush:1"]


async def test_an_action_that_ended_or_never_was_can_be_cancelled_in_vain(lab):
    story = Story(lab)
    await story.running()
    await lab.runtime.perform(story.say(CancelAct, key="never"))
    await lab.runtime.perform(story.say(Act, action="flush", key="flush:2"))
    for _turn in range(2):
        await lab.runtime.perform(story.say(CancelAct, key="flush:2"))
    phase = (await story.seen()).actions["flush:2"].phase
    assert phase in {ActionPhase.DONE, ActionPhase.CANCELLED}


async def test_a_running_member_is_not_retired(lab):
    story = Story(lab)
    member = await story.running()
    with pytest.raises(RefusedError, match="cannot retire orders-node-0"):
        await lab.runtime.perform(story.say(Retire, uid=member.uid, retirement=Retirement.NONE))
    assert (await story.until(lambda seen: seen.is_ready)).started_at == member.started_at


async def test_a_retirement_decided_for_other_volumes_is_refused(lab):
    story = Story(lab)
    await story.provisioned()
    with pytest.raises(RefusedError, match="cannot retire"):
        await lab.runtime.perform(story.say(Retire, uid="another", retirement=Retirement.NONE))
    assert (await story.seen()).reach is Reach.ANSWERS


async def test_kept_volumes_come_back_as_they_were(lab):
    story = Story(lab)
    before = await story.provisioned()
    for _turn in range(2):
        await lab.runtime.perform(story.say(Retire, uid=before.uid, retirement=Retirement.NONE))
    observed = await story.observe()
    assert observed.members == {}
    assert [(each.uid, each.retirement) for each in observed.kept] == [(before.uid, "")]
    await lab.runtime.perform(story.provision())
    after = await story.seen()
    assert (after.uid, after.address, after.run) == (before.uid, before.address, False)
    assert (await story.observe()).kept == ()


@pytest.mark.parametrize("end", [Retirement.LEFT, Retirement.REPLACED])
async def test_volumes_that_ended_are_never_used_again(lab, end):
    story = Story(lab)
    before = await story.provisioned()
    await lab.runtime.perform(story.say(Retire, uid=before.uid, retirement=end))
    with pytest.raises(RefusedError, match="cannot provision"):
        await lab.runtime.perform(story.provision())
    story.incarnations[story.member] = before.incarnation + 1
    await lab.runtime.perform(story.provision())
    after = await story.seen()
    assert after.incarnation == before.incarnation + 1
    assert after.uid != before.uid
    assert [each.uid for each in (await story.observe()).kept] == [before.uid]


async def test_a_second_incarnation_waits_for_the_end_of_the_first(lab):
    story = Story(lab)
    await story.provisioned()
    story.incarnations[story.member] = 1
    with pytest.raises(RefusedError, match="cannot provision"):
        await lab.runtime.perform(story.provision())


async def test_only_kept_volumes_of_this_lineage_and_uid_are_destroyed(lab):
    story = Story(lab)
    member = await story.provisioned()
    lineage = story.wish.lineage
    await lab.runtime.perform(story.say(Retire, uid=member.uid, retirement=Retirement.NONE))
    await lab.runtime.perform(story.say(DestroyVolumes, lineage=lineage, uid="another"))
    with pytest.raises(RefusedError, match="cannot destroy"):
        await lab.runtime.perform(story.say(DestroyVolumes, lineage="another", uid=member.uid))
    assert len((await story.observe()).kept) == 1
    for _turn in range(2):
        await lab.runtime.perform(story.say(DestroyVolumes, lineage=lineage, uid=member.uid))
    assert (await story.observe()).kept == ()


async def test_a_service_is_forgotten_only_when_nothing_of_it_is_left(lab):
    story = Story(lab)
    member = await story.provisioned()
    forget = Forget(service="orders", lineage=story.wish.lineage, because="test")
    with pytest.raises(RefusedError, match="cannot forget orders"):
        await lab.runtime.perform(forget)
    await lab.runtime.perform(story.say(Retire, uid=member.uid, retirement=Retirement.NONE))
    with pytest.raises(RefusedError, match="cannot forget orders"):
        await lab.runtime.perform(forget)
    await lab.runtime.perform(story.say(DestroyVolumes, lineage=story.wish.lineage, uid=member.uid))
    for _turn in range(2):
        await lab.runtime.perform(forget)
    assert (await story.observe()).recorded is False
    assert await lab.secrets.issued(story.wish.lineage) == frozenset()


@pytest.mark.parametrize("kind", ["killed", "frozen"])
async def test_a_revived_agent_adopts_the_software_that_went_on(lab, kind):
    story = Story(lab)
    before = await story.running()
    if kind == "killed":
        lab.kill_agent(story.member)
    else:
        lab.freeze_agent(story.member)
        assert (await story.seen()).reach is Reach.SILENT
    await lab.runtime.perform(story.say(Revive))
    after = await story.until(lambda seen: seen.is_ready)
    assert after.started_at == before.started_at
    await lab.runtime.perform(story.say(Revive))
    assert (await story.seen()).started_at == before.started_at


async def test_a_member_that_does_not_exist_cannot_be_ordered(lab):
    story = Story(lab)
    await story.prepare()
    with pytest.raises(PermanentFault, match="cannot reach orders-node-0"):
        await lab.runtime.perform(story.say(Start))


async def test_the_record_keeps_the_newest_wish(lab):
    story = Story(lab)
    await story.prepare()
    wish = replace(story.wish, generation=7)
    for _turn in range(2):
        await lab.runtime.record(wish, lab.package)
    assert (await lab.runtime.observe(wish)).recorded
