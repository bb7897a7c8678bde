"""Run words through typer, and say its complaints the way all others are said."""

from __future__ import annotations

import os

import typer
from typer._completion_classes import completion_init
from typer.core import TyperGroup
from typer.exceptions import TyperException

from freehold.cli.app import build
from freehold.foundation.errors import DefinitionError

COMPLETE = "_FREEHOLD_COMPLETE"


def run(words: list[str]) -> int:
    """Return the exit code. Raises FreeholdError."""
    command = typer.main.get_command(build(words))
    assert isinstance(command, TyperGroup)  # noqa: S101  mypy: a callback makes it a group
    if COMPLETE in os.environ:
        completion_init()  # typer does this only where it adds options of its own
    try:
        result = command.main(
            args=words,
            prog_name="freehold",
            complete_var=COMPLETE,
            standalone_mode=False,
        )
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a group alone: what can follow is asked
            print(error.format_message())
            return 0
        raise _wrong_words(error) from error
    return result if isinstance(result, int) else 0


def _wrong_words(error: TyperException) -> DefinitionError:
    message = error.format_message().strip()
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "freehold"
    message = message.replace("valid int range", "number in its range").replace(
        "valid int", "number"
    )
    lowered = message[:1].lower() + message[1:].removesuffix(".")
    return DefinitionError(f"cannot run '{path}': {lowered}", next_command=f"{path} --help")
