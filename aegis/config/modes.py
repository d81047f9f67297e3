"""Rules between the mode, the market and the exchange: what can run together.

Invariant: real prices pass at the pace of the clock, and money is traded on real prices alone.
"""

from __future__ import annotations

from aegis.config.broken import Broken, Names, Rule
from aegis.config.model import Config
from aegis.config.text import KeyPath
from aegis.domain.ids import is_derivative


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


def _kind_is_of_the_mode(config: Config, _names: Names) -> Broken | None:
    """Judge what is traded on paper: its exchange holds coins alone, and no margin."""
    if config.exchange.kind == "spot" or config.mode == "live":
        return None
    expected = f'expected "spot", since mode = "{config.mode}" trades coins on paper'
    return Broken(("exchange", "kind"), expected, (config.exchange.kind,))


def _symbols_are_of_the_kind(config: Config, _names: Names) -> Broken | None:
    kind = config.exchange.kind
    if kind == "derivatives" and config.mode != "live":
        return None  # the kind is the fault
    form = "BTC/USD:USD" if kind == "derivatives" else "BTC/USDT"
    for symbol in config.exchange.symbols:
        if is_derivative(symbol) is not (kind == "derivatives"):
            expected = f'expected symbols as "{form}", since exchange.kind = "{kind}"'
            return Broken(("exchange", "symbols"), expected, (symbol,))
    return None


def _stops_rest_beside_coins(config: Config, _names: Names) -> Broken | None:
    stop = config.risk.exchange_stop
    if config.exchange.kind == "spot" or stop == "off":
        return None
    expected = 'expected "off", since exchange.kind = "derivatives"'
    return Broken(("risk", "exchange_stop"), expected, (stop,))


MODE_RULES: tuple[tuple[tuple[KeyPath, ...], Rule], ...] = (
    ((("mode",), ("market", "source")), _market_is_real),
    ((("market", "source"), ("market", "speed")), _clock_is_real),
    ((("mode",), ("exchange", "name")), _exchange_is_proven),
    ((("market",), ("exchange", "name")), _candles_are_there),
    ((("mode",), ("exchange", "kind")), _kind_is_of_the_mode),
    ((("exchange", "kind"), ("risk", "exchange_stop")), _stops_rest_beside_coins),
    ((("mode",), ("exchange", "kind"), ("exchange", "symbols")), _symbols_are_of_the_kind),
    (
        (("exchange", "name"), ("exchange", "sandbox"), ("exchange", "base_url")),
        _sandbox_is_there,
    ),
)
