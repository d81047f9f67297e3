"""Single calls to an exchange, and what each may come to: the words between line and client.

A call is one HTTP request, never more. The client (the door to ccxt) makes it, blocking, and
says by evidence what came of it; the line decides which call is made when, and makes the
dialogue's answers of several.

Invariants:
1. An outcome claims no more than its evidence: `Refused`, `Limited`, `Denied` and `Skewed` say
   that the exchange has not carried the call out; `Lost` says nothing at all about it.
2. Whatever is not one of these outcomes is `Lost`.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from aegis.dialogue import PlaceOrder
from aegis.domain.candles import Candle
from aegis.domain.commands import Quote
from aegis.domain.ids import ClientOrderId, Coin, ExchangeOrderId, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.venue import VenueOrder, VenueTrade


class _Value(msgspec.Struct, frozen=True, kw_only=True):
    pass


# Calls ----------------------------------------------------------------------------------------


class Place(_Value, frozen=True, kw_only=True):
    """Answered by `ExchangeOrderId`. A stop rests where `is_stop` of other calls looks for it.

    The request is dated `dated_ms_max` at the latest, on the exchange's clock: so one that a
    stopped process sends when it wakes is refused over there, as too old to be meant.
    """

    order: PlaceOrder
    dated_ms_max: int | None = None


class Cancel(_Value, frozen=True, kw_only=True):
    """Answered by None: the exchange took the wish, which says nothing of the order's end."""

    client_order_id: ClientOrderId
    symbol: Symbol
    is_stop: bool = False


class ReadOrder(_Value, frozen=True, kw_only=True):
    """Answered by `VenueOrder`, or by None where the exchange answers that it knows no such id.

    The exchange's id of a stop that has fired is the one that its trades have.
    """

    client_order_id: ClientOrderId
    symbol: Symbol
    is_stop: bool = False


class ReadTrades(_Value, frozen=True, kw_only=True):
    """Answered by `Page` of trades from `since` to `until`, both included, eldest first.

    No longer than the profile's window; `symbol` None is all symbols, where the profile can.
    Where the exchange counts in coarser steps, both ends are rounded outward.
    """

    symbol: Symbol | None
    since: Instant
    until: Instant


class ReadOpenOrders(_Value, frozen=True, kw_only=True):
    """Answered by a tuple of `VenueOrder`, of all symbols: stops that rest, or all others."""

    is_stop: bool = False


class ReadBalances(_Value, frozen=True, kw_only=True):
    """Answered by a mapping of coin to total balance; a coin without any is absent.

    `may_owe` is an account of derivatives, where a loss may take more of a coin than was there.
    """

    may_owe: bool = False


class ReadPositions(_Value, frozen=True, kw_only=True):
    """Answered by a mapping of symbol to signed amount: derivatives only, spot has none."""


class ReadRights(_Value, frozen=True, kw_only=True):
    """Answered by `Rights`: what the key may do, where the exchange tells it."""


class ReadInstruments(_Value, frozen=True, kw_only=True):
    """Answered by a tuple of `Instrument`, those of `symbols` that the exchange lists.

    `is_anew` asks the exchange itself: no list that was kept will do.
    """

    symbols: tuple[Symbol, ...]
    is_anew: bool = False


class ReadQuote(_Value, frozen=True, kw_only=True):
    """Answered by `Quote`, or by None where there is no price."""

    symbol: Symbol


class ReadCandles(_Value, frozen=True, kw_only=True):
    """Answered by a tuple of `Candle` that open at or after `since`, eldest first, at most a page.

    The last may not be closed yet: who asks looks at `close_at`. An exchange may look no further
    than a page's time: none there says nothing of what comes after.
    """

    symbol: Symbol
    timeframe_s: int
    since: Instant


Call = (
    Place
    | Cancel
    | ReadOrder
    | ReadTrades
    | ReadOpenOrders
    | ReadBalances
    | ReadPositions
    | ReadRights
    | ReadInstruments
    | ReadQuote
    | ReadCandles
)

PUBLIC = (ReadInstruments, ReadQuote, ReadCandles)
"""Calls that no key is needed for, nor used; others than the account's servers may answer them."""

# Values that only calls have ------------------------------------------------------------------


class Page(_Value, frozen=True, kw_only=True):
    """Trades in order of time; `is_full` says that there may be more in the same window.

    A full page is one run of trades: whether the eldest or the newest of the window is all one.
    """

    trades: tuple[VenueTrade, ...]
    is_full: bool


class Rights(_Value, frozen=True, kw_only=True):
    """What a key may do; None where the exchange does not say."""

    can_trade: bool | None
    can_withdraw: bool | None


Answer = (
    ExchangeOrderId
    | VenueOrder
    | Page
    | tuple[VenueOrder, ...]
    | dict[Coin, Decimal]
    | dict[Symbol, Decimal]
    | Rights
    | tuple[Instrument, ...]
    | Quote
    | tuple[Candle, ...]
    | None
)

# Outcomes -------------------------------------------------------------------------------------


class Answered(_Value, frozen=True, kw_only=True):
    """`value` is what the call's docstring names."""

    value: Answer


class Refused(_Value, frozen=True, kw_only=True):
    """A definite no from the profile's list; `code` is the dialogue's, `venue_code` the exchange's.

    `code` "duplicate_id" is no such no: an order with that id is there, or was.
    """

    code: str
    venue_code: str
    reason: str


class Limited(_Value, frozen=True, kw_only=True):
    """Too many requests, or banned; not carried out. `retry_after_s` None where it is not said."""

    retry_after_s: float | None
    reason: str


class Denied(_Value, frozen=True, kw_only=True):
    """The key is wrong, revoked, or lacks a right; not carried out."""

    reason: str


class Skewed(_Value, frozen=True, kw_only=True):
    """Refused because of its time: our clock and the exchange's differ; not carried out."""

    reason: str


class Lost(_Value, frozen=True, kw_only=True):
    """Nothing definite: time-out, reset, 5xx, HTML, maintenance, an answer that cannot be read."""

    reason: str


Verdict = Answered | Refused | Limited | Denied | Skewed | Lost


class Outcome(_Value, frozen=True, kw_only=True):
    """What a call came to. `server_at` is the exchange's clock as its answer's header told it.

    That is whole seconds, None where there was none. `http_status` is None where nobody answered.
    """

    call: Call
    verdict: Verdict
    server_at: Instant | None
    http_status: int | None


MakeClient = Callable[[], Callable[[Call], Outcome]]
"""Makes a fresh client. One thread at a time uses it; one that overran is left behind."""
