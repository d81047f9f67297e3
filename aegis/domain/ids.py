"""The names of things: each id has its own type, and each is derived, never drawn.

Invariants:
1. A client order id is a hash of the *reason* for the order. Price, amount, wall time, epoch
   and attempt never enter it, so a reason that is met twice is one order.
2. Ids of equal histories are equal, whatever the process, thread or hash seed.
"""

from __future__ import annotations

import hashlib
from typing import NewType

Symbol = NewType("Symbol", str)  # "BTC/USDT": base/quote; "BTC/USD:USD": a derivative; as in ccxt
Coin = NewType("Coin", str)
PositionId = NewType("PositionId", str)
ClientOrderId = NewType("ClientOrderId", str)
ExchangeOrderId = NewType("ExchangeOrderId", str)
TradeId = NewType("TradeId", str)
EventId = NewType("EventId", int)
Incarnation = NewType("Incarnation", str)  # of the store: new at creation and at each restore
Generation = NewType("Generation", int)  # of the trading tree: new at each start of the Reconciler
Instant = NewType("Instant", int)  # UTC nanoseconds since 1970

NANOS_PER_SECOND = 1_000_000_000

SYSTEM_POSITION = PositionId("system")
"""The reserved position that carries the account's own events."""

ORDER_ID_MARK = "ae"
"""First two characters of each client order id of any AEGIS."""


def coins_of(symbol: Symbol) -> tuple[Coin, Coin]:
    """Return the base and the quote coin of a symbol."""
    base, _, quote = symbol.partition(":")[0].partition("/")
    return Coin(base), Coin(quote)


def is_derivative(symbol: Symbol) -> bool:
    """Say whether a symbol is a derivative's: it names the coin in which it is settled."""
    return ":" in symbol


def account_tag(mode: str, exchange: str, account: str) -> str:
    """Return the 8 characters with which every client order id of one account begins."""
    return ORDER_ID_MARK + _digest("account", mode, exchange, account)[:6]


def position_id(
    incarnation: Incarnation, origin: str, symbol: Symbol, decided_at: Instant
) -> PositionId:
    """Return the id of the position that `origin` decided to open at one instant."""
    return PositionId(_digest("position", incarnation, origin, symbol, str(decided_at))[:24])


def entry_order_id(
    tag: str, incarnation: Incarnation, origin: str, position: PositionId, decided_at: Instant
) -> ClientOrderId:
    """Return the id of an entry: one decision instant gives one entry a position."""
    reason = _digest("entry", incarnation, origin, position, str(decided_at))
    return ClientOrderId(tag + reason[:24])


def exit_order_id(
    tag: str, incarnation: Incarnation, position: PositionId, ordinal: int
) -> ClientOrderId:
    """Return the id of a position's exit; whoever wants it, the same ordinal is the same exit."""
    reason = _digest("exit", incarnation, position, str(ordinal))
    return ClientOrderId(tag + reason[:24])


def protective_order_id(
    tag: str, incarnation: Incarnation, position: PositionId, ordinal: int
) -> ClientOrderId:
    """Return the id of a position's stop at the exchange; each that it had counts."""
    reason = _digest("protective", incarnation, position, str(ordinal))
    return ClientOrderId(tag + reason[:24])


def forced_order_id(tag: str, symbol: Symbol, trade_id: str) -> ClientOrderId:
    """Return the id of the order that stands for trades of others in a position of ours."""
    return ClientOrderId(tag + _digest("forced", symbol, trade_id)[:24])


def is_own_order(tag: str, client_order_id: str | None) -> bool:
    """Say whether a client order id read from the exchange carries this account's tag."""
    return client_order_id is not None and client_order_id.startswith(tag)


def _digest(*parts: str) -> str:
    framed = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(framed.encode()).hexdigest()
