"""What a step is called, whom it concerns and whether it hurts: for journal, screens and tests."""

from __future__ import annotations

from freehold.engine.plan import (
    DestroyVolumes,
    FetchSoftware,
    Forget,
    IssueSecrets,
    Step,
)


def describe(step: Step) -> str:
    """Return what the step does, in words: ``start orders-node-1``. The same for equal steps."""
    return str(step)


def subject(step: Step) -> str:
    """Return the member the step concerns, "" when it concerns the whole service."""
    return "" if isinstance(step, FetchSoftware | IssueSecrets | Forget) else step.member


def destroys(step: Step) -> bool:
    """Say whether something is gone for good after it."""
    return isinstance(step, DestroyVolumes | Forget)
