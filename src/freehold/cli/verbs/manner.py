"""The options that every changing verb shares, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from freehold.cli.changing import Manner
from freehold.cli.options import DryRun, Output, OutputOption, Timeout, Wait, Yes

_SHARED: dict[str, tuple[Any, Any]] = {
    "dry_run": (DryRun, False),
    "wait": (Wait, True),
    "timeout": (Timeout, ""),
    "yes": (Yes, False),
    "output": (OutputOption, Output.TEXT),
}


def changing(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options; they reach ``verb`` as its argument ``manner``.

    typer reads a command's options from its signature, so the signature is put together here.
    """
    signature = inspect.signature(verb, eval_str=True)
    own = [each for each in signature.parameters.values() if each.name != "manner"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _SHARED.items()
    ]

    def command(**given: Any) -> None:
        values = {name: given.pop(name) for name in _SHARED}
        values["output"] = values["output"].value
        verb(**given, manner=Manner(**values))

    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own] + shared
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    return command
