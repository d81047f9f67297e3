"""The books of another system, read as positions of ours: which word means what, and what is wrong.

Pure. A file gives records, each with its place in it; here they become positions, all faults at
once, and remarks on what is not taken over.

Invariants:
1. One fault, and nothing comes in.
2. Nothing is guessed: a word that is not known is told, and a figure that could be two things is a
   fault.
3. What the old books say of results and fees is not taken over: they were earned and paid there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.incoming import Incoming
from aegis.domain.listing import usual_instrument
from aegis.domain.money import (
    FIGURE_LENGTH,
    HUNDRED,
    floor_to,
    is_figure,
    text,
    times,
    written_figure,
)
from aegis.domain.position import StopPolicy
from aegis.domain.spellings import plain_symbol, told_of
from aegis.domain.told import is_near

LONG = frozenset({"long", "buy", "b"})
OPEN = frozenset({"open", "opened", "active", "filled", "holding"})
CLOSED = frozenset({"closed", "close", "exited", "sold"})

MS_FROM = Decimal(10**11)
"""An instant in seconds has fewer than twelve digits until the year 5138."""

THOUSANDTH = Decimal("0.001")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One position as a file has it: where, and its fields as they are written."""

    place: str
    fields: Mapping[str, object]


class Here(msgspec.Struct, frozen=True, kw_only=True):
    """What AEGIS trades, and how it guards what no stop is told of."""

    symbols: tuple[Symbol, ...]
    policy: StopPolicy


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """Positions only where there is no fault."""

    positions: tuple[Incoming, ...]
    faults: tuple[str, ...]
    remarks: tuple[str, ...]


class _Fault(Exception):  # noqa: N818  it never leaves this module
    """One thing that is wrong with a record."""


def understand(records: Sequence[Record], here: Here) -> Understood:
    """Return what records mean here, with everything that is wrong with any of them."""
    readers = [_Reader(record, here) for record in records]
    found = [(reader, position) for reader in readers if (position := reader.position())]
    faults = [fault for reader in readers for fault in reader.faults]
    first: dict[Symbol, str] = {}
    for reader, position in found:
        place = reader.place
        if position.symbol in first:
            at = first[position.symbol]
            faults.append(f"{place}: {position.symbol} is there already, at {at}")
        first.setdefault(position.symbol, place)
    if not records:
        faults.append("expected at least one position, found none")
    return Understood(
        positions=() if faults else tuple(position for _, position in found),
        faults=tuple(faults),
        remarks=tuple(_remarks(readers, found)),
    )


def _remarks(
    readers: Sequence[_Reader], found: Sequence[tuple[_Reader, Incoming]]
) -> Iterator[str]:
    for reader in readers:
        yield from reader.remarks
    for reader, position in found:
        stop, price = position.stop, position.price
        if stop is None:
            yield f"{reader.place}: no stop, neither told nor in [risk]: nothing guards it"
        elif not reader.tells_stop:
            yield f"{reader.place}: no stop told: it gets that of [risk], {text(stop)}"
        if stop is not None and price is not None and price <= stop:
            worth, at = text(price), text(stop)
            yield f"{reader.place}: worth {worth}, at or below its stop of {at}: left at once"
    left = sorted({name for reader in readers for name in reader.left})
    if left:
        yield f"not taken over: {', '.join(left)}"


class _Reader:
    """Reads one record; each fault begins with its place."""

    def __init__(self, record: Record, here: Here) -> None:
        self.place = record.place
        self.faults: list[str] = []
        self.remarks: list[str] = []
        self._here = here
        told = told_of(record.fields)
        self._given, self.left = told.given, told.left
        self.faults += [f"{self.place}: {each}" for each in told.twice]
        if told.unknown:
            self.remarks.append(f"{self.place}: not known, left out: {', '.join(told.unknown)}")

    @property
    def tells_stop(self) -> bool:
        """Whether the record says anything of a stop."""
        return not {"stop_price", "stop_pct", "trailing_pct"}.isdisjoint(self._given)

    def position(self) -> Incoming | None:
        """Return the position, or None where it has faults, or is over."""
        if self._is_over():
            self.remarks.append(f"{self.place}: it is closed, and left out")
            return None
        symbol = self._symbol()
        self._expect_long()
        amount, entry = self._positive("amount"), self._positive("entry_price")
        for name, value in (("amount", amount), ("entry_price", entry)):
            if value is None and name not in self._given:
                self.faults.append(f"{self.place}: expected {name}, found none")
        price, opened_at = self._positive("price"), self._instant("opened_at")
        if symbol is None or amount is None or entry is None:
            return None
        stop, target = self._level("stop_price", entry), self._level("target", entry)
        policy = self._policy(entry, stop, target)
        if target is not None and target <= entry:
            self._blame("target", f"a price above the entry's {text(entry)}", text(target))
        position = Incoming(
            place=self.place,
            symbol=symbol,
            amount=amount,
            entry_price=entry,
            policy=policy,
            price=price,
            stop_price=stop,
            take_profit_price=target,
            opened_at=opened_at,
        )
        self._expect_sellable(position)
        return None if self.faults else position

    def _is_over(self) -> bool:
        if "status" not in self._given:
            return False
        written = str(self._given["status"][1]).lower()
        if written not in OPEN | CLOSED:
            self._blame("status", "open or closed", written)
        return written in CLOSED

    def _symbol(self) -> Symbol | None:
        if "symbol" not in self._given:
            self.faults.append(f"{self.place}: expected a symbol as BTC/USDT, found none")
            return None
        written = str(self._given["symbol"][1])
        plain = plain_symbol(written)
        joined = {symbol.replace("/", ""): symbol for symbol in self._here.symbols}
        symbol = joined.get(plain, plain)
        if usual_instrument(symbol) is None:
            self._blame("symbol", "one like BTC/USDT", written)
        elif symbol not in self._here.symbols:
            traded = ", ".join(self._here.symbols)
            self._blame("symbol", f"one of exchange.symbols ({traded}): add it there", written)
        else:
            return Symbol(symbol)
        return None

    def _expect_long(self) -> None:
        if "side" in self._given:
            written = str(self._given["side"][1])
            if written.strip().lower() not in LONG:
                self._blame("side", "long or buy: spot has no shorts", written)

    # What is a figure, and what a time ----------------------------------------------------------

    def _figure(self, meaning: str) -> Decimal | None:
        if meaning not in self._given:
            return None
        value = self._given[meaning][1]
        figure = _decimal(value)
        if figure is None:
            self._blame(meaning, "a figure", value)
        elif not is_figure(figure):
            self._blame(meaning, f"a figure of {FIGURE_LENGTH}", value)
        else:
            return figure
        return None

    def _positive(self, meaning: str) -> Decimal | None:
        figure = self._figure(meaning)
        if figure is not None and figure <= 0:
            self._blame(meaning, "a positive figure", text(figure))
            return None
        return figure

    def _level(self, meaning: str, entry: Decimal) -> Decimal | None:
        """Return a price at which to leave; zero is none, as some books write it."""
        figure = self._figure(meaning)
        if figure is None or figure == 0:
            return None
        if not is_near(figure, entry):
            expected = f"a price near the entry's {text(entry)}; a distance is {_pct_of(meaning)}"
            self._blame(meaning, expected, text(figure))
            return None
        return figure

    def _share(self, meaning: str) -> Decimal | None:
        """Return a distance in per cent, below 100."""
        figure = self._figure(meaning)
        if figure is not None and not 0 <= figure < HUNDRED:
            self._blame(meaning, "per cents from 0 to 100", text(figure))
            return None
        return figure

    def _policy(self, entry: Decimal, stop: Decimal | None, target: Decimal | None) -> StopPolicy:
        told = {
            "stop_loss_pct": self._share("stop_pct"),
            "take_profit_pct": self._share("target_pct"),
            "trailing_stop_pct": self._share("trailing_pct"),
        }
        own = {name: value for name, value in told.items() if value is not None}
        return msgspec.structs.replace(self._here.policy, **own).told(entry, stop, target)

    def _instant(self, meaning: str) -> Instant | None:
        if meaning not in self._given:
            return None
        value = self._given[meaning][1]
        try:
            return _instant(value)
        except _Fault:
            expected = "a time as 2025-01-31T10:00:00Z, or epoch seconds or milliseconds"
            self._blame(meaning, expected, value)
            return None

    def _expect_sellable(self, position: Incoming) -> None:
        instrument = usual_instrument(position.symbol, position.entry_price)
        assert instrument is not None, f"Expected a pair, was {position}"
        if instrument.is_dust(position.amount, position.entry_price):
            worth = text(times(position.amount, position.entry_price))
            expected = f"an amount that can be sold, from {text(instrument.notional_min)}"
            self._blame("amount", f"{expected} {instrument.quote} on", f"worth {worth}")

    def _blame(self, meaning: str, expected: str, was: object) -> None:
        name = self._given[meaning][0] if meaning in self._given else meaning
        self.faults.append(f"{self.place}.{name}: expected {expected}, was {was!s}")


def _pct_of(meaning: str) -> str:
    return "stop_loss_pct" if meaning == "stop_price" else "take_profit_pct"


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, str):
        return written_figure(value)
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        return None
    figure = Decimal(value)
    return figure if figure.is_finite() else None


def _instant(value: object) -> Instant:
    """Return an instant that people wrote; without a zone it is UTC."""
    figure = _decimal(value)
    if figure is None:
        return _instant_of_text(value)
    if not is_figure(figure):
        raise _Fault
    seconds = figure if figure < MS_FROM else times(figure, THOUSANDTH)
    nanos = floor_to(times(seconds, Decimal(NANOS_PER_SECOND)), Decimal(1))
    if not 0 <= nanos < 253_000_000_000 * NANOS_PER_SECOND:
        raise _Fault
    return Instant(int(nanos))


def _instant_of_text(value: object) -> Instant:
    if not isinstance(value, str):
        raise _Fault
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise _Fault from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if moment < _EPOCH:
        raise _Fault
    return Instant((moment - _EPOCH) // _MICROSECOND * 1000)
