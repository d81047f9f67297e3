"""A paper exchange on a table: short ways to move its market and to talk to it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from aegis.clock import ManualClock
from aegis.dialogue import (
    AccountFetched,
    CancelOrder,
    ExchangeAnswer,
    ExchangeRequest,
    FetchAccount,
    FetchQuote,
    FindOrder,
    OrderFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
)
from aegis.domain.candles import Candle, Tick
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, Coin, Instant, Symbol
from aegis.domain.money import text
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueAccount, VenueOrder, VenueTrade
from aegis.exchange.instruments import paper_instruments
from aegis.exchange.paper import Fault, PaperExchange, no_faults
from aegis.exchange.paper_ledger import LedgerView, PaperLedger, open_ledger, read_ledger
from aegis.exchange.paper_matching import PaperRules
from aegis.ports import Late

BTC_USDT = Symbol("BTC/USDT")
BTC, USDT = Coin("BTC"), Coin("USDT")
START = Instant(1_704_067_200 * NANOS_PER_SECOND)
LONG_AGO = Instant(0)

FREE = PaperRules(
    fee_rate=Decimal(0),
    fee_currency="quote",
    spread_bps=Decimal(0),
    slippage_bps=Decimal(0),
    volume_share_max=Decimal(1),
    late_after_s=60,
)
"""Rules without any cost, so that a test can name the one it is about."""

USUAL = PaperRules(
    fee_rate=Decimal("0.001"),
    fee_currency="quote",
    spread_bps=Decimal(2),
    slippage_bps=Decimal(2),
    volume_share_max=Decimal("0.1"),
    late_after_s=60,
)


class Table:
    """An exchange, its ledger and its clock; `reopen` is what a restart does to them."""

    def __init__(
        self,
        folder: Path,
        rules: PaperRules = FREE,
        *,
        usdt: str = "10000",
        btc: str = "1",
        faults: Callable[[ExchangeRequest], Fault | None] = no_faults,
    ) -> None:
        self.path = folder / "aegis.db.paper"
        self.clock = ManualClock(START)
        self.rules = rules
        self.faults = faults
        self._start = {USDT: Decimal(usdt), BTC: Decimal(btc)}
        self._ids = 0
        self._mid = Decimal(0)
        self.ledger: PaperLedger
        self.exchange: PaperExchange
        self._open()

    def _open(self) -> None:
        self.ledger = open_ledger(self.path, self._start, "test")
        self.exchange = PaperExchange(
            ledger=self.ledger,
            rules=self.rules,
            instruments=paper_instruments((BTC_USDT,)),
            clock=self.clock,
            faults=self.faults,
        )

    def reopen(self) -> None:
        self.ledger.close()
        self._open()

    # The market -----------------------------------------------------------------------------

    def tick(self, price: str, *, start: str | None = None, volume: str = "100") -> None:
        """Move the mid from `start` (else from where it stood) to a price, 15 s later."""
        self.clock.advance_to(Instant(self.clock.now() + 15 * NANOS_PER_SECOND))
        mid = Decimal(price)
        begin = Decimal(start) if start is not None else self._mid or mid
        self._mid = mid
        at = self.clock.now()
        self.exchange.observe(
            Tick(symbol=BTC_USDT, at=at, start=begin, price=mid, volume=Decimal(volume))
        )

    def close(self) -> None:
        """Close the candle: the market stands still until the next tick."""
        self.exchange.observe_close(a_candle(self._mid or Decimal(1), self.clock.now()))

    # The requests ---------------------------------------------------------------------------

    def order(self, side: Side, amount: str, **fields: object) -> PlaceOrder:
        """Return a market order of the next id; `fields` change what they name."""
        self._ids += 1
        request = PlaceOrder(
            client_order_id=ClientOrderId(f"order-{self._ids}"),
            symbol=BTC_USDT,
            side=side,
            type=OrderType.MARKET,
            amount=Decimal(amount),
            price=None,
            trigger_price=None,
            reduce_only=False,
            sent_at=self.clock.now(),
        )
        return msgspec.structs.replace(request, **fields)

    def ask(self, request: ExchangeRequest) -> ExchangeAnswer | Late:
        return self.exchange.execute(request)

    def place(self, side: Side, amount: str, **fields: object) -> str:
        """Place an order that must be taken; return its client id."""
        request = self.order(side, amount, **fields)
        answer = self.ask(request)
        assert isinstance(answer, OrderPlaced), answer
        return request.client_order_id

    def limit(self, side: Side, amount: str, price: str) -> str:
        return self.place(side, amount, type=OrderType.LIMIT, price=Decimal(price))

    def exit_at(self, trigger: str, amount: str = "1", side: Side = Side.SELL) -> str:
        return self.place(side, amount, trigger_price=Decimal(trigger))

    def cancel(self, client_order_id: str) -> ExchangeAnswer | Late:
        return self.ask(
            CancelOrder(client_order_id=ClientOrderId(client_order_id), symbol=BTC_USDT)
        )

    def found(self, client_order_id: str) -> tuple[VenueOrder, tuple[VenueTrade, ...]]:
        """Return an order that must be known, with its trades."""
        answer = self.ask(
            FindOrder(
                client_order_id=ClientOrderId(client_order_id), symbol=BTC_USDT, since=Instant(0)
            )
        )
        assert isinstance(answer, OrderFound), answer
        return answer.order, answer.trades

    def fills(self, client_order_id: str) -> list[tuple[str, str]]:
        """Return the fills of an order as (amount, price)."""
        return [(text(trade.amount), text(trade.price)) for trade in self.found(client_order_id)[1]]

    def account(self, since: Instant = LONG_AGO) -> VenueAccount:
        answer = self.ask(FetchAccount(trades_since=since))
        assert isinstance(answer, AccountFetched), answer
        return answer.account

    def quote(self) -> QuoteFetched:
        answer = self.ask(FetchQuote(symbol=BTC_USDT))
        assert isinstance(answer, QuoteFetched), answer
        return answer

    def view(self) -> LedgerView:
        return read_ledger(self.path)


def a_candle(price: Decimal, open_at: Instant, symbol: Symbol = BTC_USDT) -> Candle:
    return Candle(
        symbol=symbol,
        open_at=open_at,
        length_s=60,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
    )
