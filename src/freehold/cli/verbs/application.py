"""A typer application whose help is plain text with plain usage lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand


class PlainCommand(TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Say ``SERVICE`` where typer says ``{SERVICE}``."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class Verbs(typer.Typer):
    """Commands of one subject."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(rich_markup_mode=None, **attributes)

    def command(  # type: ignore[override]  # takes what typer takes, adds one default
        self, name: str | None = None, **attributes: Any
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        return super().command(name, cls=PlainCommand, **attributes)
