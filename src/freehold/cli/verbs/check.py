"""check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from freehold.cli.client import connected
from freehold.cli.options import Output, OutputOption, Service
from freehold.cli.output import show
from freehold.cli.text import say
from freehold.cli.verbs.application import Verbs
from freehold.foundation.errors import TransientFault

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold check orders
  freehold check orders -o json

\b
Exit code 0: what was written was read back. 75: it was not.
""",
)
def check(service: Service, output: OutputOption = Output.TEXT) -> None:
    """Write one thing and read it back, in a place of its own that expires."""
    answer = connected(say).send("POST", f"/v1/services/{service}/check")
    show(answer, output.value, _lines)
    if not answer["passed"]:
        raise TransientFault(
            f"cannot write and read back on {service}: {answer['detail']}",
            next_command=f"freehold status {service}",
        )


def _lines(answer: Any) -> Iterator[str]:
    if answer["passed"]:
        where = f" at {answer['member']}" if answer.get("member") else ""
        yield f"{answer['service']}: passed in {answer['seconds']:.2f}s{where}: {answer['detail']}"
