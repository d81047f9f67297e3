"""How figures, instants and paths are written for people; JSON has them exact."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path

from aegis.cli.calling import as_called
from aegis.domain.ids import Coin, Instant
from aegis.domain.instants import text_of
from aegis.domain.money import text

DIGITS = 2
DIGITS_OF_COINS: Mapping[str, int] = {"BTC": 8, "ETH": 8}
"""Quote coins of which a hundredth is a lot of money."""

PRICE_DIGITS = ((Decimal(100), 2), (Decimal(1), 4), (Decimal(0), 8))
"""From which price on how many decimals; a mean price may have 34 digits."""

NOTHING = "-"

COINS_SHOWN_MAX = 12
"""On one line of a terminal."""


def money(value: Decimal | str | None, quote: Coin) -> str:
    """Return a sum of a quote coin, rounded for people."""
    if value is None:
        return NOTHING
    return f"{Decimal(value):,.{DIGITS_OF_COINS.get(quote, DIGITS)}f}"


def price(value: object) -> str:
    """Return a price, given as text, with as many decimals as its size asks for."""
    if value is None:
        return NOTHING
    exact = Decimal(str(value))
    digits = next(digits for least, digits in PRICE_DIGITS if abs(exact) >= least)
    return f"{exact:,.{digits}f}"


def percent(value: Decimal) -> str:
    """Return a per cent, rounded for people."""
    return f"{value:.2f} %"


def amount(value: object) -> str:
    """Return an amount of a coin with all its digits, as a view has it."""
    return NOTHING if value is None else str(value)


def balances(coins: Mapping[Coin, Decimal]) -> str:
    """Return what there is of each coin, in full; of more than a few coins, how many more."""
    few = islice(coins.items(), COINS_SHOWN_MAX)
    told = [f"{text(amount)} {coin}" for coin, amount in few]
    if len(coins) > COINS_SHOWN_MAX:
        told.append(f"and {len(coins) - COINS_SHOWN_MAX:,} coins more")
    return ", ".join(told) or "none"


def moment(at: object) -> str:
    """Return an instant, as text or as nanoseconds, to the second."""
    if at is None or at == "":
        return NOTHING
    written = text_of(Instant(at)) if isinstance(at, int) else str(at)
    return written[:19].replace("T", " ")


def shown(path: Path) -> str:
    """Return a path as a person in the working folder would name it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def no_store_at(path: Path) -> str:
    """Return the line for whoever looks before the first run."""
    return f"No store yet at {shown(path)}; start with: {as_called('python run.py')}"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def span(seconds: Decimal | int | None) -> str:
    """Return a length of time by its two largest units."""
    if seconds is None:
        return NOTHING
    whole = int(seconds)
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def size(count: int) -> str:
    """Return bytes in the unit that gives one to three digits before the point."""
    for unit, worth in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= worth:
            return f"{count / worth:.1f} {unit}"
    return f"{count} bytes"
