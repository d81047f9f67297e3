"""What a setting's value may be: pure readers from what TOML gives to what AEGIS uses.

Invariants:
1. A reader returns a value that is right by itself, or raises `Expected` with both sides.
2. A figure is a finite decimal, never a float; true and false are not figures.
3. Nothing read can be changed afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from aegis.config.urls import fault_of_url
from aegis.domain.ids import Coin, Symbol, coins_of
from aegis.domain.money import text as plain_text

T = TypeVar("T")

DECIMALS_MAX = 18
"""No coin is divided further; longer figures would only hide a typing error."""

_NAME_LENGTH_MAX = 200
_PATH_LENGTH_MAX = 4096
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
_COIN = r"[A-Z0-9]{1,20}"
_SYMBOL = re.compile(f"({_COIN})/({_COIN})(?::({_COIN}))?")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_CHAT = re.compile(r"-?[1-9][0-9]{0,19}|@[A-Za-z][A-Za-z0-9_]{3,31}")
_LABEL = re.compile(r"[ -~]*[!-~][ -~]*")


class Expected(ValueError):  # noqa: N818  it reads as its sentence: Expected(...), was ...
    """A value is not what was expected; `at` leads from the setting to the part that is wrong.

    `others` are further parts of the same value that are wrong as well.
    """

    def __init__(self, expected: str, was: object, at: tuple[str, ...] = ()) -> None:
        super().__init__(expected)
        self.expected = expected
        self.was = was
        self.at = at
        self.others: tuple[Expected, ...] = ()


def flag(value: object) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise Expected("true or false", value)
    return value


def whole(low: int, high: int) -> Callable[[object], int]:
    """Return a reader of whole numbers from `low` to `high`."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise Expected(f"a whole number from {low} to {high}", value)

    return read


def speed(value: object) -> int:
    """Return how many times faster than the calendar the market runs; 0 = as fast as it goes."""
    try:
        return whole(0, 3600)(value)
    except Expected:
        raise Expected("0 (as fast as it goes) or a whole number from 1 to 3600", value) from None


def decimal(low: str, high: str) -> Callable[[object], Decimal]:
    """Return a reader of figures from `low` to `high`."""
    return _decimal(f"a number from {low} to {high}", low, high, is_open=False)


def decimal_above(low: str, high: str) -> Callable[[object], Decimal]:
    """Return a reader of figures above `low`, up to `high`."""
    return _decimal(f"a number above {low}, up to {high}", low, high, is_open=True)


def seconds_above_zero(high: int) -> Callable[[object], float]:
    """Return a reader of a patience: real seconds, for timers and never for money."""
    read_decimal = decimal_above("0", str(high))

    def read(value: object) -> float:
        return float(read_decimal(str(value) if isinstance(value, float) else value))

    return read


def name(value: object) -> str:
    """Return a name that is not empty and fits on one line of any log."""
    is_name = isinstance(value, str) and _LABEL.fullmatch(value) and len(value) <= _NAME_LENGTH_MAX
    if not is_name:
        raise Expected("a name in plain letters, not empty", value)
    return str(value)


def path(value: object) -> Path:
    """Return the path of a file."""
    found = _optional_path(value)
    if found is None:
        raise Expected("the path of a file, not empty", value)
    return found


def path_or_none(value: object) -> Path | None:
    """Return the path of a folder, or None where the text is empty."""
    return _optional_path(value)


def paths(value: object) -> tuple[Path, ...]:
    """Return the path of a file, those of a list, or none where the text is empty."""
    if isinstance(value, list | tuple):
        return tuple(_each((None, path, item) for item in value))
    found = _optional_path(value)
    return () if found is None else (found,)


def time_of_day(value: object) -> str:
    """Return a time of the day as HH:MM."""
    if not (isinstance(value, str) and _TIME_OF_DAY.fullmatch(value)):
        raise Expected('a time of the day as "HH:MM"', value)
    return value


def chat_ids(value: object) -> tuple[str, ...]:
    """Return different chats: each by its number, or a public channel by its @name."""
    expected = 'a list of chat ids, as [123456789] or ["@my_channel"]'
    if not isinstance(value, list | tuple):
        raise Expected(expected, value)
    found = [str(item) for item in value]
    for index, (chat, item) in enumerate(zip(found, value, strict=True)):
        if isinstance(item, bool) or not isinstance(item, int | str) or not _CHAT.fullmatch(chat):
            raise Expected(expected, item)
        if chat in found[:index]:
            raise Expected("each chat id once", chat)
    return tuple(found)


def base_url(value: object) -> str:
    """Return the beginning of the URLs of a service, without a slash at its end."""
    wrong = fault_of_url(value, may_have_query=False) if isinstance(value, str) else "a URL as text"
    if wrong is not None:
        raise Expected(wrong, value)
    return str(value).rstrip("/")


def base_url_or_none(value: object) -> str:
    """Return the beginning of the URLs of a service, or nothing where the text is empty."""
    return "" if value == "" else base_url(value)


def symbols(value: object) -> tuple[Symbol, ...]:
    """Return different symbols of one quote coin, at least one."""
    if not isinstance(value, list | tuple) or not value:
        raise Expected('a list of symbols, at least one, as ["BTC/USDT"]', value)
    found = _each((None, _symbol, item) for item in value)
    for index, symbol in enumerate(found):
        if symbol in found[:index]:
            raise Expected("each symbol once", symbol)
        if quote_of(symbol) != quote_of(found[0]):
            raise Expected(f"symbols of one quote coin ({quote_of(found[0])})", symbol)
    return tuple(found)


def quote_of(symbol: Symbol) -> Coin:
    """Return the coin in which a symbol's price is written."""
    return coins_of(symbol)[1]


def balances(value: object) -> Mapping[Coin, Decimal]:
    """Return an amount for each coin; none is below zero."""
    read_amount = decimal("0", "1000000000000000")
    table = _table(value, "a table of coins and amounts, at least one")
    if not table:
        raise Expected("a table of coins and amounts, at least one", value)
    coins = ((coin, _coin, coin) for coin in table)
    _each((*coins, *((coin, read_amount, amount) for coin, amount in table.items())))
    return MappingProxyType({Coin(coin): read_amount(amount) for coin, amount in table.items()})


def parameters(value: object) -> Mapping[str, object]:
    """Return a strategy's own settings: plain values under plain names."""
    table = _table(value, "a table of the strategy's own settings")
    items = _each((key, _parameter, item) for key, item in table.items())
    return MappingProxyType(dict(zip(table, items, strict=True)))


def _decimal(expected: str, low: str, high: str, *, is_open: bool) -> Callable[[object], Decimal]:
    lowest, highest = Decimal(low), Decimal(high)

    def read(value: object) -> Decimal:
        found = _number(value)
        if found is None or not lowest <= found <= highest or (is_open and found == lowest):
            raise Expected(expected, value)
        if _decimals_of(found) > DECIMALS_MAX:
            raise Expected(f"a number of at most {DECIMALS_MAX} decimals", value)
        return Decimal(plain_text(found))

    return read


def _optional_path(value: object) -> Path | None:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or "\0" in value or len(value) > _PATH_LENGTH_MAX:
        raise Expected("the path of a file, as text", value)
    return Path(value) if value else None


def _number(value: object) -> Decimal | None:
    match value:
        case Decimal():
            return value if value.is_finite() else None
        case str():
            return Decimal(value) if _NUMBER.fullmatch(value) else None
        case int() if not isinstance(value, bool):
            return Decimal(value)
        case _:
            return None


def _decimals_of(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _symbol(value: object) -> Symbol:
    found = _SYMBOL.fullmatch(value) if isinstance(value, str) else None
    if found is None or found[1] == found[2]:
        raise Expected('symbols as "BTC/USDT", in capitals', value)
    if found[3] not in (None, found[2]):
        raise Expected(f"derivatives that are settled in their quote coin ({found[2]})", value)
    return Symbol(found[0])


def _coin(value: str) -> Coin:
    if not re.fullmatch(_COIN, value):
        raise Expected("coins in capitals, as USDT", value)
    return Coin(value)


def _table(value: object, expected: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise Expected(expected, value)
    return value


def _each(parts: Iterable[tuple[str | None, Callable[[Any], T], object]]) -> list[T]:
    """Read every part of a value; raise once, with all the parts that are wrong."""
    found: list[T] = []
    faults: list[Expected] = []
    for key, read, part in parts:
        try:
            found.append(read(part))
        except Expected as fault:
            fault.at = fault.at if key is None else (key, *fault.at)
            faults.append(fault)
    if faults:
        faults[0].others = tuple(faults[1:])
        raise faults[0]
    return found


def _parameter(value: object) -> object:
    match value:
        case Decimal():
            return decimal("-1000000000000000", "1000000000000000")(value)
        case bool() | int() | str():
            return value
        case list() | tuple():
            return tuple(_parameter(item) for item in value)
        case _:
            raise Expected("text, a number, true or false, or a list of these", value)
