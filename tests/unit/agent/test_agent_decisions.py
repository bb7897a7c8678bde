"""What the supervisor does next."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from freehold.agent.decisions import (
    Hold,
    Marks,
    Refresh,
    Rest,
    Start,
    Stop,
    View,
    Wait,
    decide,
)

NEW = Marks(revision="v2", restart_hash="r2", reload_hash="l2")
VIEW = View(wanted=True, alive=True, target=NEW, running=NEW)


def seen(**changes: Any) -> object:
    return decide(replace(VIEW, **changes))


def test_what_runs_as_wanted_is_left_alone() -> None:
    assert seen() == Rest()
    assert seen(restart_ordered="a", restart_done="a") == Rest()
    assert seen(restart_ordered="", restart_done="a") == Rest()


def test_what_is_not_wanted_ends_whatever_else_is_true() -> None:
    assert isinstance(seen(wanted=False), Stop)
    assert isinstance(seen(wanted=False, restart_ordered="a"), Stop)
    assert seen(wanted=False, alive=False, wait_s=3.0) == Rest()


def test_a_dead_one_starts_after_its_back_off() -> None:
    assert seen(alive=False, running=None) == Start()
    assert seen(alive=False, running=None, wait_s=1.5) == Wait(1.5)
    assert seen(alive=False, running=None, restart_ordered="a") == Start()


def test_a_change_costs_what_its_hash_says() -> None:
    assert isinstance(seen(running=replace(NEW, restart_hash="r1", reload_hash="l1")), Stop)
    assert seen(running=replace(NEW, reload_hash="l1", revision="v1")) == Refresh(reload=True)
    early = seen(running=replace(NEW, reload_hash="l1"), settles_s=2.0)
    assert early == Hold(2.0)
    assert seen(running=replace(NEW, revision="v1")) == Refresh(reload=False)
    assert seen(place_changed=True) == Refresh(reload=False)


def test_software_started_with_nobody_knows_what_is_restarted() -> None:
    assert isinstance(seen(running=None), Stop)
