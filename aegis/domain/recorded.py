"""What is kept of a run beside its log: the candles that it was shown, and its settings.

Enough to let strategy, guard and paper exchange live through it again. Pure values; the store
keeps them, and whoever runs AEGIS again is given them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import EventId, Incarnation, Instant, Symbol


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """Where a symbol's market began to be traded on.

    `first_price` is what the paper exchange took its price step from, where the market said so.
    """

    symbol: Symbol
    starts_at: Instant
    first_price: Decimal | None


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag="start"):
    """A run began: `settings` are all that a decision may depend on, key to TOML; no secrets.

    `code` is a digest of the file that a person's strategy was in, nothing for a built-in one.
    """

    version: str
    incarnation: Incarnation
    market: str
    beginnings: tuple[Beginning, ...]
    settings: Mapping[str, str]
    code: str = ""


class SettingsChanged(msgspec.Struct, frozen=True, kw_only=True, tag="settings"):
    """A running AEGIS took over other settings: those that are not named stayed."""

    settings: Mapping[str, str]


class RunEnded(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """Somebody, or the end of the data, told it to stop. A run that was killed has no end.

    `is_market_over` says that there were no more candles then, however many have come since.
    """

    is_market_over: bool = False


Fact = RunStarted | SettingsChanged | RunEnded


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A fact about a run: when on the market, and which event was the last one before it."""

    at: Instant
    after_event: EventId
    fact: Fact


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """What a store has kept. `candles` are by symbol and length in seconds, in order of time.

    They may be of an interval alone: `spans` are the opens of the first and the last that there
    are. `is_cut` says that the eldest were let go.
    """

    entries: tuple[Entry, ...]
    candles: Mapping[tuple[Symbol, int], tuple[Candle, ...]]
    spans: Mapping[tuple[Symbol, int], tuple[Instant, Instant]]
    is_cut: bool
