"""The market's dialogue: what it tells, and what MarketFeed is asked of its past."""

from __future__ import annotations

from decimal import Decimal

from aegis.dialogue import Message
from aegis.domain.candles import Candle, Tick
from aegis.domain.ids import Instant, Symbol


class MarketMoved(Message, frozen=True, kw_only=True):
    """A step of the price path; `spread_bps` is the whole distance between bid and ask."""

    tick: Tick
    spread_bps: Decimal


class CandleClosed(Message, frozen=True, kw_only=True):
    """`is_warmup`: it teaches the strategy, no more; `has_gap_before`: some are missing before."""

    candle: Candle
    is_warmup: bool
    has_gap_before: bool = False


class MarketEnded(Message, frozen=True, kw_only=True):
    """The replay has no more candles; everything that may still happen is asked to finish."""


MarketNews = MarketMoved | CandleClosed | MarketEnded


class ReadHistory(Message, frozen=True, kw_only=True):
    """Ask for a page of closed candles: those that closed after an instant, eldest first.

    At least the last `least` of them, even where that is earlier.
    """

    symbol: Symbol
    after: Instant | None
    least: int
    reply_to: str


class HistoryRead(Message, frozen=True, kw_only=True):
    """One page. It tells all that closed up to `until`; ask for the next one from there.

    `after` is the question's. `is_cut` says that the eldest were left out.
    """

    symbol: Symbol
    after: Instant | None
    candles: tuple[Candle, ...]
    until: Instant
    is_last: bool
    is_cut: bool = False


class FeedStarted(Message, frozen=True, kw_only=True):
    """A feed has begun; what an earlier one had heard and not passed on is in the history."""


FeedMessage = MarketNews | ReadHistory
