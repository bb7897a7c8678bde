"""Measure the member: what its sources say, and what only its agent can see."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from freehold.agent import proc, readings
from freehold.agent.probes import ask_call, decoded, readable_secrets
from freehold.agent.processes import Processes
from freehold.agent.ring import EVERY_S, SLOTS, Ring, old_rings, read_slots
from freehold.agent.worker_client import HookCall, Worker
from freehold.foundation.errors import FreeholdError
from freehold.foundation.member import MemberSpec, MetricSource, MetricSpec, Place

_TIMEOUT_S = 5.0
_MOST_POINTS = 720
_STALE_S = 60.0
_VOLUMES_S = 30.0
_SHARE_OF_WALKING = 500  # walking volumes may cost so small a part of the time
# Every agent measures these by itself: alerts and thresholds may name them without declaring them.
BUILT_IN = (
    MetricSpec(name="up", help="1 when the software runs"),
    MetricSpec(name="ready", help="1 when the software is ready"),
    MetricSpec(name="restarts_total", type="counter", help="Unplanned ends of the software"),
    MetricSpec(name="log_lines_dropped_total", type="counter", help="Lines lost to the bound"),
    MetricSpec(name="memory_bytes", unit="bytes", help="Resident memory of the software"),
    MetricSpec(name="memory_used_ratio", help="Of the memory it was given"),
    MetricSpec(name="cpu_cores", unit="cores", help="CPU the software uses"),
    MetricSpec(name="cpu_used_ratio", help="Of the CPU it was given"),
    MetricSpec(name="data_used_bytes", unit="bytes", help="On its data volumes"),
    MetricSpec(name="data_used_ratio", help="Of their size, or of their file system if fuller"),
)


class Metrics:
    def __init__(
        self,
        folder: Path,
        *,
        definition: Callable[[], tuple[MemberSpec, Place]],
        observed: Callable[[], Mapping[str, float]],
        worker: Worker,
        processes: Processes,
    ) -> None:
        self._folder = folder
        self._definition = definition
        self._observed = observed
        self._worker = worker
        self._processes = processes
        self._ring: Ring | None = None
        self._values: dict[str, tuple[float, float]] = {}  # name -> (monotonic time, value)
        self._asked_at: dict[int, float] = {}
        self._walk_after = 0.0
        self._cpu: tuple[int, float, float] | None = None  # pid, when, seconds spent so far
        self._soon = asyncio.Event()
        self.volumes_used: dict[str, int] = {}

    @property
    def latest(self) -> dict[str, float]:
        """Return the newest values; what was not renewed for a minute is unknown again."""
        oldest = time.monotonic() - _STALE_S
        return {name: value for name, (at, value) in self._values.items() if at >= oldest}

    async def run(self) -> None:
        while True:
            try:
                await self._round()
                self._store()
            except OSError:  # a full disk costs samples, not supervision
                pass
            self._soon.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), EVERY_S - time.time() % EVERY_S)

    def soon(self) -> None:
        """Measure now: the software has become ready, and somebody is looking."""
        self._asked_at.clear()
        self._soon.set()

    def series(self, since: float) -> dict[str, Any]:
        """Return at most some hundred points a name, evenly thinned."""
        span_s = min(time.time() - since, SLOTS * EVERY_S)
        step = max(1, math.ceil(span_s / EVERY_S / _MOST_POINTS))
        samples: list[tuple[float, dict[str, float]]] = []
        names: tuple[str, ...] = self._ring.names if self._ring is not None else ()
        for descriptor, slot, others in old_rings(self._folder, but=names):
            try:
                samples += read_slots(descriptor, slot, others, since, step)
            finally:
                os.close(descriptor)
        if self._ring is not None:
            samples += self._ring.since(since, step)
        samples.sort(key=lambda sample: sample[0])
        series: dict[str, list[tuple[float, float]]] = {}
        for at, values in samples:
            for name, value in values.items():
                series.setdefault(name, []).append((round(at, 3), value))
        return {"every_s": EVERY_S, "latest": self.latest, "series": series}

    def text(self) -> str:
        """Return the newest values as Prometheus text."""
        spec, _ = self._definition()
        known = {metric.name: metric for metric in (*BUILT_IN, *_metrics_of(spec))}
        labels = f'{{service="{spec.service}",member="{spec.name}"}}'
        lines = []
        for name, value in sorted(self.latest.items()):
            metric = known.get(name, MetricSpec(name=name))
            lines.append(f"# HELP {name} {metric.help or name}")
            lines.append(f"# TYPE {name} {metric.type}")
            lines.append(f"{name}{labels} {value!r}")
        return "\n".join([*lines, ""])

    async def _round(self) -> None:
        spec, place = self._definition()
        self._measure_processes(spec)
        await self._measure_volumes(spec, place)
        now = time.monotonic()
        runs = self._observed()["pid"] > 0
        due = [
            (number, source)
            for number, source in enumerate(spec.metric_sources)
            if runs and now - self._asked_at.get(number, -1e9) >= source.every_s - EVERY_S / 2
        ]
        for number, source in due:
            self._asked_at[number] = now
            try:
                self._note(await self._ask(source, spec, place))
            except FreeholdError:
                continue  # the probes tell what is wrong; here a value is merely unknown

    async def _ask(self, source: MetricSource, spec: MemberSpec, place: Place) -> dict[str, float]:
        if source.http is not None:
            answer = await ask_call(source.http, place, _TIMEOUT_S)
            if answer.status != 200:
                return {}
            if source.format == "prometheus":
                text = answer.body.decode(errors="replace")
                return readings.from_prometheus(text, source.metrics)
            return readings.from_json(decoded(answer.body), source.metrics)
        call = HookCall(
            kind="metrics",
            hook=source.hook,
            within_s=_TIMEOUT_S,
            secrets=readable_secrets(spec, place),
            main_pid=int(self._observed()["pid"]),
        )
        answer_of_hook = await self._worker.call(spec, place, call)
        return readings.from_mapping(answer_of_hook.get("value"), source.metrics)

    def _measure_processes(self, spec: MemberSpec) -> None:
        observed = self._observed()
        main = int(observed["pid"])
        values = {
            "up": float(main > 0),
            "ready": observed["ready"],
            "restarts_total": observed["restarts"],
            "log_lines_dropped_total": observed["lines_dropped"],
        }
        family = proc.family_of(main, self._processes.tag) if main else frozenset[int]()
        stats = [found for pid in family if (found := proc.stat(pid)) is not None]
        memory = float(sum(found.resident_bytes for found in stats))
        spent, now = sum(found.cpu_s for found in stats), time.monotonic()
        values["memory_bytes"] = memory
        if spec.memory_bytes:
            values["memory_used_ratio"] = round(memory / spec.memory_bytes, 4)
        before, self._cpu = self._cpu, (main, now, spent)
        if before is not None and before[0] == main and now > before[1]:
            cores = max(0.0, spent - before[2]) / (now - before[1])
            values["cpu_cores"] = round(cores, 4)
            if spec.cpu:
                values["cpu_used_ratio"] = round(cores / spec.cpu, 4)
        self._note(values)

    async def _measure_volumes(self, spec: MemberSpec, place: Place) -> None:
        now = time.monotonic()
        if now < self._walk_after:
            return
        # In a thread: a volume of many files must not keep probes and restarts waiting.
        self.volumes_used = {
            name: await asyncio.to_thread(_used, path) for name, path in place.volumes.items()
        }
        spent = time.monotonic() - now
        self._walk_after = now + max(_VOLUMES_S, spent * _SHARE_OF_WALKING)
        data = [volume for volume in spec.volumes if volume.kind == "data"]
        ratios = [
            max(
                self.volumes_used.get(volume.name, 0) / volume.size_bytes
                if volume.size_bytes
                else 0.0,
                _fullness(place.volumes[volume.name]),
            )
            for volume in data
            if volume.name in place.volumes
        ]
        used = sum(self.volumes_used.get(volume.name, 0) for volume in data)
        values = {"data_used_bytes": float(used)}
        if ratios:
            values["data_used_ratio"] = round(max(ratios), 4)
        self._note(values)

    def _note(self, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        self._values |= {name: (now, value) for name, value in values.items()}

    def _store(self) -> None:
        spec, _ = self._definition()
        names = [metric.name for metric in (*BUILT_IN, *_metrics_of(spec))]
        wanted = tuple(dict.fromkeys(names))
        if self._ring is None or self._ring.names != wanted:
            if self._ring is not None:
                self._ring.close()
                self._ring = None
            self._ring = Ring(self._folder, wanted)
        self._ring.add(time.time(), self.latest)


def _metrics_of(spec: MemberSpec) -> list[MetricSpec]:
    return [metric for source in spec.metric_sources for metric in source.metrics]


def _fullness(folder: str) -> float:
    try:
        room = os.statvfs(folder)
    except OSError:
        return 0.0
    return 1.0 - room.f_bavail / room.f_blocks if room.f_blocks else 0.0


def _used(folder: str) -> int:
    """Return the bytes that a folder's files occupy; links are not followed."""
    total, folders = 0, [folder]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue
    return total
