"""Rules between the mode, the market and the exchange: what can run together.

Invariant: real prices pass at the pace of the clock, and money is traded on real prices alone.
"""

from __future__ import annotations

from aegis.config.broken import Broken, Names, Rule
from aegis.config.model import Config
from aegis.config.text import KeyPath


def _market_is_real(config: Config, _names: Names) -> Broken | None:
    if config.mode == "paper" or config.market.source == "exchange":
        return None
    beside = 'market.source = "exchange" and market.speed = 1'
    return Broken(("mode",), f'expected "paper", or {beside} with it', (config.mode,))


def _clock_is_real(config: Config, _names: Names) -> Broken | None:
    speed = config.market.speed
    if config.market.source != "exchange" or speed == 1:
        return None
    expected = 'expected 1, since market.source = "exchange" comes at the pace of the clock'
    return Broken(("market", "speed"), expected, (speed,))


def _exchange_is_proven(config: Config, names: Names) -> Broken | None:
    name, proven = config.exchange.name, sorted(names.proven)
    if config.mode != "live" or name in proven or name not in names.exchanges:
        return None
    listed = " or ".join(f'"{each}"' for each in proven)
    expected = f'expected {listed}, since mode = "live" (the others give prices for paper alone)'
    return Broken(("exchange", "name"), expected, (name,))


def _candles_are_there(config: Config, names: Names) -> Broken | None:
    market, name = config.market, config.exchange.name
    if market.source != "exchange" or market.timeframe not in names.timeframes_lacking.get(
        name, ()
    ):
        return None
    expected = f"expected another timeframe, since {name} has no candles of this one"
    return Broken(("market", "timeframe"), expected, (market.timeframe,))


def _sandbox_is_there(config: Config, names: Names) -> Broken | None:
    exchange = config.exchange
    if not exchange.sandbox:
        return None
    key = ("exchange", "sandbox")
    if exchange.base_url:
        return Broken(key, "expected false, since exchange.base_url says where it is", (True,))
    if exchange.name in names.exchanges and exchange.name not in names.sandboxes:
        return Broken(key, f"expected false, since {exchange.name} has none", (True,))
    return None


MODE_RULES: tuple[tuple[tuple[KeyPath, ...], Rule], ...] = (
    ((("mode",), ("market", "source")), _market_is_real),
    ((("market", "source"), ("market", "speed")), _clock_is_real),
    ((("mode",), ("exchange", "name")), _exchange_is_proven),
    ((("market",), ("exchange", "name")), _candles_are_there),
    (
        (("exchange", "name"), ("exchange", "sandbox"), ("exchange", "base_url")),
        _sandbox_is_there,
    ),
)
