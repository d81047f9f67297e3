"""MarketFeed: the market's news, in order, to those who watch it.

It owns the question "what comes next"; it never decides anything. News that cannot be true is
told and not passed on.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.domain.candles import Candle, Tick, fault_of, is_jump
from aegis.domain.ids import Symbol
from aegis.domain.instants import text_of
from aegis.domain.money import is_amount
from aegis.news import (
    CandleClosed,
    FeedMessage,
    FeedStarted,
    MarketEnded,
    MarketMoved,
    ReadHistory,
)
from aegis.ports import MarketData


class MarketFeed(Actor):
    """Asks the market for one piece of news at a time; `on_ended` hears that there is no more."""

    def __init__(
        self, context: Context, *, market: MarketData, on_ended: Callable[[], None]
    ) -> None:
        super().__init__(context)
        self._market = market
        self._on_ended = on_ended
        self._last_closed: dict[Symbol, Candle] = {}
        self._believed: dict[Symbol, Decimal] = {}
        self._doubted: dict[Symbol, Decimal] = {}

    def on_started(self) -> None:
        for name in (names.GUARD, names.STRATEGY):
            self.tell(name, FeedStarted())
        self._market.next(self.reply_to())

    def receive(self, message: FeedMessage) -> None:
        match message:
            case ReadHistory():
                self._tell_history(message)
                return
            case MarketMoved():
                self._moved(message)
            case CandleClosed():
                self._closed(message)
            case MarketEnded():
                self.log("MarketEnded")
                self._on_ended()
                return
            case _:
                assert_never(message)
        self._market.next(self.reply_to())

    def _tell_history(self, message: ReadHistory) -> None:
        """Let the market tell whoever asked; a page that comes after this feed's death is lost."""
        self._market.history(message, lambda page: self.tell(message.reply_to, page))

    def _moved(self, message: MarketMoved) -> None:
        fault = fault_of_tick(message.tick) or self._fault_of_jump(message.tick)
        if fault is not None:
            self.log("TickRefused", level="warning", symbol=message.tick.symbol, text=fault)
            return
        self.tell(names.EXCHANGE_GATEWAY, message)
        self.tell(names.GUARD, message)

    def _fault_of_jump(self, tick: Tick) -> str | None:
        """Doubt a price far from the last one until a second one is as far, on the same side.

        However far: a crash that goes on must not be doubted tick after tick.
        """
        symbol, price = tick.symbol, tick.price
        believed = self._believed.get(symbol, price)
        doubted = self._doubted.pop(symbol, None)
        is_confirmed = doubted is not None and (doubted < believed) is (price < believed)
        if is_jump(believed, price) and not is_confirmed:
            self._doubted[symbol] = price
            return f"expected a price near {believed}, was {price}; a second look decides"
        self._believed[symbol] = price
        return None

    def _closed(self, message: CandleClosed) -> None:
        candle = message.candle
        before = self._last_closed.get(candle.symbol)
        fault = fault_of(candle)
        if fault is None and before is not None and candle.open_at <= before.open_at:
            if candle == before:
                return
            fault = f"expected a candle after {before.open_at}, was {candle.open_at}"
        if fault is not None:
            self.log("CandleRefused", level="warning", symbol=candle.symbol, text=fault)
            return
        if message.has_gap_before:
            self.log("MarketGap", level="warning", symbol=candle.symbol, at=text_of(candle.open_at))
        self._last_closed[candle.symbol] = candle
        self.tell(names.GUARD, message)
        self.tell(names.STRATEGY, message)


def fault_of_tick(tick: Tick) -> str | None:
    """Return why a tick cannot be true, or None."""
    if not (is_amount(tick.price) and is_amount(tick.start)):
        return f"expected positive prices, were {tick.start} and {tick.price}"
    return None
