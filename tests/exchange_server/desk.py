"""The control API: what tests and people do to the exchange from behind the counter.

    POST   /control/faults     a list of rules replaces all; GET lists them, DELETE clears them
    POST   /control/settings   {name: value, ...} of `shapes.Settings`
    POST   /control/owner      {"act": ...}: see `Desk.owner`
    POST   /control/price      {"instrument", "price", "is_held": true}; without a price, a price
                               that was held is let go
    POST   /control/clock      {"offset_s": how far the exchange's clock is ahead}
    GET    /control/state      balances, orders, fills, prices, rules, settings
    GET    /control/requests   how many requests came, by endpoint

Whatever is wrong with an order to the desk is a `DeskError`, and nothing was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from tests.exchange_server.codes import RefusedError
from tests.exchange_server.core import Core
from tests.exchange_server.faults import Rule
from tests.exchange_server.shapes import LISTINGS, ZERO, Order, Settings, Status
from tests.exchange_server.wanted import wanted_order


class DeskError(Exception):
    """What was expected, and what came."""


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class PriceWish(_Body, frozen=True, kw_only=True):
    """A price to stand from now on, or to walk on from; without one, the walk is let go on."""

    instrument: str
    price: Decimal | None = None
    is_held: bool = True


class ClockWish(_Body, frozen=True, kw_only=True):
    offset_s: float


class Act(_Body, frozen=True, kw_only=True):
    """Something that the account's owner, or the exchange by itself, does.

    trade: buy or sell `quantity` at the market, or at `price` exactly; order: a limit order that
    may rest; cancel, fill, reject, expire, forget: to the order named by either id; deposit and
    withdraw: `quantity` of `coin`; position: a derivative's, `quantity` signed at `price`, whoever
    traded it; liquidate: the exchange closes such a position by a trade at `price`, or at the last.
    """

    act: Literal[
        "trade",
        "order",
        "cancel",
        "cancel_all",
        "fill",
        "reject",
        "expire",
        "forget",
        "deposit",
        "withdraw",
        "position",
        "liquidate",
    ]
    instrument: str = "BTC_USDT"
    side: Literal["BUY", "SELL"] = "BUY"
    quantity: Decimal | None = None
    price: Decimal | None = None
    client_oid: str | None = None
    order_id: str | None = None
    coin: str = "USDT"


class Desk:
    """The control API on one core; each call carries the core on to its instant first."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def handle(self, path: str, method: str, body: bytes, now: int) -> object:
        """Do what is asked, and return what JSON can tell of it."""
        now = self._core.advance(now)
        try:
            return self._handle(path, method, body, now)
        except msgspec.ValidationError as fault:
            raise DeskError(str(fault)) from None
        except msgspec.DecodeError as fault:
            raise DeskError(f"Expected JSON: {fault}") from None
        except RefusedError as refusal:
            raise DeskError(f"The exchange refuses it: {refusal}") from None

    def _handle(self, path: str, method: str, body: bytes, now: int) -> object:
        match method, path:
            case "POST", "/control/faults":
                self._core.faults.set(msgspec.json.decode(body, type=list[Rule]))
                return {"rules": len(self._core.faults.rules)}
            case "GET", "/control/faults":
                return msgspec.to_builtins(self._core.faults.rules)
            case "DELETE", "/control/faults":
                self._core.faults.set([])
                return {"rules": 0}
            case "POST", "/control/settings":
                return self._settings(msgspec.json.decode(body, type=dict[str, Any]))
            case "POST", "/control/clock":
                wish = msgspec.json.decode(body, type=ClockWish)
                return self._settings({"clock_offset_s": wish.offset_s})
            case "POST", "/control/price":
                return self._price(msgspec.json.decode(body, type=PriceWish), now)
            case "POST", "/control/owner":
                return self.owner(msgspec.json.decode(body, type=Act), now)
            case "GET", "/control/state":
                return self.state(now)
            case "GET", "/control/requests":
                return self._core.ledger.request_counts()
        raise DeskError(f"Expected a path of the control API, was {method} {path}")

    def _settings(self, changes: Mapping[str, Any]) -> object:
        before = msgspec.to_builtins(self._core.engine.settings)
        self._core.engine.settings = msgspec.convert({**before, **changes}, Settings)
        self._core.keep()
        return msgspec.to_builtins(self._core.engine.settings)

    def _price(self, wish: PriceWish, now: int) -> object:
        name, market = wish.instrument, self._core.market
        if name not in LISTINGS:
            raise DeskError(f"Expected an instrument of {', '.join(LISTINGS)}, was {name}")
        is_held = wish.is_held and wish.price is not None
        price = wish.price or market.last(name, now)
        if not (price.is_finite() and price > 0):
            raise DeskError(f"Expected a price above zero, was {price}")
        with self._core.changing():
            market.pin(name, now, price, is_held=is_held)
            self._core.engine.match_now()
        self._core.keep()
        return {"instrument": name, "price": f"{price:f}", "is_held": is_held}

    def owner(self, act: Act, now: int) -> object:
        """Do what the owner does, or what happens to the account from outside."""
        with self._core.changing():
            match act.act:
                case "trade" | "order":
                    done = self._place(act, now)
                case "deposit" | "withdraw":
                    done = self._transfer(act, now)
                case "cancel_all":
                    done = self._cancel_all()
                case "position":
                    done = self._position(act)
                case "liquidate":
                    done = self._liquidate(act, now)
                case _:
                    done = self._to_order(act, now)
        self._core.keep()
        return done

    def _place(self, act: Act, now: int) -> object:
        core = self._core
        price = {} if act.price is None else {"price": f"{act.price:f}"}
        is_limit = act.act == "order"
        order_id = core.books.new_order_id()
        order = wanted_order(
            {
                "instrument_name": act.instrument,
                "side": act.side,
                "type": "LIMIT" if is_limit else "MARKET",
                "quantity": f"{_needed(act.quantity, 'quantity'):f}",
                "client_oid": act.client_oid,
                **(price if is_limit else {}),
            },
            core.engine,
            is_advanced=False,
            order_id=order_id,
            request_id=f"web-{order_id[-6:]}",
            request_no=0,
            told=core.engine.told(now),
        )
        owned = replace(order, maker="owner")
        if is_limit or act.price is None:
            core.engine.place(owned)
        else:
            active = core.books.put(replace(owned, status=Status.ACTIVE), now)
            core.engine.trade(active, act.price, active.quantity, is_maker=False)
        return {"order_id": order_id, "client_oid": order.client_oid}

    def _transfer(self, act: Act, now: int) -> object:
        amount = _needed(act.quantity, "quantity")
        if amount <= 0:
            raise DeskError(f"Expected an amount above zero, was {amount:f}")
        books = self._core.books
        if act.act == "withdraw":
            if amount > books.available(act.coin):
                free = books.available(act.coin)
                raise DeskError(f"Expected at most {free:f} {act.coin} to withdraw, was {amount:f}")
            books.change(act.coin, -amount, "withdrawal", now)
        else:
            books.change(act.coin, amount, "deposit", now)
        return {"coin": act.coin, "balance": f"{books.total(act.coin):f}"}

    def _cancel_all(self) -> object:
        orders = self._core.books.open_orders()
        for order in orders:
            self._core.engine.end(order, Status.CANCELED)
        return {"canceled": len(orders)}

    def _position(self, act: Act) -> object:
        quantity, price = _needed(act.quantity, "quantity"), _needed(act.price, "price")
        self._core.books.set_position(act.instrument, quantity, quantity * price)
        return {"positions": len(self._core.books.positions)}

    def _liquidate(self, act: Act, now: int) -> object:
        """Close a position by a forced trade: the cash gets what it gained, less the fee."""
        core = self._core
        held, _ = core.books.position(act.instrument)
        if not held:
            raise DeskError(f"Expected a position in {act.instrument}")
        price = act.price or core.engine.last(act.instrument)
        order = _forced_order(core.books.new_order_id(), act.instrument, held, core, now)
        core.books.reduce(
            core.books.put(order, now),
            price=price,
            quantity=order.quantity,
            rate=core.engine.settings.taker_fee_rate,
            now=now,
            at=order.created_at,
        )
        return {"order_id": order.order_id, "price": f"{price:f}"}

    def _to_order(self, act: Act, now: int) -> object:
        order = self._core.books.find(order_id=act.order_id, client_oid=act.client_oid)
        if order is None:
            raise DeskError(f"Expected a known order, was {act.order_id or act.client_oid}")
        if act.act == "forget":
            if order.is_open:
                raise DeskError(f"Expected an order that has ended, was {order.status}")
            self._core.books.put(replace(order, is_forgotten=True), now)
        elif not order.is_open:
            raise DeskError(f"Expected an open order, was {order.status}")
        elif act.act == "fill":
            self._fill(order, act)
        else:
            ends = {"cancel": Status.CANCELED, "reject": Status.REJECTED, "expire": Status.EXPIRED}
            self._core.engine.end(order, ends[act.act], 224 if act.act == "reject" else 0)
        after = self._core.books.find(order_id=order.order_id, client_oid=None)
        assert after is not None
        return msgspec.to_builtins(after)

    def _fill(self, order: Order, act: Act) -> None:
        quantity = act.quantity or order.rest
        price = act.price or order.limit_price or self._core.engine.last(order.instrument)
        if not ZERO < quantity <= order.rest:
            raise DeskError(f"Expected at most {order.rest:f} to fill, was {quantity:f}")
        self._core.engine.trade(order, price, quantity, is_maker=True)

    def state(self, now: int) -> dict[str, object]:
        core = self._core
        return {
            "now": now,
            "told": core.engine.told(now),
            "balances": {
                coin: {"total": f"{total:f}", "reserved": f"{reserved:f}"}
                for coin, (total, reserved) in sorted(core.books.balances().items())
            },
            "orders": msgspec.to_builtins(list(core.books.orders())),
            "fills": msgspec.to_builtins(core.books.fills),
            "prices": {name: f"{core.market.last(name, now):f}" for name in LISTINGS},
            "rules": msgspec.to_builtins(core.faults.rules),
            "settings": msgspec.to_builtins(core.engine.settings),
            "requests": core.ledger.request_counts(),
        }


def _forced_order(order_id: str, instrument: str, quantity: Decimal, core: Core, now: int) -> Order:
    """Return the exchange's own order against a position of a signed quantity."""
    quote, told = LISTINGS[instrument].quote, core.engine.told(now)
    return Order(
        order_id=order_id,
        client_oid=f"liquidation-{order_id[-6:]}",
        instrument=instrument,
        side="SELL" if quantity > 0 else "BUY",
        type="MARKET",
        tif="GOOD_TILL_CANCEL",
        exec_inst=(),
        quantity=abs(quantity),
        limit_price=None,
        ref_price=None,
        status=Status.ACTIVE,
        fee_coin=quote,
        reserved_coin=quote,
        reserved_price=ZERO,
        maker="owner",
        created_at=told,
        updated_at=told,
        request_no=0,
    )


def _needed(figure: Decimal | None, name: str) -> Decimal:
    if figure is None:
        raise DeskError(f"Expected a {name}")
    if not figure.is_finite():
        raise DeskError(f"Expected a finite {name}, was {figure}")
    return figure
