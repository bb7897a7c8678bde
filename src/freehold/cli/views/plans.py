"""How a plan looks: the answer to ``--dry-run``, and the head of every change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from freehold.cli.text import amount, cut, painted, wrapped

View = Mapping[str, Any]
_SHOWN_STEPS = 14


def plan_lines(plan: View, *, width: int, colours: bool, whole: bool) -> Iterator[str]:
    """Yield the plan: what it comes to, warnings, then the steps by stage with their reasons.

    Args:
        whole: every step; otherwise the first few and how many more there are.
    """
    # The summary begins with the service's name.
    first, *rest = wrapped(f"plan: {plan['verb']} {plan['summary']}", width)
    yield painted(first, "bold", on=colours)
    yield from rest
    sizes = [
        f"{word} {amount(plan[key])}"
        for key, word in (
            ("download_bytes", "download"),
            ("memory_bytes", "memory"),
            ("disk_bytes", "disk"),
        )
        if plan.get(key)
    ]
    if sizes:
        yield f"  needs: {', '.join(sizes)}"
    if plan.get("survives"):
        yield from wrapped(f"survives: {plan['survives']}", width, "  ")
    for warning in plan.get("warnings") or ():
        for line in wrapped(f"note: {warning}", width, "  "):
            yield painted(line, "yellow", on=colours)
    yield from _steps(plan.get("steps") or (), width=width, colours=colours, whole=whole)


def _steps(steps: Sequence[View], *, width: int, colours: bool, whole: bool) -> Iterator[str]:
    if not steps:
        yield "  nothing to do"
        return
    shown = steps if whole or len(steps) <= _SHOWN_STEPS + 1 else steps[:_SHOWN_STEPS]
    stages = [step.get("stage") or 0 for step in steps]
    first = min(stages)
    stages = [stage - first + 1 for stage in stages]  # rounds in which nothing is done are no news
    places = len(str(max(stages)))
    for stage_number, step in zip(stages, shown, strict=False):
        mark = "  "
        if step.get("destroys"):
            mark = painted("! ", "red", on=colours)
        elif step.get("interrupts"):
            mark = painted("~ ", "yellow", on=colours)
        stage = f"{stage_number:>{places}}"
        body = cut(f"{stage}. {step['step']}: {step['because']}", width - 4)
        yield f"  {mark}{body}"
    if len(shown) < len(steps):
        yield f"    … and {len(steps) - len(shown)} more steps (all with --dry-run)"
    if any(step.get("destroys") for step in steps):
        yield "  ! removes data or a member's place: cannot be undone"
    if any(step.get("interrupts") for step in steps):
        yield "  ~ clients of that member may notice"


def destroys(plan: View) -> bool:
    return any(step.get("destroys") for step in plan.get("steps") or ())
