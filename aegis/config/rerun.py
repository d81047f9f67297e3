"""What it takes to run a leg of a recording again, besides its configuration."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aegis.config.model import Config
from aegis.domain.candles import Candle
from aegis.domain.ids import Incarnation, Instant, Symbol
from aegis.domain.recorded import Beginning


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded market in the place of the configured one, and when the leg was over.

    `candles` of a symbol may begin before its trading does: a strategy warms up on them.
    `changes` are the settings that were taken over on the way, each with its instant, in order.
    """

    incarnation: Incarnation
    market: str
    beginnings: tuple[Beginning, ...]
    candles: Mapping[Symbol, tuple[Candle, ...]]
    ends_at: Instant | None
    changes: tuple[tuple[Instant, Config], ...] = ()
