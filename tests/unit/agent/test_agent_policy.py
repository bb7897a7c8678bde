"""When a process that ended is started again, and when a change is given up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from freehold.agent.policy import CAP_S, LONG_ENOUGH_S, UNKNOWN, Streak, after_exit, gives_up


def delays(*exits: tuple[str, float]) -> list[float]:
    streak, found = Streak(), []
    for cause, ran_s in exits:
        delay, streak = after_exit(streak, cause, ran_s)
        found.append(delay)
    return found


def test_the_first_failure_restarts_at_once_and_repeats_wait_longer() -> None:
    assert delays(*[("code 1", 0.1)] * 5) == [0.0, 0.5, 1.0, 2.0, 4.0]


def test_the_wait_has_a_cap() -> None:
    assert delays(*[("code 1", 0.1)] * 30)[-1] == CAP_S


def test_another_cause_starts_at_once() -> None:
    assert delays(("code 1", 0), ("code 1", 0), ("signal SIGSEGV", 0)) == [0.0, 0.5, 0.0]


def test_two_causes_that_alternate_wait_too() -> None:
    assert delays(*[("code 1", 0), ("code 2", 0)] * 3) == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]


def test_running_long_enough_forgets_the_past() -> None:
    assert delays(*[("code 1", 0)] * 4, ("code 1", LONG_ENOUGH_S)) == [0, 0.5, 1, 2, 0]


def test_an_unknown_cause_counts_as_a_first_crash() -> None:
    assert delays(("code 1", 0), ("code 1", 0), (UNKNOWN, 0), ("code 1", 0)) == [0, 0.5, 0, 0]


@given(st.lists(st.sampled_from([f"code {n}" for n in range(20)]), min_size=20, max_size=20))
def test_no_mix_of_causes_restarts_without_end(causes: list[str]) -> None:
    """Kills the mutant without MANY_CAUSES: twenty causes give twenty restarts at once."""
    assert sum(delay == 0.0 for delay in delays(*((cause, 0.0) for cause in causes))) <= 9


def test_a_program_that_refuses_its_files_is_given_up_at_once_a_killed_one_at_the_second_time() -> (
    None
):
    def decided(cause: str, attempts: int, *, was_ready: bool = False, good: bool = True) -> bool:
        return gives_up(cause=cause, attempts=attempts, was_ready=was_ready, good_exists=good)

    assert decided("code 1", 1)
    assert not decided("signal SIGKILL", 1)
    assert decided("signal SIGKILL", 2)
    assert not decided("code 1", 1, was_ready=True)
    assert not decided("code 1", 1, good=False)
    assert not decided(UNKNOWN, 2)
