"""How a service is: unknown is a state, and ready needs a probe."""

from dataclasses import replace

import pytest
from tests.unit.observe.sights import NOW, WISH, seen, sight

from freehold.engine.observed import Observed, ObservedMember, Reach
from freehold.engine.plan import Plan, Wait
from freehold.engine.wish import Want
from freehold.foundation.member import Certificate, Phase
from freehold.observe.conditions import (
    STALE_AFTER_S,
    Sight,
    conditions,
    state_of_service,
    survives,
    survives_when_ready,
)


def silent(ordinal: int) -> ObservedMember:
    return seen(ordinal, reach=Reach.SILENT)


def down(ordinal: int) -> ObservedMember:
    return seen(ordinal, ready=False)


def stopped(ordinal: int) -> ObservedMember:
    return seen(ordinal, phase=Phase.STOPPED, run=False, ready=None, certificate=Certificate.FREE)


def fresh(ordinal: int) -> ObservedMember:
    return seen(ordinal, phase=Phase.STARTING, ready=None, initialised=False)


@pytest.mark.parametrize(
    ("what", "word"),
    [
        (sight(seen(0), seen(1), seen(2)), "ready"),
        (sight(seen(0), seen(1), down(2)), "degraded"),
        (sight(seen(0), seen(1)), "degraded"),
        (sight(seen(0), seen(1), silent(2)), "degraded"),
        (sight(seen(0), down(1), down(2)), "unavailable"),
        (sight(seen(0), silent(1), down(2)), "unknown"),
        (sight(silent(0), silent(1), silent(2)), "unknown"),
        (sight(), "starting"),
        (sight(fresh(0), fresh(1), fresh(2)), "starting"),
        (sight(stopped(0), stopped(1), stopped(2), want=Want.STOPPED), "stopped"),
        (sight(seen(0), stopped(1), stopped(2), want=Want.STOPPED), "changing"),
        (sight(want=Want.UNINSTALLED), "uninstalled"),
        (sight(seen(0), want=Want.UNINSTALLED), "changing"),
        (sight(want=Want.PURGED), "changing"),
        (sight(seen(0), seen(1), seen(2), seen(3)), "ready"),
    ],
)
def test_the_word_for_a_service(what: Sight, word: str) -> None:
    assert state_of_service(what)[0] == word


def test_a_service_that_nobody_looked_at_is_unknown_and_never_ready() -> None:
    assert state_of_service(Sight(wish=WISH, now=NOW))[0] == "unknown"
    blind = replace(sight(seen(0), seen(1), seen(2)), observed=Observed(unknown="no answer"))
    assert state_of_service(blind) == ("unknown", "no answer")
    old = replace(sight(seen(0), seen(1), seen(2)), now=NOW + STALE_AFTER_S + 1)
    assert state_of_service(old)[0] == "unknown"


def test_ready_members_with_work_left_are_changing_and_the_reason_says_what_for() -> None:
    waiting = replace(
        sight(seen(0), seen(1), seen(2)),
        plan=Plan(waits=(Wait(subject="db", what="a restart"),)),
        waits=("db: waits for a restart",),
    )
    assert state_of_service(waiting) == ("changing", "db: waits for a restart")


def test_conditions_carry_the_generation_they_speak_of() -> None:
    found = {each.type: each for each in conditions(sight(seen(0), seen(1), down(2)))}
    assert {name: each.status for name, each in found.items()} == {
        "Ready": "True",
        "Progressing": "False",
        "Degraded": "True",
    }
    assert {each.observed_generation for each in found.values()} == {4}
    assert found["Ready"].since == 501.0


def test_conditions_of_an_unknown_service_are_unknown() -> None:
    found = conditions(sight(silent(0), silent(1), silent(2)))
    assert {each.status for each in found} == {"Unknown"}


def test_what_a_service_survives_is_what_it_survives_now() -> None:
    declared = "a process, not the machine"
    assert survives(sight(seen(0), seen(1), seen(2)), declared) == declared
    assert survives(sight(seen(0), seen(1), down(2)), declared).startswith("no further loss")
    assert survives(sight(seen(0), wanted=1), declared).startswith("a restart of its only member")
    assert survives(sight(seen(0), seen(1), silent(2)), declared) == "not known now"
    assert survives(sight(want=Want.STOPPED), declared) == ""


def test_a_plan_says_what_will_be_survived_once_all_are_ready() -> None:
    desired = sight(wanted=3).desired
    assert desired is not None
    assert survives_when_ready(desired, "") == "the loss of 1 member"
