"""How long to wait before what was in vain is tried again. Pure.

Only what cannot place an order is ever tried again.
"""

from __future__ import annotations

from collections.abc import Callable

Draw = Callable[[], float]
"""A chance from 0 to 1."""

TRIES_MAX = 3
"""Of one read, in all: whoever asked asks again later, and then it begins anew."""

TRIES_MAX_OF_MANY = 6
"""Of one read among many that count together or not at all: a long downtime's pages. With three of
ten calls lost, one of 1,400 is lost six times in a row; of three tries it would be one of 37."""

SLOW_S = 4.0
"""A read that was in vain for so long is not tried again by itself: the next would keep its lane
for as long, an exit behind it perhaps, and whoever asked knows other ways to ask."""

FIRST_S = 0.25
MOST_S = 30.0
DOUBLINGS_MAX = 10

JITTER_LEAST = 0.5


def tries_max(took_s: float, *, is_one_of_many: bool) -> int:
    """Return how often a read may be made whose last try took some seconds, and was in vain."""
    if is_one_of_many:
        return TRIES_MAX_OF_MANY
    return 1 if took_s >= SLOW_S else TRIES_MAX


def pause_s(times: int, draw: Draw, *, first_s: float = FIRST_S, most_s: float = MOST_S) -> float:
    """Return the pause after so many times in vain, from 1: doubling, bounded, half of it chance.

    Chance keeps those whom one fault has hit from coming back all at once.
    """
    whole_s = min(most_s, first_s * 2.0 ** min(times - 1, DOUBLINGS_MAX))
    return whole_s * (JITTER_LEAST + (1 - JITTER_LEAST) * draw())
