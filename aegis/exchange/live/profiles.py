"""The exchanges that AEGIS knows: one proven, the others for market data.

Sources: the exchanges' own documents and ccxt's descriptions of them. For Crypto.com: Exchange API
v1, "Response and Reason Codes", "Rate Limits", and each method's page.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis.domain.candles import TIMEFRAMES_S
from aegis.exchange.live.profile import Profile, Rate

DAY_S = 86_400

_ALL = frozenset(TIMEFRAMES_S.values())

_CRYPTOCOM_REFUSALS: Mapping[str, str] = {
    "204": "duplicate_id",
    "206": "unknown_symbol",  # expired
    "208": "unknown_symbol",  # not tradable
    "209": "unknown_symbol",
    "213": "invalid_order",  # quantity
    "218": "invalid_order",  # type
    "219": "invalid_order",  # instructions
    "220": "invalid_order",  # side
    "221": "invalid_order",  # time in force
    "229": "invalid_order",  # trigger price
    "230": "invalid_order",  # trigger type
    "302": "invalid_order",  # the account's risk limit
    "303": "invalid_order",  # the position's risk limit
    "304": "invalid_order",  # would be liquidated at once
    "305": "invalid_order",  # would cause a margin call
    "306": "insufficient_funds",
    "308": "invalid_order",  # price
    "309": "invalid_order",  # the market is not open
    "312": "invalid_order",  # above the day's highest price
    "313": "invalid_order",  # below the day's lowest price
    "314": "invalid_order",  # too large
    "315": "invalid_order",  # a limit far away
    "318": "invalid_order",  # too many open orders
    "319": "invalid_order",  # too large a position
    "320": "insufficient_funds",  # margin
    "321": "insufficient_funds",
    "325": "invalid_order",  # the day's volume
    "415": "invalid_order",  # too small
    "40001": "invalid_order",
    "40003": "invalid_order",
    "40004": "invalid_order",  # an argument is missing
}
"""Codes of an answer to create-order that say it was not placed.

Left out on purpose, so that a look-up decides: 205 and 40006, which mean that something is there
already; 224, 43003, 43004, 43005 and 43012, which are told of orders that were taken and then
ended, perhaps with fills; 40801 and 50001, which say nothing.
"""

CRYPTOCOM = Profile(
    name="cryptocom",
    is_proven=True,
    client_id_param="client_oid",
    refusals=_CRYPTOCOM_REFUSALS,
    late_after_s=60,  # the nonce's window
    lookup_lag_s=5,
    skew_margin_s=5,
    trades_window_s=DAY_S - 1,  # our windows include both ends, and its day ends before its end
    trades_kept_s=180 * DAY_S,  # "recent 6 months"
    trades_page=100,
    candles_page=300,
    rates={
        "Place": Rate(calls=15, per_s=0.1),
        "Cancel": Rate(calls=15, per_s=0.1),
        "ReadOrder": Rate(calls=30, per_s=0.1),
        "ReadTrades": Rate(calls=1, per_s=1),
        "ReadOpenOrders": Rate(calls=3, per_s=0.1),
        "ReadBalances": Rate(calls=3, per_s=0.1),
        "ReadPositions": Rate(calls=3, per_s=0.1),
        "ReadInstruments": Rate(calls=100, per_s=1),
        "ReadQuote": Rate(calls=100, per_s=1),
        "ReadCandles": Rate(calls=100, per_s=1),
    },
    has_exchange_stops=True,
    tells_rights=False,
    not_open=frozenset({"212", "307", "316", "40401"}),
    not_found=frozenset({"40401"}),
    limited=frozenset({"42901", "10006"}),
    denied=frozenset(
        {"40101", "40103", "40104", "10002", "10003", "10005", "202", "401", "406", "410"}
    ),
    skewed=frozenset({"40102", "10007"}),
    roots=("v1",),
    timeframes_s=_ALL - {180},
)


def _for_market_data(
    name: str, *, client_id_param: str, rate: Rate, candles_page: int, roots: tuple[str, ...],
    timeframes_s: frozenset[int] = _ALL,
) -> Profile:  # fmt: skip
    """Return what is enough for prices; nothing private is ever asked by it."""
    return Profile(
        name=name,
        is_proven=False,
        client_id_param=client_id_param,
        refusals={},
        late_after_s=None,
        lookup_lag_s=5,
        skew_margin_s=5,
        trades_window_s=DAY_S,
        trades_kept_s=DAY_S,
        trades_page=100,
        candles_page=candles_page,
        rates={"ReadInstruments": rate, "ReadQuote": rate, "ReadCandles": rate},
        has_exchange_stops=False,
        tells_rights=False,
        roots=roots,
        timeframes_s=timeframes_s,
    )


BINANCE = _for_market_data(
    "binance",
    client_id_param="newClientOrderId",
    rate=Rate(calls=10, per_s=1),  # 6000 of weight a minute; exchangeInfo weighs 20
    candles_page=1000,
    roots=("public",),
)
KRAKEN = _for_market_data(
    "kraken",
    client_id_param="cl_ord_id",
    rate=Rate(calls=1, per_s=1),
    candles_page=720,
    roots=("public",),
    timeframes_s=_ALL - {180},
)
OKX = _for_market_data(
    "okx",
    client_id_param="clOrdId",
    rate=Rate(calls=10, per_s=1),  # 20 in 2 s
    candles_page=100,
    roots=("rest",),
)

PROFILES: Mapping[str, Profile] = {each.name: each for each in (CRYPTOCOM, BINANCE, KRAKEN, OKX)}
