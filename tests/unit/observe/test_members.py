"""A word is claimed only when somebody saw it."""

from dataclasses import replace

import pytest

from freehold.engine.observed import ObservedMember, Reach
from freehold.engine.wish import Want
from freehold.foundation.member import Certificate, Phase
from freehold.observe.members import MemberState, state_of

READY = ObservedMember(
    name="db-node-0",
    component="node",
    group=0,
    ordinal=0,
    uid="u",
    incarnation=0,
    reach=Reach.ANSWERS,
    certificate=Certificate.HELD,
    phase=Phase.RUNNING,
    run=True,
    ready=True,
    initialised=True,
)


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (READY, "ready"),
        (replace(READY, reach=Reach.SILENT), "unknown"),
        (replace(READY, ready=None), "unknown"),
        (replace(READY, ready=False), "down"),
        (replace(READY, phase=None), "unknown"),
        (replace(READY, phase=Phase.WAITING), "down"),
        (replace(READY, phase=Phase.STARTING), "starting"),
        (replace(READY, phase=Phase.STOPPING), "stopping"),
        (replace(READY, phase=Phase.BACKOFF), "backoff"),
        (replace(READY, phase=Phase.FENCED), "fenced"),
        (replace(READY, phase=Phase.STOPPED), "down"),
        (replace(READY, phase=Phase.STOPPED, run=False), "stopped"),
        (replace(READY, reach=Reach.GONE), "unknown"),
        (replace(READY, reach=Reach.GONE, certificate=Certificate.UNKNOWN), "unknown"),
        (replace(READY, reach=Reach.GONE, certificate=Certificate.FREE), "down"),
        (replace(READY, reach=Reach.GONE, certificate=Certificate.FREE, run=False), "stopped"),
    ],
)
def test_the_word_for_a_member_says_no_more_than_was_seen(seen: ObservedMember, word: str) -> None:
    assert state_of(seen, want=Want.RUNNING, founder=True)[0] == word


def test_a_later_member_that_starts_for_the_first_time_joins() -> None:
    seen = replace(READY, phase=Phase.STARTING, ready=None, initialised=False)
    assert state_of(seen, want=Want.RUNNING, founder=False)[0] is MemberState.JOINING
    assert state_of(seen, want=Want.RUNNING, founder=True)[0] is MemberState.STARTING


def test_every_word_but_ready_and_stopped_has_a_reason() -> None:
    for phase in (None, Phase.WAITING, Phase.BACKOFF, Phase.FENCED):
        word, reason = state_of(replace(READY, phase=phase), want=Want.RUNNING, founder=True)
        assert reason, word
