"""Measure the member: what its sources say, and what only its agent can see."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from freehold.agent import proc, readings
from freehold.agent.probes import ask_call, decoded, readable_secrets
from freehold.agent.processes import Processes
from freehold.agent.ring import EVERY_S, Ring, old_rings, read_slots
from freehold.agent.worker_client import Worker
from freehold.foundation.errors import FreeholdError
from freehold.foundation.member import MemberSpec, MetricSource, MetricSpec, Place

_TIMEOUT_S = 5.0
_MOST_POINTS = 720
_VOLUMES_S = 30.0
_SHARE_OF_WALKING = 500  # walking volumes may cost so small a part of the time
_BUILT_IN = (
    MetricSpec(name="process_resident_bytes", unit="bytes", help="Memory of the software"),
    MetricSpec(name="process_cpu_seconds", type="counter", unit="s", help="CPU of the software"),
    MetricSpec(name="process_restarts", type="counter", help="Unplanned ends of the software"),
    MetricSpec(name="member_ready", help="1 when the software is ready"),
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
        self.volumes_used: dict[str, int] = {}

    @property
    def latest(self) -> dict[str, float]:
        """Return the newest values; what was not renewed for a minute is unknown again."""
        oldest = time.monotonic() - 60.0
        return {name: value for name, (at, value) in self._values.items() if at >= oldest}

    async def run(self) -> None:
        while True:
            try:
                await self._round()
                self._store()
            except OSError:  # a full disk costs samples, not supervision
                pass
            await asyncio.sleep(EVERY_S - time.time() % EVERY_S)

    def series(self, since: float) -> dict[str, Any]:
        """Return at most some hundred points a name, evenly thinned."""
        samples: list[tuple[float, dict[str, float]]] = []
        names: tuple[str, ...] = self._ring.names if self._ring is not None else ()
        for descriptor, slot, others in old_rings(self._folder, but=names):
            try:
                samples += read_slots(descriptor, slot, others, since)
            finally:
                os.close(descriptor)
        if self._ring is not None:
            samples += self._ring.since(since)
        samples.sort(key=lambda sample: sample[0])
        step = max(1, -(-len(samples) // _MOST_POINTS))
        series: dict[str, list[tuple[float, float]]] = {}
        for at, values in samples[::-1][::step][::-1]:
            for name, value in values.items():
                series.setdefault(name, []).append((round(at, 3), value))
        return {"every_s": EVERY_S * step, "latest": self.latest, "series": series}

    def text(self) -> str:
        """Return the newest values as Prometheus text."""
        spec, _ = self._definition()
        known = {metric.name: metric for metric in (*_BUILT_IN, *_metrics_of(spec))}
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
        self._measure_processes()
        self._measure_volumes(place)
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
        answer_of_hook = await self._worker.call(
            spec,
            place,
            kind="metrics",
            hook=source.hook,
            within_s=_TIMEOUT_S,
            secrets=readable_secrets(spec, place),
            main_pid=int(self._observed()["pid"]),
        )
        return readings.from_mapping(answer_of_hook.get("value"), source.metrics)

    def _measure_processes(self) -> None:
        observed = self._observed()
        values = {
            "process_restarts": observed["restarts"],
            "member_ready": observed["ready"],
        }
        main = int(observed["pid"])
        if main:
            family = {main} | set(self._processes.living("main"))
            stats = [found for pid in family if (found := proc.stat(pid)) is not None]
            values["process_resident_bytes"] = float(sum(s.resident_bytes for s in stats))
            values["process_cpu_seconds"] = round(sum(s.cpu_s for s in stats), 2)
        self._note(values)

    def _measure_volumes(self, place: Place) -> None:
        now = time.monotonic()
        if now >= self._walk_after:
            self.volumes_used = {name: _used(path) for name, path in place.volumes.items()}
            spent = time.monotonic() - now
            self._walk_after = now + max(_VOLUMES_S, spent * _SHARE_OF_WALKING)
        for name, path in place.volumes.items():
            label = name.replace("-", "_")
            try:
                room = os.statvfs(path)
            except OSError:
                continue
            used = float(self.volumes_used.get(name, 0))
            free = float(room.f_bavail * room.f_frsize)
            self._note({f"volume_{label}_used_bytes": used, f"volume_{label}_free_bytes": free})

    def _note(self, values: Mapping[str, float]) -> None:
        now = time.monotonic()
        self._values |= {name: (now, value) for name, value in values.items()}

    def _store(self) -> None:
        spec, place = self._definition()
        names = [metric.name for metric in (*_BUILT_IN, *_metrics_of(spec))]
        for volume in place.volumes:
            label = volume.replace("-", "_")
            names += [f"volume_{label}_used_bytes", f"volume_{label}_free_bytes"]
        wanted = tuple(dict.fromkeys(names))
        if self._ring is None or self._ring.names != wanted:
            if self._ring is not None:
                self._ring.close()
                self._ring = None
            self._ring = Ring(self._folder, wanted)
        self._ring.add(time.time(), self.latest)


def _metrics_of(spec: MemberSpec) -> list[MetricSpec]:
    return [metric for source in spec.metric_sources for metric in source.metrics]


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
