"""What holds for every test: hypothesis profiles, skips with reasons, nothing left running."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

_TAGS = (b"FREEHOLD_HOME=", b"FREEHOLD_MEMBER=")
_PYTEST = f"FREEHOLD_TESTED_BY={os.getpid()}".encode()

settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile(
    "nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

# Inherited by everything that tests start, so that leftovers can be told from other runs' and
# from a real Freehold on this machine.
os.environ["FREEHOLD_TESTED_BY"] = str(os.getpid())


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """Fail the session when a test leaves a process of Freehold behind."""
    yield
    left = dict(_tagged_processes())
    if left:
        lines = "\n".join(f"  {pid}: {command}" for pid, command in left.items())
        pytest.fail(f"tests left processes behind:\n{lines}")


def pytest_collection_modifyitems(items):
    """Slow ones last: what fails fast is known first. Stable, so folders keep their order."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A skip has to say why: an empty reason fails."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ").strip()
        if reason in ("", "Skipped", "unconditional skip"):
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} is skipped without a reason"
    return report


def _tagged_processes() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            command = (
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except OSError:
            continue  # it has ended, or belongs to somebody else
        if int(folder.name) == os.getpid() or _PYTEST not in environment or not command:
            continue
        if any(line.startswith(tag) for line in environment for tag in _TAGS):
            yield int(folder.name), command.strip()[:150]
