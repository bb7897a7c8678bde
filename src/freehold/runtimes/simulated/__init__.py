"""Members in memory, with a fake clock and faults on demand: years of operation in seconds."""

from freehold.runtimes.simulated.clock import FakeClock
from freehold.runtimes.simulated.effects import perform
from freehold.runtimes.simulated.faults import CrashAt, LoopKilled, Weather
from freehold.runtimes.simulated.member import Habits, SimulatedMember, Software
from freehold.runtimes.simulated.runtime import (
    SimulatedRuntime,
    SimulatedSecrets,
    SimulatedSoftware,
)
from freehold.runtimes.simulated.world import SimulatedService, SimulatedWorld

__all__ = [
    "CrashAt",
    "FakeClock",
    "Habits",
    "LoopKilled",
    "SimulatedMember",
    "SimulatedRuntime",
    "SimulatedSecrets",
    "SimulatedService",
    "SimulatedSoftware",
    "SimulatedWorld",
    "Software",
    "Weather",
    "perform",
]
