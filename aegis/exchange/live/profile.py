"""What is known of one exchange's ways, as data: everything in which exchanges differ for AEGIS.

A profile is proven when the whole of AEGIS was run against that exchange's protocol; only a
proven one trades live. The others give market data.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class Lane(StrEnum):
    """Calls of one lane go one after another, each lane on its own client and thread."""

    ORDERS = "orders"  # placing and cancelling: nothing else may stand in their way
    LOOKS = "looks"  # order detail, account, trades
    QUOTES = "quotes"  # public


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """`calls` within `per_s` seconds, as the exchange publishes it."""

    calls: int
    per_s: float


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds are the exchange's. `refusals` maps its codes to the dialogue's, for placings.

    `not_open`, `not_found`, `limited`, `denied`, `skewed` are its codes as well: of a cancel that
    finds nothing to cancel, of a look-up that finds nothing, of too many requests, of a key without
    the right, of a request whose time is off.
    `late_after_s`: it refuses a request whose time is older; None where it never does, and absence
    can be proved by nobody. `lookup_lag_s`: how long an accepted order may stay out of sight.
    `trades_kept_s`: how far back its trades are told, of which a call may ask for
    `trades_window_s` at most.
    `rates` are by the name of the call's type; what is missing there has none of its own.
    `roots` are the library's names of the addresses that one base URL of ours stands for.
    `timeframes_s` are the candles that it tells, by their length.
    """

    name: str
    is_proven: bool
    client_id_param: str
    refusals: Mapping[str, str]
    late_after_s: float | None
    lookup_lag_s: float
    skew_margin_s: float
    trades_window_s: int
    trades_kept_s: int
    trades_page: int
    candles_page: int
    rates: Mapping[str, Rate]
    has_exchange_stops: bool
    tells_rights: bool
    not_open: frozenset[str] = frozenset()
    not_found: frozenset[str] = frozenset()
    limited: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    skewed: frozenset[str] = frozenset()
    roots: tuple[str, ...] = ()
    timeframes_s: frozenset[int] = frozenset()
