"""What a person's script hands in, at the door: figures, symbols, sides, holdings, trades.

Invariant: a float stops here. What it stands for is not what was written: 0.1 + 0.2 is no 0.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from os import PathLike
from pathlib import Path

from aegis.domain.ids import Coin, ExchangeOrderId, Instant, Symbol, TradeId
from aegis.domain.instrument import Instrument
from aegis.domain.listing import usual_instrument
from aegis.domain.money import FIGURE_LENGTH, HUNDRED, is_figure, written_figure
from aegis.domain.order import Side
from aegis.domain.position import PositionSide
from aegis.domain.venue import VenueTrade
from aegis.store.errors import Refused

Figure = Decimal | int | str
"""What a figure may be given as: exact, every one of them."""

NANOS_PER_MS = 1_000_000

WORD_CHARS_MAX = 200

SIDES = {
    "long": PositionSide.LONG,
    "buy": PositionSide.LONG,
    "short": PositionSide.SHORT,
    "sell": PositionSide.SHORT,
}


def figure(name: str, given: object) -> Decimal:
    """Return a figure as it was written; `Refused` for a float, and for what is none."""
    if isinstance(given, float):
        raise Refused("float", f'{name}: expected an exact figure as "{given}", was a float')
    if isinstance(given, bool) or not isinstance(given, Decimal | int | str):
        raise Refused("bad_figure", f"{name}: expected a Decimal, an int or text, was {given!r}")
    value = written_figure(given) if isinstance(given, str) else Decimal(given)
    if value is None or not value.is_finite():
        raise Refused("bad_figure", f"{name}: expected a figure, was {given!r}")
    if not is_figure(value):
        raise Refused("bad_figure", f"{name}: expected {FIGURE_LENGTH}, was {value!s:.60}")
    return value


def positive(name: str, given: object) -> Decimal:
    """Return a figure above zero as it was written."""
    value = figure(name, given)
    if value <= 0:
        raise Refused("bad_figure", f"{name}: expected a positive figure, was {given!r}")
    return value


def positive_or_none(name: str, given: object) -> Decimal | None:
    """Return a figure above zero, or None as it was given."""
    return None if given is None else positive(name, given)


def share_pct(name: str, given: object) -> Decimal:
    """Return per cents that leave something: zero or more, below a hundred."""
    value = figure(name, given)
    if not 0 <= value < HUNDRED:
        raise Refused("bad_figure", f"{name}: expected 0 or more and below 100, was {given!r}")
    return value


def word(name: str, given: object) -> str:
    """Return a text that can be kept and shown: printable, on one line, and not without end."""
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        raise Refused("bad_word", f"{name}: expected printable text, was {given!r}")
    if len(given) > WORD_CHARS_MAX:
        raise Refused("bad_word", f"{name}: expected at most {WORD_CHARS_MAX} characters")
    return given


def word_or_none(name: str, given: object) -> str | None:
    """Return a text, or None as it was given."""
    return None if given is None else word(name, given)


def amount_of(name: str, given: object) -> Decimal:
    """Return a figure that is not below zero."""
    value = figure(name, given)
    if value < 0:
        raise Refused("bad_figure", f"{name}: expected zero or more, was {given!r}")
    return value


def instrument_of(symbol: object, price: Decimal) -> Instrument:
    """Return how a symbol trades at about a price."""
    found = usual_instrument(symbol, price) if isinstance(symbol, str) else None
    if found is None:
        raise Refused("bad_symbol", f"symbol: expected one like BTC/USDT, was {symbol!r}")
    return found


def side_of(given: object) -> PositionSide:
    """Return a side as people write it: long or buy, short or sell."""
    side = SIDES.get(given.lower()) if isinstance(given, str) else None
    if side is None:
        raise Refused("bad_side", f"side: expected long or short, was {given!r}")
    return side


def holdings_of(given: object) -> dict[Symbol, Decimal]:
    """Return amounts by symbol, from a mapping or from a list of positions.

    No answer is not zero: whoever has none must not call.
    """
    if isinstance(given, Mapping):
        rows: Iterable[tuple[object, object]] = given.items()
    elif isinstance(given, list | tuple):
        rows = [_holding(place, each) for place, each in enumerate(given)]
    else:
        expected = "a list of positions, or amounts by symbol"
        raise Refused("no_holdings", f"exchange_positions: expected {expected}, was {given!r}")
    held: dict[Symbol, Decimal] = {}
    for symbol, there in rows:
        instrument = instrument_of(symbol, Decimal(1))
        if instrument.symbol in held:
            raise Refused("doubled", f"exchange_positions: {symbol} stands there twice")
        held[instrument.symbol] = amount_of(f"exchange_positions: {symbol}", there)
    return held


def _holding(place: int, given: object) -> tuple[object, object]:
    if not isinstance(given, Mapping) or not {"symbol", "amount"} <= given.keys():
        what = f"exchange_positions[{place}]: expected symbol and amount"
        raise Refused("no_holdings", f"{what}, was {given!r}")
    return given["symbol"], given["amount"]


def trades_of(given: Iterable[Mapping[str, object]]) -> tuple[VenueTrade, ...]:
    """Return an exchange's trades, written as ccxt writes them but for exact figures."""
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise Refused("bad_trade", f"trades: expected a list of trades, was {given!r}")
    trades = tuple(_trade(f"trades[{place}]", each) for place, each in enumerate(given))
    names = [(trade.symbol, trade.trade_id) for trade in trades]
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise Refused("doubled", f"trades: {doubled[1]} of {doubled[0]} stands there twice")
    return trades


def _trade(name: str, given: Mapping[str, object]) -> VenueTrade:
    if not isinstance(given, Mapping):
        raise Refused("bad_trade", f"{name}: expected a dict, was {given!r}")
    wanted = {"id", "symbol", "side", "amount", "price", "timestamp"}
    missing = sorted(wanted - given.keys())
    if missing:
        raise Refused("bad_trade", f"{name}: expected {', '.join(missing)} as well")
    side, at, fee = given["side"], given["timestamp"], given.get("fee") or {}
    if side not in tuple(Side):
        raise Refused("bad_trade", f"{name}.side: expected buy or sell, was {side!r}")
    if isinstance(at, bool) or not isinstance(at, int):
        raise Refused("bad_trade", f"{name}.timestamp: expected milliseconds, was {at!r}")
    if not isinstance(fee, Mapping):
        raise Refused("bad_trade", f"{name}.fee: expected cost and currency, was {fee!r}")
    trade_id = word(f"{name}.id", str(given["id"]))
    price = positive(f"{name}.price", given["price"])
    instrument = instrument_of(given["symbol"], price)
    return VenueTrade(
        trade_id=TradeId(trade_id),
        exchange_order_id=ExchangeOrderId(word(f"{name}.order", given.get("order") or trade_id)),
        client_order_id=None,
        symbol=instrument.symbol,
        side=Side(str(side)),
        amount=positive(f"{name}.amount", given["amount"]),
        price=price,
        fee=amount_of(f"{name}.fee.cost", fee.get("cost", 0)),
        fee_currency=Coin(word(f"{name}.fee.currency", fee.get("currency", instrument.quote))),
        liquidity=word(f"{name}.takerOrMaker", given.get("takerOrMaker") or "taker"),
        at=Instant(at * NANOS_PER_MS),
    )


def store_path(given: object) -> Path:
    """Return where a store is, or is to be."""
    path = Path(given) if isinstance(given, str | PathLike) else Path()
    if not path.name or path.is_dir():
        raise Refused("bad_path", f"path: expected a store's file, was {str(given)!r}")
    return path
