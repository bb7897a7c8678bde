"""``freehold``: the entry that pip links, and the only place where failures become exit codes.

No traceback ever reaches a person: what nobody foresaw is written to a file, which is named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from freehold.foundation.errors import FreeholdError

INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if words is None else words)
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader (head, a closed pager) has seen enough; Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last line of defence
        return _failed(error)
    return code


def _run(words: list[str]) -> int:
    if "_FREEHOLD_COMPLETE" not in os.environ:
        from freehold.cli import quick

        code = quick.attempt(words)
        if code is not None:
            return code
    from freehold.cli.typed import run  # typer: 50 ms

    return run(words)


def _failed(error: Exception) -> int:
    from freehold.cli.follow import InterruptedWait, interrupted_lines
    from freehold.foundation.errors import FreeholdError, PermanentFault

    if isinstance(error, InterruptedWait):
        print("", *interrupted_lines(error.operation), sep="\n", file=sys.stderr)
        return INTERRUPTED
    if not isinstance(error, FreeholdError):
        error = PermanentFault(
            f"cannot go on: {type(error).__name__}: {error}", next_command=_recorded()
        )
    return complain(error)


def complain(error: FreeholdError) -> int:
    """Print the error as people get it, and return the exit code of its class."""
    from freehold.cli.text import has_colours, painted, width_of, wrapped

    message, *rest = str(error).splitlines() or [""]
    colours = has_colours(sys.stderr)
    for line in wrapped(message, width_of(sys.stderr)):
        print(painted(line, "red", on=colours), file=sys.stderr)
    for line in rest:
        print(line, file=sys.stderr)
    if error.next_command:
        print(f"next: {error.next_command}", file=sys.stderr)
    return error.exit_code


def _recorded() -> str:
    """Write the traceback beside the daemon's log; return what to type to read it."""
    import traceback
    from pathlib import Path

    text = traceback.format_exc()
    try:
        from freehold.runtimes.local.paths import LocalPaths

        file = LocalPaths.of(os.environ, os.getuid()).data / "cli-error.log"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(file).write_text(text)
    except Exception:  # noqa: BLE001  a full disk must not hide the first error
        return "freehold doctor"
    return f"cat {file}"
