"""Faults on demand: crashes of the loop at chosen effects, and weather between it and agents."""

from __future__ import annotations

import random
from dataclasses import dataclass


class LoopKilled(BaseException):
    """The loop dies here, as by SIGKILL: nothing may catch this but the test."""


class CrashAt:
    """Implements ``Failpoints``: dies when the numbered failpoint is reached, once."""

    def __init__(self, number: int | None = None) -> None:
        self._number = number
        self.reached: list[str] = []

    def reach(self, point: str) -> None:
        self.reached.append(point)
        if self._number is not None and len(self.reached) == self._number:
            self._number = None
            raise LoopKilled(point)


@dataclass(frozen=True, slots=True)
class Effect:
    """How one order travels."""

    delay_s: float = 0.0
    lost: bool = False  # never arrives
    answer_lost: bool = False  # arrives, but nobody hears of it


class Weather:
    """A seeded stream of delays and losses; calm by default."""

    def __init__(self, seed: int = 0, *, loss_ratio: float = 0.0, delay_s: float = 0.0) -> None:
        self._random = random.Random(seed)  # noqa: S311  repeatable, not secret
        self._loss_ratio = loss_ratio
        self._delay_s = delay_s

    def next(self) -> Effect:
        lost = self._random.random() < self._loss_ratio
        answer_lost = not lost and self._random.random() < self._loss_ratio
        return Effect(self._random.random() * self._delay_s, lost, answer_lost)
