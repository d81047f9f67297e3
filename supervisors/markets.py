"""Which market a system hears: made from candles, standing still, or asked at the exchange."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from aegis.config.model import Config
from aegis.domain.ids import Instant, Symbol
from aegis.exchange.paced import PacedMarket, Venue
from aegis.exchange.standing import StandingMarket, last_tick
from aegis.ports import Log, MarketData, Recorder, Runtime
from supervisors.ground import Ground
from supervisors.tree import Errand

if TYPE_CHECKING:
    from supervisors.clients import Clients

NANOS_PER_MS = 1_000_000


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A market; `heard_at` where its news comes by a clock, and how it is ended."""

    data: MarketData
    heard_at: Callable[[], Mapping[Symbol, float]] | None
    close: Callable[[], None]


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What a market is opened in. `clients` are there where the market is an exchange's."""

    config: Config
    ground: Ground
    runtime: Runtime
    venue: Venue | None
    recorder: Recorder | None
    lived_until: Instant
    errand: Errand | None
    clients: Clients | None
    log: Log


def market_in(setting: Setting) -> Opened:
    """Return the market of a run, or of an errand, which only has prices where it trades."""
    errand = setting.errand
    if setting.clients is not None and (errand is None or errand.is_trading):
        return _polled(setting, setting.clients)
    if errand is not None:
        return _standing(setting, has_prices=errand.is_trading)
    paced = PacedMarket(
        sources=setting.ground.sources,
        runtime=setting.runtime,
        spread_bps=setting.config.paper.spread_bps,
        venue=setting.venue,
        recorder=setting.recorder,
        start_after=setting.lived_until,
    )
    return Opened(data=paced, heard_at=paced.heard_at, close=_nothing)


def _polled(setting: Setting, clients: Clients) -> Opened:
    from aegis.exchange.live.feed.market import PolledMarket

    config, clock = setting.config, setting.runtime.clock
    market = PolledMarket(
        config.exchange.symbols,
        timeframe_s=config.market.timeframe_s,
        candles_page=clients.profile.candles_page,
        poll_interval_s=config.market.poll_interval_s,
        stale_after_s=config.market.stale_after_s,
        deadline_s=config.exchange.call_deadline_s,
        make_client=clients.public(lambda: clock.now() // NANOS_PER_MS),
        runtime=setting.runtime,
        log=setting.log,
        venue=setting.venue,
        recorder=setting.recorder,
    )
    return Opened(data=market, heard_at=market.heard_at, close=market.close)


def _standing(setting: Setting, *, has_prices: bool) -> Opened:
    known = [last_tick(source, setting.lived_until) for source in setting.ground.sources]
    ticks = [tick for tick in known if tick is not None] if has_prices else []
    for tick in ticks:
        if setting.venue is not None:
            setting.venue.observe(tick)
    market = StandingMarket(ticks, setting.runtime, setting.config.paper.spread_bps)
    return Opened(data=market, heard_at=None, close=_nothing)


def _nothing() -> None:
    """Nothing was opened that could be closed."""
