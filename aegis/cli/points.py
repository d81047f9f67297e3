"""Places in the log as people name them: the number of an event, or a time in UTC."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis.cli.dates import RANGE, seconds_of
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.domain.points import Point

PointGiven = Annotated[str, typer.Argument(metavar="TIME|EVENT", help="A UTC time, or an event.")]
FromPoint = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME|EVENT", help="From there on, inclusive.", show_default=False
    ),
]
ToPoint = Annotated[
    str | None,
    typer.Option("--to", metavar="TIME|EVENT", help="Up to there, inclusive.", show_default=False),
]

FRACTION_DIGITS_MAX = 9

EXPECTED = (
    f"expected a UTC time {RANGE}, as 2025-01-31 or 2025-01-31T10:00:05.5, "
    "or the number of an event"
)


def point_of(text: str, hint: str) -> Point:
    """Return the place that a person means; `typer.BadParameter` names the option by `hint`.

    A date is its first moment, and a time to the second is that second's.
    """
    is_number = text.isascii() and text.isdecimal()
    try:
        return Point(int(text), is_time=False) if is_number else _time_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"{EXPECTED}, was {text!r}", param_hint=hint) from error


def _time_of(text: str) -> Point:
    whole, point, fraction = text.removesuffix("Z").partition(".")
    is_short = fraction.isascii() and fraction.isdecimal() and len(fraction) <= FRACTION_DIGITS_MAX
    if point and not is_short:
        raise ValueError(text)
    seconds = seconds_of(whole)
    nanos = int(fraction.ljust(FRACTION_DIGITS_MAX, "0") or 0)
    return Point(seconds * NANOS_PER_SECOND + nanos, is_time=True)
