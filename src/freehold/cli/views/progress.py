"""What changed between two views of one operation, as lines; and the picture of the moment.

Pure. The plain form prints only the changes; the live form prints the changes above and redraws
the picture below them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from freehold.cli.text import age, cut, painted, painted_state

View = Mapping[str, Any]

_BAR_CELLS = 20


@dataclass(slots=True)
class Story:
    """What has been told already of one operation, so that nothing is told twice."""

    colours: bool
    told_steps: dict[tuple[str, float], str] = field(default_factory=dict)
    told_tenths: dict[tuple[str, float], int] = field(default_factory=dict)
    told_members: dict[str, str] = field(default_factory=dict)
    told_waits: tuple[str, ...] = ()
    begun: bool = False

    def news(self, view: View, *, now: float, tell_running: bool) -> Iterator[str]:
        """Yield one line for each change since the last call.

        Args:
            tell_running: also starts and every tenth of a step's progress, for readers who see
                no picture.
        """
        elapsed = _elapsed(view, now)
        for step in view.get("steps") or ():
            at = _elapsed(view, step.get("ended_at") or now)
            yield from (f"{at} {line}" for line in self._of_step(step, tell_running))
        for member in view.get("members") or ():
            yield from (f"{elapsed} {line}" for line in self._of_member(member))
        self.begun = True
        waits = tuple(_telling_waits(view))
        if tell_running:
            new = [wait for wait in waits if wait not in self.told_waits]
            yield from (f"{elapsed} … {wait}" for wait in new)
            self.told_waits = waits

    def _of_step(self, step: View, tell_running: bool) -> Iterator[str]:
        key = (step["step"], step.get("started_at") or 0.0)
        outcome = step.get("outcome") or ""
        before = self.told_steps.get(key)
        if before is None and not outcome and tell_running:
            yield f"· {step['step']}: {step['because']}"
        if not outcome and tell_running:
            yield from self._tenth(key, step)
        if outcome and before != outcome:
            seconds = (step.get("ended_at") or 0.0) - (step.get("started_at") or 0.0)
            mark = painted("✓", "green", on=self.colours)
            if outcome == "done":
                took = f" ({seconds:.1f}s)" if seconds >= 0.1 else ""
                yield f"{mark} {step['step']}{took}"
            else:
                mark = painted("✗", "red", on=self.colours)
                yield f"{mark} {step['step']}: {outcome}"
        self.told_steps[key] = outcome

    def _tenth(self, key: tuple[str, float], step: View) -> Iterator[str]:
        ratio = step.get("ratio")
        if ratio is None:
            return
        tenth = int(ratio * 10)
        if tenth > self.told_tenths.get(key, 0):
            self.told_tenths[key] = tenth
            note = f", {step['note']}" if step.get("note") else ""
            yield f"· {step['step']}: {tenth * 10} %{note}"

    def _of_member(self, member: View) -> Iterator[str]:
        state, before = member["state"], self.told_members.get(member["name"])
        was_so = before is None and not self.begun and state in ("ready", "stopped")
        if state == before or was_so or (before is None and state == "missing"):
            self.told_members[member["name"]] = state
            return
        self.told_members[member["name"]] = state
        word = painted_state(state, on=self.colours)
        change = f"{before} → {word}" if before else word
        where = f" at {member['address']}" if state == "ready" and member.get("address") else ""
        reason = member.get("reason") or member.get("last_exit") or ""
        why = f": {reason}" if reason and state not in ("ready", "stopped") else ""
        yield f"  {member['name']}: {change}{where}{why}"


def picture(view: View, *, now: float, width: int, height: int, colours: bool) -> list[str]:
    """Return what goes on at this moment, at most ``height`` lines of at most ``width`` columns."""
    running = [step for step in view.get("steps") or () if not step.get("outcome")]
    lines = [f"{view['verb']} {view['service']}  {age(now - view['created_at'])}"]
    lines += [cut(f"  · {_running(step)}", width) for step in running]
    members = view.get("members") or ()
    longest = max((len(member["name"]) for member in members), default=0)
    for member in members:
        lines.append(_member_line(member, longest, width, colours))
    lines += [cut(f"  … {wait}", width) for wait in _telling_waits(view)]
    lines[0] = painted(cut(lines[0], width), "bold", on=colours)
    if len(lines) > height:
        lines = [*lines[: height - 1], f"  … {len(lines) - height + 1} more lines"]
    return lines


def _telling_waits(view: View) -> list[str]:
    """Return the waits that say more than the members' own lines do."""
    reasons = [each["reason"] for each in view.get("members") or () if each.get("reason")]
    waits = view.get("waits") or ()
    return [wait for wait in waits if not any(reason in wait for reason in reasons)]


def bar(ratio: float) -> str:
    full = round(max(0.0, min(ratio, 1.0)) * _BAR_CELLS)
    return f"[{'#' * full}{'.' * (_BAR_CELLS - full)}] {ratio * 100:3.0f} %"


def _running(step: View) -> str:
    done = f" {bar(step['ratio'])}" if step.get("ratio") is not None else ""
    detail = step.get("note") or ("" if done else step["because"])
    return f"{step['step']}{done}" + (f"  {detail}" if detail else "")


def _member_line(member: View, longest: int, width: int, colours: bool) -> str:
    reason = member.get("reason") or member.get("last_exit") or ""
    told = reason if reason and member["state"] not in ("ready", "stopped") else ""
    detail = told or member.get("address") or ""
    head = f"  {member['name']:<{longest}}  "
    state = painted_state(member["state"], on=colours, width=9)
    return f"{head}{state} {cut(detail, width - len(head) - 10)}".rstrip()


def _elapsed(view: View, now: float) -> str:
    end = min(view.get("ended_at") or now, now)
    return f"{max(end - view['created_at'], 0.0):6.1f}s"
