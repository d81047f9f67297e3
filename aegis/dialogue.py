"""What the gateway and an exchange say to each other: requests, and the answers that may come.

Each is a value; `NoAnswer` stands for silence and says nothing about what the exchange did.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from aegis.domain.commands import Quote
from aegis.domain.ids import ClientOrderId, Coin, ExchangeOrderId, Instant, Symbol, coins_of
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueAccount, VenueOrder, VenueTrade


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all messages: immutable, compared by type and fields."""


class PlaceOrder(Message, frozen=True, kw_only=True):
    """`sent_at` lets the exchange refuse a request that comes too late to be meant.

    What is immediate takes what is there at once, and ends: it never rests. `trigger_price` of a
    market order is for a venue that knows candles only; others need not look at it.
    """

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    type: OrderType
    amount: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    sent_at: Instant
    is_immediate: bool = False


class CancelOrder(Message, frozen=True, kw_only=True):
    """`is_stop`: it rests, or rested, as a stop; exchanges keep these apart."""

    client_order_id: ClientOrderId
    symbol: Symbol
    is_stop: bool = False


class FindOrder(Message, frozen=True, kw_only=True):
    """One order and its trades, by the id that we gave it."""

    client_order_id: ClientOrderId
    symbol: Symbol
    since: Instant
    is_stop: bool = False


class FetchAccount(Message, frozen=True, kw_only=True):
    """Balances, open orders, and trades booked at or after `trades_since`."""

    trades_since: Instant


class FetchBalance(Message, frozen=True, kw_only=True):
    """How much there is of a symbol's coins, what orders lock included; asked at `asked_at`."""

    symbol: Symbol
    asked_at: Instant


class FetchQuote(Message, frozen=True, kw_only=True):
    symbol: Symbol


class FetchInstruments(Message, frozen=True, kw_only=True):
    """`is_anew` where no list will do but the exchange's of now."""

    symbols: tuple[Symbol, ...]
    is_anew: bool = False


ExchangeRequest = (
    PlaceOrder
    | CancelOrder
    | FindOrder
    | FetchAccount
    | FetchBalance
    | FetchQuote
    | FetchInstruments
)


class OrderPlaced(Message, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId


HELD_BACK = "held_back"
"""The refusal of our own side: what was asked has not left, or was not carried out."""

KEY_DENIED = "key_denied"
"""The refusal of a key that is wrong, revoked, or lacks a right: nothing was carried out."""

NO_ROOM = "no_room"
"""The refusal of an exchange whose record is on a full disk: nothing of the order was written."""


class RequestRefused(Message, frozen=True, kw_only=True):
    """A definite no, from the list of refusals that the exchange is known to mean.

    `code`: insufficient_funds, invalid_order, unknown_symbol, too_late, duplicate_id,
    not_open (a cancel of an order that is unknown or ended), `HELD_BACK`, `KEY_DENIED`, `NO_ROOM`.
    """

    code: str
    reason: str


class CancelAccepted(Message, frozen=True, kw_only=True):
    client_order_id: ClientOrderId


class OrderFound(Message, frozen=True, kw_only=True):
    """`trades` are all the trades of this order that the exchange has booked."""

    order: VenueOrder
    trades: tuple[VenueTrade, ...]


class OrderNotFound(Message, frozen=True, kw_only=True):
    """The exchange answered, and does not know the id now; `as_of` is on its clock."""

    client_order_id: ClientOrderId
    as_of: Instant


class AccountFetched(Message, frozen=True, kw_only=True):
    account: VenueAccount


class BalanceFetched(Message, frozen=True, kw_only=True):
    symbol: Symbol
    base: Decimal
    quote: Decimal


def balance_of(request: FetchBalance, balances: Mapping[Coin, Decimal]) -> BalanceFetched:
    """Return what an account's balances say of a symbol; a coin that they do not name is none."""
    base, quote = (balances.get(coin, ZERO) for coin in coins_of(request.symbol))
    return BalanceFetched(symbol=request.symbol, base=base, quote=quote)


class QuoteFetched(Message, frozen=True, kw_only=True):
    """`as_of` is when the exchange told it, on its clock: a quote may be of long before."""

    symbol: Symbol
    quote: Quote | None
    as_of: Instant


class InstrumentsFetched(Message, frozen=True, kw_only=True):
    instruments: tuple[Instrument, ...]


class NoAnswer(Message, frozen=True, kw_only=True):
    """Nothing definite came back: time-out, reset, an answer that cannot be read.

    It says nothing about what the exchange did.
    """

    reason: str


ExchangeAnswer = (
    OrderPlaced
    | RequestRefused
    | CancelAccepted
    | OrderFound
    | OrderNotFound
    | AccountFetched
    | BalanceFetched
    | QuoteFetched
    | InstrumentsFetched
    | NoAnswer
)


class ExchangeReplied(Message, frozen=True, kw_only=True):
    request: ExchangeRequest
    answer: ExchangeAnswer
