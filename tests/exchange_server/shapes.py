"""The words of the local exchange: instruments, orders, fills, settings. Values, no behaviour.

Amounts are Decimals and exact; instants are UTC nanoseconds on the exchange's clock.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

ZERO = Decimal(0)
MS = 1_000_000
SECOND = 1_000_000_000
DAY = 86_400 * SECOND


def plain(figure: Decimal) -> str:
    """Write a figure without an exponent, as the exchange does."""
    return f"{figure:f}"


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """An instrument. `first_price` is about where its walk begins."""

    name: str
    kind: Literal["CCY_PAIR", "PERPETUAL_SWAP"]
    base: str
    quote: str
    price_step: Decimal
    amount_step: Decimal
    first_price: Decimal
    least_notional: Decimal
    amount_max: Decimal


def _pair(base: str, quote: str, price_step: str, amount_step: str, first_price: str) -> Listing:
    return Listing(
        name=f"{base}_{quote}",
        kind="CCY_PAIR",
        base=base,
        quote=quote,
        price_step=Decimal(price_step),
        amount_step=Decimal(amount_step),
        first_price=Decimal(first_price),
        least_notional=Decimal(1),
        amount_max=Decimal(1_000_000) / Decimal(first_price) * 10,
    )


LISTINGS: dict[str, Listing] = {
    each.name: each
    for each in (
        _pair("BTC", "USDT", "0.01", "0.00001", "40000"),
        _pair("ETH", "USDT", "0.01", "0.0001", "2500"),
        _pair("SOL", "USDT", "0.001", "0.001", "100"),
        _pair("CRO", "USDT", "0.00001", "1", "0.1"),
        _pair("BTC", "USD", "0.01", "0.00001", "40000"),
        Listing(
            name="BTCUSD-PERP",
            kind="PERPETUAL_SWAP",
            base="BTC",
            quote="USD",
            price_step=Decimal("0.1"),
            amount_step=Decimal("0.0001"),
            first_price=Decimal(40000),
            least_notional=Decimal(1),
            amount_max=Decimal(100),
        ),
    )
}


class Status(StrEnum):
    """The exchange's own words; a partial fill is ACTIVE with a cumulative quantity."""

    NEW = "NEW"
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({Status.NEW, Status.PENDING, Status.ACTIVE})

TRIGGERS = frozenset({"STOP_LOSS", "STOP_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
WITH_LIMIT = frozenset({"LIMIT", "STOP_LIMIT", "TAKE_PROFIT_LIMIT"})


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order as it stands. `reserved` is what it locks of `reserved_coin`: what is left of its
    quantity, times `reserved_price` (one for a sale).

    `maker` says who placed it: "api" with our key, "owner" by hand or with another key.
    `exchange_order_id` is what a trigger order trades under once it has fired; None before.
    `is_doomed`: it looks accepted, never trades, and is rejected later.
    `is_forgotten`: look-ups and history no longer know it; its trades stay.
    """

    order_id: str
    client_oid: str
    instrument: str
    side: Literal["BUY", "SELL"]
    type: str
    tif: str
    exec_inst: tuple[str, ...]
    quantity: Decimal
    limit_price: Decimal | None
    ref_price: Decimal | None
    status: Status
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fee: Decimal = ZERO
    fee_coin: str
    reserved: Decimal = ZERO
    reserved_coin: str
    reserved_price: Decimal
    reason: int = 0
    maker: Literal["api", "owner"] = "api"
    exchange_order_id: str | None = None
    is_doomed: bool = False
    is_forgotten: bool = False
    created_at: int
    updated_at: int
    request_no: int

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def rest(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def is_trigger(self) -> bool:
        return self.type in TRIGGERS

    @property
    def waits_for_trigger(self) -> bool:
        return self.is_trigger and self.exchange_order_id is None

    @property
    def trades_as(self) -> str:
        """The order id that its trades carry."""
        return self.exchange_order_id or self.order_id


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of an order; `fee` is positive, in `fee_coin`."""

    trade_id: str
    match_id: str
    order_id: str
    client_oid: str
    instrument: str
    side: Literal["BUY", "SELL"]
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_coin: str
    liquidity: Literal["TAKER", "MAKER"]
    filled_at: int


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happens at an instant: an order's next step, or a request's late effect."""

    at: int
    step: Literal["activate", "reject", "cancel", "request"]
    order_id: str = ""
    endpoint: str = ""
    params: dict[str, object] = {}
    request_no: int = 0


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be switched while the exchange runs; seconds, rates as fractions.

    `dedupe`: an order with a client id that is known is refused (204) never, among open orders
    (as the real one), or among all.
    `locks_triggers`: a resting trigger order locks its coins; else it is rejected when it fires
    and the coins are gone.
    `creation_lag_s`: an order is `unborn_as` so long before it can trade.
    `cancel_lag_s`: a cancel is answered at once and takes effect later, or too late.
    `matching` "by_hand": nothing trades but by the control API.
    `depth`: the value in the quote coin that each level of the book gives each second.
    `unfilled_ends_as`: what IOC and FOK orders come to with what the book did not give.
    `key`: "ok", "revoked", or "html_401" and "html_403", a gateway in front that says it in HTML.
    `halted`: instruments that take no orders. `delisted`: those that are there no more.
    `clock_offset_s`: how far the exchange's clock is ahead of the true one.
    """

    dedupe: Literal["off", "open", "all"] = "open"
    rate_limits: bool = False
    creation_lag_s: float = 0.0
    unborn_as: Literal["PENDING", "NEW"] = "PENDING"
    cancel_lag_s: float = 0.0
    locks_triggers: bool = True
    matching: Literal["market", "by_hand"] = "market"
    depth: Decimal = Decimal(20_000)
    spread_bps: Decimal = Decimal(2)
    taker_fee_rate: Decimal = Decimal("0.00075")
    maker_fee_rate: Decimal = Decimal("0.0005")
    price_band: Decimal = Decimal("0.5")
    open_orders_max: int = 200
    unfilled_ends_as: Literal["CANCELED", "EXPIRED"] = "CANCELED"
    nonce_window_s: float = 60.0
    key: Literal["ok", "revoked", "html_401", "html_403"] = "ok"
    maintenance: bool = False
    clock_offset_s: float = 0.0
    halted: tuple[str, ...] = ()
    delisted: tuple[str, ...] = ()
