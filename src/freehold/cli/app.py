"""The typer application, built of only those modules that the typed words need."""

from __future__ import annotations

import importlib
from typing import Any

import typer
from typer.core import TyperGroup

from freehold.cli.table import ALIASES, COMMANDS, GROUPS

_TOP = "Cloud services you own: open source software, delivered as a service."
_EXAMPLES = """\b
Examples:
  freehold catalog                                 what there is
  freehold install PACKAGE                         as the package advises
  freehold install PACKAGE orders --preset dev     small, named orders
  freehold status orders --watch                   see it live
  freehold bind orders my-app                      credentials for my-app

\b
Every command has --help with examples. Exit codes: 0 done, 2 wrong input,
3 refused, 4 not found, 70 failed, 75 try again later, 130 interrupted.
"""


class Root(TyperGroup):
    """Lists the commands from the table: the modules that hold them need not be imported."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        del ctx
        longest = max(map(len, COMMANDS))
        for title, rows in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{name:<{longest}}", line) for name, (_, line) in rows.items()]
                )

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))


def build(words: list[str]) -> typer.Typer:
    """Return the application for these words: one module's commands, or all of them."""
    app = typer.Typer(
        name="freehold",
        cls=Root,
        help=_TOP,
        epilog=_EXAMPLES,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,  # plain text: 80 columns, no 60 ms for a picture of a box
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    )
    app.callback()(_root)
    for name in _modules(words):
        module = importlib.import_module(f"freehold.cli.verbs.{name}")
        app.add_typer(module.app)
    return app


def _say_version(asked: bool) -> None:
    if asked:
        from freehold import __version__

        print(f"freehold {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and leave.",
        callback=_say_version,
        is_eager=True,  # before a command is looked for
    ),
) -> None:
    del version


def _modules(words: list[str]) -> list[str]:
    verb = next((word for word in words if not word.startswith("-")), "")
    verb = ALIASES.get(verb, verb)
    if verb in COMMANDS:
        return [COMMANDS[verb]]
    return sorted(set(COMMANDS.values()))
