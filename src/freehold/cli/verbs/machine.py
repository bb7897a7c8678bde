"""doctor, adopt, version."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from freehold import __version__
from freehold.cli.client import connected
from freehold.cli.options import DryRun, Output, OutputOption
from freehold.cli.output import show
from freehold.cli.text import has_colours, painted_state, say, width_of, wrapped
from freehold.cli.verbs.application import Verbs
from freehold.foundation.errors import FreeholdError, PermanentFault

app = Verbs()


@app.command(
    epilog="""\b
Examples:
  freehold doctor
  freehold doctor -o json

\b
Exit code 0: no problem (warnings are none). 70: at least one problem.
""",
)
def doctor(output: OutputOption = Output.TEXT) -> None:
    """Find what is wrong on this machine; each finding comes with its fix."""
    findings = connected(say).get("/v1/doctor")
    show(findings, output.value, _findings)
    problems = sum(finding["status"] == "problem" for finding in findings)
    if problems:
        raise PermanentFault(f"cannot call this machine healthy: {problems} problem(s) found")


@app.command(
    epilog="""\b
Examples:
  freehold adopt --dry-run
  freehold adopt

\b
For a lost or damaged state database. Reads what each member's folder says of
its service; makes no new secret and touches no data. Running members go on.
""",
)
def adopt(dry_run: DryRun = False, output: OutputOption = Output.TEXT) -> None:
    """Rebuild a lost state database from the members' folders."""
    answer = connected(say).send("POST", "/v1/adopt", {"dry_run": dry_run})
    show(answer, output.value, _adopted)


@app.command(
    epilog="\b\nExamples:\n  freehold version\n  freehold version --client\n  freehold version -o json\n"
)
def version(
    client: Annotated[bool, typer.Option("--client", help="Only this program's.")] = False,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show the versions of the client and of the daemon, if one runs."""
    answer: dict[str, Any] = {"client": {"version": __version__}}
    if not client:
        try:
            answer["daemon"] = connected(say, start=False).get("/v1/version")
        except FreeholdError:
            answer["daemon"] = None  # not running: none is started just to be asked its version
    show(answer, output.value, _versions)


def _versions(answer: dict[str, Any]) -> Iterator[str]:
    yield f"client: {answer['client']['version']}"
    if "daemon" in answer:
        daemon = answer["daemon"]
        yield f"daemon: {daemon['version'] if daemon else 'does not run'}"
        if daemon and daemon["version"] != answer["client"]["version"]:
            yield "next: freehold daemon restart   (services go on meanwhile)"


def _findings(findings: Sequence[dict[str, Any]]) -> Iterator[str]:
    width, colours = width_of(sys.stdout), has_colours(sys.stdout)
    longest = max((len(finding["check"]) for finding in findings), default=0)
    for finding in findings:
        state = painted_state(finding["status"], on=colours, width=7)
        room = max(width - longest - 11, 20)
        first, *rest = wrapped(finding["message"], room, hang="") or [""]
        yield f"{state}  {finding['check']:<{longest}}  {first}"
        yield from (f"{'':<{longest + 11}}{line}" for line in rest)
        if finding.get("fix"):
            yield f"{'':<{longest + 11}}fix: {finding['fix']}"
    if not findings:
        yield "nothing was found wrong"


def _adopted(answer: Any) -> Iterator[str]:
    if answer["services"]:
        word = "would be adopted" if answer["dry_run"] else "adopted"
        yield f"{word}: {', '.join(answer['services'])}"
    if answer["known"]:
        yield f"known already: {', '.join(answer['known'])}"
    for problem in answer["problems"]:
        yield from wrapped(f"left alone: {problem}", width_of(sys.stdout))
    if answer["set_aside"]:
        yield f"the former database is kept: {answer['set_aside']}"
    if not answer["services"] and not answer["known"]:
        yield "no service was found in the members' folders"
    elif not answer["dry_run"]:
        yield "next: freehold list"
