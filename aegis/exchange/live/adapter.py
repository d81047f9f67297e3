"""The library: one account at an exchange, from a script or a notebook, without actors.

The same client speaks here that trades for AEGIS; what AEGIS puts around it is left out: it keeps
no journal, has no budget of calls and repeats nothing. It must never be pointed at an account that
a running AEGIS trades: that one would see orders which are not its own.

Invariants:
1. `place_order` never raises for what became of an order: a lost answer is the state "unknown",
   which is neither placed nor refused, until `find_order` tells.
2. No data is never zero: whoever cannot be heard raises `Unavailable`.
3. Figures are exact: Decimals out; Decimals, ints and texts in. A float is refused.
"""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

from aegis.clock import SystemClock, draw_hex
from aegis.config.secret import Secret
from aegis.config.urls import fault_of_url
from aegis.dialogue import PlaceOrder
from aegis.domain.commands import Quote
from aegis.domain.ids import ClientOrderId, Coin, Symbol
from aegis.domain.money import ZERO, is_amount, is_figure, negative, written_figure
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder
from aegis.exchange.listed import SANDBOXES
from aegis.exchange.live.calls import (
    Answer,
    Answered,
    Call,
    Cancel,
    Denied,
    Limited,
    Lost,
    Place,
    ReadBalances,
    ReadInstruments,
    ReadOrder,
    ReadPositions,
    ReadQuote,
    Refused,
    Skewed,
    Verdict,
)
from aegis.exchange.live.client.client import Access, client_maker
from aegis.exchange.live.client.door import Keys
from aegis.exchange.live.client.shapes import NANOS_PER_MS
from aegis.exchange.live.profiles import PROFILES

Figure = Decimal | int | str
"""What a figure may be given as: exact, every one of them."""

ID_LENGTH_MAX = 32
_ID_MARK = "by"
"""Begins the ids that are drawn here; AEGIS's own begin otherwise, and are known by that."""

_NOT_CARRIED_OUT = {Limited: "limited", Denied: "key_denied", Skewed: "clock_skewed"}


class Unavailable(Exception):  # noqa: N818  it reads as its sentence: the exchange is unavailable
    """The exchange gave no answer that counts; `retry_after_s` is its own wish, or None."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class KeyDenied(Unavailable):
    """The key is wrong, revoked, or lacks a right: waiting mends nothing."""


class BadArgument(ValueError):  # noqa: N818  it reads as its sentence
    """What was asked for makes no sense; nothing was sent."""


class ExchangeAdapter:
    """One account at one exchange; each operation is one request, and threads take turns.

        exchange = ExchangeAdapter("cryptocom", api_key, api_secret)
        done = exchange.place_order("BTC/USDT", "buy", "0.001", price="40000")
        if done["state"] == "unknown":
            print(exchange.find_order(done["client_order_id"], "BTC/USDT"))

    Orders and balances need a key, and are there for cryptocom; binance, kraken and okx tell
    tickers. `base_url` is another root of the exchange's calls, over TLS or on this machine;
    `is_sandbox` is its place to practise. A key is best read from a file of mode 0600, never
    written into a script.
    """

    def __init__(
        self,
        exchange_name: str = "cryptocom",
        api_key: str | None = None,
        api_secret: str | None = None,
        *,
        base_url: str = "",
        is_sandbox: bool = False,
    ) -> None:
        """Send nothing, load nothing; `BadArgument` for what makes no sense, as half a key."""
        profile = PROFILES.get(exchange_name)
        if profile is None:
            raise BadArgument(f"expected one of {', '.join(PROFILES)}, was {exchange_name!r}")
        if (api_key is None) != (api_secret is None):
            raise BadArgument("expected api_key and api_secret, or neither, was one of them")
        fault = fault_of_url(base_url, may_have_query=False) if base_url else None
        if fault is not None:
            raise BadArgument(f"base_url: expected {fault}")
        if is_sandbox and exchange_name not in SANDBOXES:
            raise BadArgument(f"is_sandbox: {exchange_name} has none; expected False")
        keys = None
        if api_key is not None and api_secret is not None:
            keys = Keys(api_key=Secret(api_key), secret=Secret(api_secret))
        access = Access(keys=keys, base_url=base_url, is_sandbox=is_sandbox)
        self._profile = profile
        self._clock = SystemClock()
        self._turn = threading.Lock()
        self._execute = client_maker(profile, access, lambda: self._clock.now() // NANOS_PER_MS)()

    def __repr__(self) -> str:
        return f"ExchangeAdapter({self._profile.name!r})"

    def place_order(
        self,
        symbol: str,
        side: str,
        amount: Figure,
        *,
        price: Figure | None = None,
        client_order_id: str | None = None,
    ) -> dict[str, Any]:
        """Place one order, and return what is known of it. It is sent once, whatever happens.

        `side` is buy or sell, `amount` in the base coin, also of a market buy. With `price`, in the
        quote coin, it is a limit order, without one a market order. `client_order_id` is an id of
        yours, at most 32 letters and digits; without one it is drawn.

        A dict of `state`, `client_order_id`, `order_id` (the exchange's, or None), `symbol`,
        `side`, `amount`, `price`, `code` and `reason`. `state` is

        - "placed": the exchange took it. It may still fill, rest or be rejected: `find_order`.
        - "refused": it was not placed, and `code` says why: insufficient_funds, invalid_order,
          unknown_symbol, limited, key_denied, clock_skewed.
        - "unknown": no answer that counts. It may be there: never send it again under another
          id; ask `find_order` until a minute has gone by, and count on it until then. The code
          duplicate_id says that an order with this id is there, or was.

        `BadArgument` for what makes no sense, a float among it; nothing was sent then.
        """
        wanted = _one_of("side", side, ("buy", "sell"))
        limit = None if price is None else _positive("price", price)
        order = PlaceOrder(
            client_order_id=_id(client_order_id),
            symbol=_symbol(symbol),
            side=Side(wanted),
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            amount=_positive("amount", amount),
            price=limit,
            trigger_price=None,
            reduce_only=False,
            sent_at=self._clock.now(),
        )
        return _told(order, self._verdict(Place(order=order)))

    def find_order(self, client_order_id: str, symbol: str) -> dict[str, Any] | None:
        """Return an order by the id that it was given; None where the exchange knows none now.

        A dict of `client_order_id`, `order_id`, `symbol`, `side`, `amount` and `filled` (base),
        `price` (quote, or None), `status` (open, filled, canceled, rejected, expired), `reason`
        and `timestamp` (ms). None soon after a placing proves nothing: the exchange may be late.
        """
        call = ReadOrder(client_order_id=_id(client_order_id), symbol=_symbol(symbol))
        found = self._answer(call)
        if found is None:
            return None
        assert isinstance(found, VenueOrder), f"Expected an order, was {type(found).__name__}"
        return {
            "client_order_id": found.client_order_id,
            "order_id": found.exchange_order_id,
            "symbol": found.symbol,
            "side": found.side.value,
            "amount": found.amount,
            "filled": found.filled,
            "price": found.price,
            "status": found.status.value,
            "reason": found.reason,
            "timestamp": found.created_at // NANOS_PER_MS,
        }

    def cancel_order(self, client_order_id: str) -> bool:
        """Ask for an order's end; whether the exchange took the wish.

        True says nothing of the end: it may have filled first, which `find_order` tells. False:
        nothing is open under that id. `Unavailable` says neither.
        """
        cancel = Cancel(client_order_id=_id(client_order_id), symbol=Symbol(""))
        verdict = self._verdict(cancel)  # the id alone is enough for this exchange
        if isinstance(verdict, Refused) and verdict.code == "not_open":
            return False
        _value(verdict)
        return True

    def get_open_positions(self, quote: str = "USDT") -> list[dict[str, Any]]:
        """Return what is held, as `PositionStateManager.reconcile_with_exchange` takes it.

        Dicts of `symbol`, `side` and `amount` (base): each coin but `quote` as coin/quote, long.
        """
        held = self._balances()
        return [
            {"symbol": f"{coin}/{quote}", "side": "long", "amount": amount}
            for coin, amount in sorted(held.items())
            if coin != quote
        ]

    def get_derivative_positions(self) -> list[dict[str, Any]]:
        """Return open derivatives: dicts of `symbol` (BTC/USD:USD), `side` and `amount` (base)."""
        held = self._answer(ReadPositions())
        assert isinstance(held, dict), f"Expected positions, was {type(held).__name__}"
        return [
            {
                "symbol": symbol,
                "side": "long" if amount > 0 else "short",
                "amount": amount if amount > 0 else negative(amount),
            }
            for symbol, amount in sorted(held.items())
        ]

    def get_balance(self, currency: str = "USDT") -> Decimal:
        """Return the total of a coin, free or in orders; zero where the wallet names none of it."""
        return self._balances().get(Coin(currency), ZERO)

    def get_ticker(self, symbol: str) -> dict[str, Any]:
        """Return the best prices: a dict of `symbol`, `bid`, `ask` (quote) and `timestamp` (ms).

        `Unavailable` where one side of the book is empty.
        """
        wanted = _symbol(symbol)
        if not self._profile.is_proven:  # the library has to know what it asks for
            self._answer(ReadInstruments(symbols=(wanted,)))
        quote = self._answer(ReadQuote(symbol=wanted))
        if quote is None:
            raise Unavailable(f"{symbol} has no price: one side of the book is empty")
        assert isinstance(quote, Quote), f"Expected a quote, was {type(quote).__name__}"
        at_ms = quote.at // NANOS_PER_MS
        return {"symbol": symbol, "bid": quote.bid, "ask": quote.ask, "timestamp": at_ms}

    def _balances(self) -> dict[Coin, Decimal]:
        held = self._answer(ReadBalances())
        assert isinstance(held, dict), f"Expected balances, was {type(held).__name__}"
        return {Coin(name): amount for name, amount in held.items()}

    def _answer(self, call: Call) -> Answer:
        return _value(self._verdict(call))

    def _verdict(self, call: Call) -> Verdict:
        with self._turn:
            return self._execute(call).verdict


def _told(order: PlaceOrder, verdict: Verdict) -> dict[str, Any]:
    state, code, reason, order_id = "unknown", "", "", None
    match verdict:
        case Answered():
            state, order_id = "placed", verdict.value
        case Refused():
            state = "unknown" if verdict.code == "duplicate_id" else "refused"
            code, reason = verdict.code, verdict.reason
        case Lost():
            reason = verdict.reason
        case _:
            state, code, reason = "refused", _NOT_CARRIED_OUT[type(verdict)], verdict.reason
    return {
        "state": state,
        "client_order_id": order.client_order_id,
        "order_id": order_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "amount": order.amount,
        "price": order.price,
        "code": code,
        "reason": reason,
    }


def _value(verdict: Verdict) -> Answer:
    match verdict:
        case Answered():
            return verdict.value
        case Denied():
            raise KeyDenied(verdict.reason)
        case Limited():
            raise Unavailable(verdict.reason, verdict.retry_after_s)
        case _:
            raise Unavailable(verdict.reason)


def _positive(name: str, given: object) -> Decimal:
    if isinstance(given, float):
        raise BadArgument(f'{name}: expected an exact figure as "{given}", was a float')
    if isinstance(given, bool) or not isinstance(given, Decimal | int | str):
        raise BadArgument(f"{name}: expected a Decimal, an int or text, was {given!r}")
    value = written_figure(given) if isinstance(given, str) else Decimal(given)
    if value is None or not is_figure(value) or not is_amount(value):
        raise BadArgument(f"{name}: expected a positive figure, was {given!r:.60}")
    return value


def _one_of(name: str, given: str, words: tuple[str, ...]) -> str:
    if given not in words:
        raise BadArgument(f"{name}: expected {' or '.join(words)}, was {given!r}")
    return given


def _symbol(given: str) -> Symbol:
    base, _, quote = given.partition("/") if isinstance(given, str) else ("", "", "")
    if not base or not quote or not given.isprintable() or " " in given:
        raise BadArgument(f"symbol: expected one like BTC/USDT, was {given!r}")
    return Symbol(given)


def _id(given: str | None) -> ClientOrderId:
    if given is None:
        return ClientOrderId(_ID_MARK + draw_hex(ID_LENGTH_MAX - len(_ID_MARK)))
    is_plain = isinstance(given, str) and given.isascii() and given.isalnum()
    if not is_plain or len(given) > ID_LENGTH_MAX:
        raise BadArgument(f"client_order_id: expected up to 32 letters and digits, was {given!r}")
    return ClientOrderId(given)
