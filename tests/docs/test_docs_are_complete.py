"""What exists is documented, what is documented exists."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer

from freehold.cli.app import build
from freehold.cli.table import COMMANDS
from freehold.foundation import errors

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md"), *ROOT.glob("catalog/*/*.md")])
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def generator():
    place = importlib.util.spec_from_file_location("generate", ROOT / "docs/generate.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date():
    stale = [
        str(path.relative_to(ROOT))
        for path, text in generator().pages().items()
        if not path.exists() or path.read_text() != text
    ]
    assert not stale, "run: .venv/bin/python docs/generate.py"


def test_every_command_has_its_place_in_the_reference():
    text = (ROOT / "docs/reference/commands.md").read_text()
    for name in COMMANDS:
        assert f"### freehold {name}\n" in text


def test_every_error_class_is_documented_with_its_codes():
    text = (ROOT / "docs/reference/errors.md").read_text()
    kinds = errors.FreeholdError.__subclasses__()
    assert kinds
    for kind in kinds:
        row = next(line for line in text.splitlines() if f"`{kind.__name__}`" in line)
        assert row.split("|")[3:5] == [f" {kind.exit_code} ", f" {kind.http_status} "]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def examples() -> list[tuple[str, str]]:
    """Every ``freehold …`` line of every shell block."""
    return [
        (str(page.relative_to(ROOT)), command.strip())
        for page in PAGES
        for block in BLOCK.findall(page.read_text())
        for line in block.splitlines()
        for command in re.findall(r"(?:^|[{;|]\s*|&& )(freehold [^;|#]+)", line.strip())
    ]


@pytest.mark.parametrize(("page", "command"), examples(), ids=lambda value: value)
def test_every_example_is_a_command_that_exists(page, command):
    words = shlex.split(command.replace("…", "x"))[1:]
    command_object = typer.main.get_command(build(words))
    context = command_object.make_context("freehold", list(words))
    while hasattr(context.command, "commands"):
        name, *rest = [*context._protected_args, *context.args]
        inner = context.command.get_command(context, name)
        assert inner is not None, f"{page}: no command {name}"
        context = inner.make_context(name, rest, parent=context)


def test_the_readme_tells_its_commands_in_order():
    told = [command.split()[1] for page, command in examples() if page == "README.md"]
    wanted = ["bind", "connect", "status", "check", "logs", "stop", "start", "purge"]
    assert told == wanted
    text = (ROOT / "README.md").read_text()
    assert text.index("./setup.sh install cassandra") < text.index("freehold bind")
    assert ".ci/test" in text
