"""The market that a run goes through: from its files, from a seed, or from a recording.

It reads files and opens nothing else. What comes when is not its own to say: that is for
`aegis.exchange.paced`, or for the exchange itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from aegis import __version__
from aegis.clock import SystemClock
from aegis.config.model import Config
from aegis.config.recorded import recorded_settings
from aegis.config.rerun import Rerun
from aegis.domain.candles import Candle
from aegis.domain.ids import Incarnation, Instant, Symbol
from aegis.domain.recorded import Beginning, RunStarted
from aegis.exchange.candle_source import CandleSource
from aegis.exchange.paced import Source
from aegis.exchange.replay import FileFormat, ReplayFile
from aegis.exchange.replay_files import read_files, remarks_of
from aegis.exchange.simulated import SimulatedSource
from aegis.strategy_loader import code_of
from supervisors.settings import market_of

SIMULATED_START = Instant(1_704_067_200_000_000_000)
"""Where the simulated market begins to be traded on: 2024-01-01T00:00:00Z."""

SIMULATED_CANDLES_MAX = 45_000
"""A simulated run at speed 0 ends after a month of minutes."""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """A market by its name in a store's identity, with each symbol's candles.

    `first_prices` are what the paper exchange takes its price steps from; a symbol without one
    has the step of its coin. `remarks` are what a person should know of the files. A real market
    has no sources: it is asked, and begins when somebody looks, at `opens_at`.
    """

    name: str
    sources: tuple[Source, ...]
    symbols: tuple[Symbol, ...]
    opens_at: Instant | None = None
    first_prices: Mapping[Symbol, Decimal] = {}
    files: tuple[ReplayFile, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def begins_at(self) -> Instant:
        """The first instant at which anything may be traded."""
        return self.opens_at or min(source.starts_at for source in self.sources)

    @property
    def beginnings(self) -> tuple[Beginning, ...]:
        """Return where each symbol began, for the recording."""
        starts_at = {source.symbol: source.starts_at for source in self.sources}
        return tuple(
            Beginning(
                symbol=symbol,
                starts_at=starts_at.get(symbol, self.begins_at),
                first_price=self.first_prices.get(symbol),
            )
            for symbol in self.symbols
        )

    def candles(self) -> tuple[Candle, ...]:
        """Return all candles that a run at speed 0 goes through; endless for a live one."""
        return tuple(candle for source in self.sources for candle in source.candles(Instant(0)))


def ground_of(config: Config) -> Ground:
    """Return the market of a configuration; raises `ReplayFaults` before anything is opened."""
    market, symbols = config.market, config.exchange.symbols
    if market.source == "exchange":
        now = SystemClock().now()
        return Ground(name=market_of(config), sources=(), symbols=symbols, opens_at=now)
    if market.source == "replay":
        form = FileFormat(timeframe_s=market.timeframe_s, stamp=market.stamp, volume=market.volume)
        files = read_files(market.path, symbols, form)
        return Ground(
            name=market_of(config),
            sources=tuple(CandleSource(file.symbol, file.candles) for file in files),
            symbols=symbols,
            first_prices={file.symbol: file.candles[0].open for file in files},
            files=files,
            remarks=remarks_of(files),
        )
    return Ground(
        name=market_of(config),
        sources=tuple(
            SimulatedSource(
                seed=market.seed,
                symbol=symbol,
                timeframe_s=market.timeframe_s,
                start=SIMULATED_START,
                candles_max=SIMULATED_CANDLES_MAX if market.speed == 0 else None,
            )
            for symbol in symbols
        ),
        symbols=symbols,
    )


def run_started(
    config: Config, ground: Ground, incarnation: Incarnation, folder: Path
) -> RunStarted:
    """Return what a recording has of the beginning of a run."""
    return RunStarted(
        version=__version__,
        incarnation=incarnation,
        market=ground.name,
        beginnings=ground.beginnings,
        settings=recorded_settings(config),
        code=code_of(config.strategy.name, folder),
    )


def ground_of_recording(rerun: Rerun) -> Ground:
    """Return a recorded market, under the name that it had."""
    return Ground(
        name=rerun.market,
        sources=tuple(
            CandleSource(each.symbol, rerun.candles.get(each.symbol, ()), each.starts_at)
            for each in rerun.beginnings
        ),
        symbols=tuple(each.symbol for each in rerun.beginnings),
        first_prices={
            each.symbol: each.first_price
            for each in rerun.beginnings
            if each.first_price is not None
        },
    )
