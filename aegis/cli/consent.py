"""`--live` on every command: a consent where one is asked for, and unheeded everywhere else.

Who trades live says it out of habit, or by an alias; nobody should be turned away for that while
a position is open.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated

import typer

NAME = "live"
Unneeded = Annotated[
    bool, typer.Option("--live", metavar="", help="Not needed here: no consent is asked.")
]


def taking_live(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that takes `--live`, and goes by it only if it did so already."""
    signature = inspect.signature(command, eval_str=True)
    if NAME in signature.parameters:
        return command

    @wraps(command)
    def taken(*places: object, live: bool = False, **given: object) -> None:
        assert isinstance(live, bool), f"Expected a flag, was {live!r}"
        command(*places, **given)

    option = inspect.Parameter(
        NAME, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Unneeded
    )
    parameters = (*signature.parameters.values(), option)
    taken.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # typer reads it
    taken.__annotations__ = {each.name: each.annotation for each in parameters}
    return taken
