"""From the parameters of a create-order to an order, or to the code that refuses them.

What is judged here needs the parameters, the instrument and the price alone; funds, doubles and
numbers of orders are the caller's.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from typing import Any, Literal

from tests.exchange_server.codes import RefusedError
from tests.exchange_server.engine import HEADROOM, Engine
from tests.exchange_server.shapes import (
    LISTINGS,
    TRIGGERS,
    WITH_LIMIT,
    ZERO,
    Listing,
    Order,
    Settings,
    Status,
)

CLIENT_OID_MAX = 36
_TIFS = frozenset({"GOOD_TILL_CANCEL", "IMMEDIATE_OR_CANCEL", "FILL_OR_KILL"})
_EXEC_INSTS = frozenset({"POST_ONLY", "SMART_POST_ONLY", "REDUCE_ONLY"})

Params = Mapping[str, Any]


def wanted_order(
    params: Params,
    engine: Engine,
    *,
    is_advanced: bool,
    order_id: str,
    request_id: str,
    request_no: int,
    told: int,
) -> Order:
    """Make the order that is asked for; without a client id it takes the request's id."""
    listing = listing_of(params, engine.settings)
    side, kind, tif, exec_inst = _words(params, is_advanced=is_advanced)
    is_pair = listing.kind == "CCY_PAIR"
    if not is_pair and "REDUCE_ONLY" not in exec_inst:
        raise RefusedError(208)  # of derivatives, only what is held can be sold here
    client_oid = str(params.get("client_oid") or request_id)
    if len(client_oid) > CLIENT_OID_MAX:
        raise RefusedError(40004)
    limit = _price(params, "price", 308, listing) if kind in WITH_LIMIT else None
    ref = _price(params, "ref_price", 229, listing) if kind in TRIGGERS else None
    _check_band(engine, listing, limit)
    reserved_price = _reserved_price(engine, listing, side, limit, ref) if is_pair else ZERO
    quantity = _quantity(params, listing)
    price = limit or ref or engine.last(listing.name)
    if quantity > listing.amount_max:
        raise RefusedError(314)
    if quantity * price < listing.least_notional:
        raise RefusedError(415)
    return Order(
        order_id=order_id,
        client_oid=client_oid,
        instrument=listing.name,
        side=side,
        type=kind,
        tif=tif,
        exec_inst=exec_inst,
        quantity=quantity,
        limit_price=limit,
        ref_price=ref,
        status=Status.NEW,
        fee_coin=listing.base if side == "BUY" and is_pair else listing.quote,
        reserved_coin=listing.base if side == "SELL" and is_pair else listing.quote,
        reserved_price=reserved_price,
        created_at=told,
        updated_at=told,
        request_no=request_no,
    )


def listing_of(params: Params, settings: Settings) -> Listing:
    name = params.get("instrument_name")
    if not isinstance(name, str) or not name:
        raise RefusedError(40004)
    listing = LISTINGS.get(name)
    if listing is None or listing.name in settings.delisted:
        raise RefusedError(209)
    if listing.name in settings.halted:
        raise RefusedError(208)
    return listing


def decimal_of(value: object, code: int) -> Decimal:
    """Read a figure; the exchange wants text, and refuses a number."""
    if not isinstance(value, str):
        raise RefusedError(code)
    try:
        figure = Decimal(value)
    except InvalidOperation:
        raise RefusedError(code) from None
    if not figure.is_finite() or figure <= 0:
        raise RefusedError(code)
    return figure


def _words(
    params: Params, *, is_advanced: bool
) -> tuple[Literal["BUY", "SELL"], str, str, tuple[str, ...]]:
    side, kind = params.get("side"), params.get("type")
    tif = params.get("time_in_force") or "GOOD_TILL_CANCEL"
    exec_inst = _exec_inst(params.get("exec_inst"))
    if not all(isinstance(each, str) for each in (side, kind, tif)):
        raise RefusedError(40004)
    if side not in {"BUY", "SELL"}:
        raise RefusedError(220)
    if kind in TRIGGERS and not is_advanced:
        raise RefusedError(140001)
    if kind not in (TRIGGERS if is_advanced else {"LIMIT", "MARKET"}):
        raise RefusedError(218)
    if tif not in _TIFS:
        raise RefusedError(221)
    if "POST_ONLY" in exec_inst and (kind not in WITH_LIMIT or tif != "GOOD_TILL_CANCEL"):
        raise RefusedError(43005)
    return ("BUY" if side == "BUY" else "SELL"), str(kind), str(tif), exec_inst


def _exec_inst(value: object) -> tuple[str, ...]:
    found = [] if value is None else value
    if not isinstance(found, list) or not all(each in _EXEC_INSTS for each in map(str, found)):
        raise RefusedError(219)
    return tuple(map(str, found))


def _price(params: Params, name: str, code: int, listing: Listing) -> Decimal:
    price = decimal_of(params.get(name), code)
    if price % listing.price_step:
        raise RefusedError(code)
    return price


def _quantity(params: Params, listing: Listing) -> Decimal:
    """Read the quantity; a purchase by its cost (`notional`) is not made here."""
    quantity = decimal_of(params.get("quantity"), 213)
    if quantity % listing.amount_step:
        raise RefusedError(213)
    return quantity


def _check_band(engine: Engine, listing: Listing, limit: Decimal | None) -> None:
    """Refuse a limit that is far from the market, on either side."""
    if limit is None:
        return
    last, band = engine.last(listing.name), engine.settings.price_band
    if not last * (1 - band) <= limit <= last * (1 + band):
        raise RefusedError(315)


def _reserved_price(
    engine: Engine, listing: Listing, side: str, limit: Decimal | None, ref: Decimal | None
) -> Decimal:
    """Return what a unit of the base locks: of the quote for a purchase, one for a sale."""
    if side == "SELL":
        return Decimal(1)
    if limit is not None:
        return limit
    price = (ref or engine.ask(listing.name)) * HEADROOM
    return (price / listing.price_step).to_integral_value(ROUND_CEILING) * listing.price_step
