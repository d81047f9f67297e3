"""The private endpoints: orders, balances, history, as the account's books have them.

A trigger order lives behind `private/advanced/*`. When it fires it gets an order id of the
exchange, under which it trades, and from then on the plain look-ups know it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from tests.exchange_server.books import Books
from tests.exchange_server.codes import RefusedError
from tests.exchange_server.engine import Engine
from tests.exchange_server.public import instant_of
from tests.exchange_server.shapes import DAY, LISTINGS, MS, SECOND, ZERO, Fill, Order, plain
from tests.exchange_server.wanted import Params, wanted_order

ROWS_MAX = 100
ACCOUNT_ID = "ce075bef-1234-4321-bd6a-ff9007252e63"


class View(msgspec.Struct, frozen=True, kw_only=True):
    """How one request sees and treats the exchange.

    `at` is the instant whose state reads show, None for now. `forgets` hides orders that have
    ended. `rejected_in_s`: an order that is placed looks accepted and is rejected then.
    """

    now: int
    request_id: str
    request_no: int
    at: int | None = None
    forgets: bool = False
    rejected_in_s: float | None = None


class Private:
    """Answers to signed requests; a refusal is raised. One thread at a time."""

    def __init__(self, books: Books, engine: Engine) -> None:
        self._books = books
        self._engine = engine
        plain_side = {
            "private/create-order": self._create,
            "private/cancel-order": self._cancel,
            "private/cancel-all-orders": self._cancel_all,
            "private/get-order-detail": self._detail,
            "private/get-open-orders": self._open_orders,
            "private/get-order-history": self._history,
        }
        self._endpoints: dict[str, Callable[[Params, View], object]] = {
            name: _bound(answer, is_advanced=False) for name, answer in plain_side.items()
        }
        for name, answer in plain_side.items():
            self._endpoints[name.replace("private/", "private/advanced/")] = _bound(
                answer, is_advanced=True
            )
        self._endpoints |= {
            "private/user-balance": self._balance,
            "private/get-trades": self._trades,
            "private/get-positions": self._positions,
            "private/get-currency-networks": self._networks,
            "private/get-fee-rate": self._fee_rate,
            "private/get-instrument-fee-rate": self._instrument_fee_rate,
        }

    def knows(self, endpoint: str) -> bool:
        return endpoint in self._endpoints

    def answer(self, endpoint: str, params: Params, view: View) -> object:
        return self._endpoints[endpoint](params, view)

    # Orders ---------------------------------------------------------------------------------

    def _create(self, params: Params, view: View, *, is_advanced: bool) -> object:
        engine = self._engine
        order = wanted_order(
            params,
            engine,
            is_advanced=is_advanced,
            order_id=self._books.new_order_id(),
            request_id=view.request_id,
            request_no=view.request_no,
            told=engine.told(view.now),
        )
        self._check_doubles(order)
        if len(self._books.open_orders()) >= engine.settings.open_orders_max:
            raise RefusedError(318)
        engine.place(order, rejected_in_s=view.rejected_in_s)
        return {"order_id": order.order_id, "client_oid": order.client_oid}

    def _check_doubles(self, order: Order) -> None:
        dedupe = self._engine.settings.dedupe
        if dedupe == "off":
            return
        known = self._books.orders() if dedupe == "all" else iter(self._books.open_orders())
        if any(each.client_oid == order.client_oid for each in known):
            raise RefusedError(204, {"client_oid": order.client_oid})

    def _cancel(self, params: Params, _view: View, *, is_advanced: bool) -> object:
        order = self._found(params, None)
        if order is None or not _is_in_sight(order, is_advanced=is_advanced):
            raise RefusedError(212)
        if not order.is_open:
            raise RefusedError(316)
        self._engine.cancel(order)
        return {"order_id": order.order_id, "client_oid": order.client_oid}

    def _cancel_all(self, params: Params, _view: View, *, is_advanced: bool) -> object:
        for order in _of_instrument(self._books.open_orders(), params):
            if order.is_trigger == is_advanced:
                self._engine.cancel(order)
        return None

    def _detail(self, params: Params, view: View, *, is_advanced: bool) -> object:
        order = self._found(params, view.at)
        if order is None or order.is_forgotten or (view.forgets and not order.is_open):
            raise RefusedError(40401)
        if not _is_in_sight(order, is_advanced=is_advanced):
            raise RefusedError(40401)
        return order_row(order, self._engine, is_advanced=is_advanced)

    def _open_orders(self, params: Params, view: View, *, is_advanced: bool) -> object:
        rows = [
            order_row(each, self._engine, is_advanced=is_advanced)
            for each in _of_instrument(self._books.orders(at=view.at), params)
            if each.is_open and _is_in_sight(each, is_advanced=is_advanced)
        ]
        return {"data": rows}

    def _history(self, params: Params, view: View, *, is_advanced: bool) -> object:
        start, end, limit = self._window(params, view)
        ended = [
            each
            for each in _of_instrument(self._books.orders(at=view.at), params)
            if not (each.is_open or each.is_forgotten or view.forgets)
            and start <= each.created_at < end
            and _is_in_sight(each, is_advanced=is_advanced)
        ]
        ended.sort(key=lambda each: each.created_at, reverse=True)
        rows = [order_row(each, self._engine, is_advanced=is_advanced) for each in ended[:limit]]
        return {"data": rows}

    def _found(self, params: Params, at: int | None) -> Order | None:
        order_id, client_oid = params.get("order_id"), params.get("client_oid")
        if not order_id and not client_oid:
            raise RefusedError(40004)
        return self._books.find(
            order_id=str(order_id) if order_id else None,
            client_oid=str(client_oid) if client_oid else None,
            at=at,
        )

    # The account ----------------------------------------------------------------------------

    def _trades(self, params: Params, view: View) -> object:
        start, end, limit = self._window(params, view)
        name = params.get("instrument_name")
        told_until = None if view.at is None else self._engine.told(view.at)
        rows = [
            fill_row(each)
            for each in reversed(self._books.fills)
            if start <= each.filled_at < end
            and (told_until is None or each.filled_at <= told_until)
            and name in {None, each.instrument}
        ]
        return {"data": rows[:limit]}

    def _window(self, params: Params, view: View) -> tuple[int, int, int]:
        """Read start (included), end (excluded) and limit; never longer than the day before end.

        Where more is asked for, the elder part is left out without a word.
        """
        end = instant_of(params.get("end_time"), self._engine.told(view.now) + 1)
        start = max(instant_of(params.get("start_time"), end - DAY), end - DAY)
        limit = params.get("limit", ROWS_MAX)
        if isinstance(limit, bool) or not isinstance(limit, int):
            raise RefusedError(40003)
        return start, end, min(max(limit, 1), ROWS_MAX)

    def _balance(self, _params: Params, view: View) -> object:
        rows = [
            {
                "instrument_name": coin,
                "quantity": plain(total),
                "reserved_qty": plain(reserved),
                "collateral_weight": "0.9",
                "collateral_amount": "0",
                "market_value": "0",
                "max_withdrawal_balance": plain(total - reserved),
                "hourly_interest_rate": "0",
            }
            for coin, (total, reserved) in sorted(self._books.balances(at=view.at).items())
            if total
        ]
        account: dict[str, object] = {
            "instrument_name": "USD",
            "position_balances": rows,
            "position_limit": "3000000",
            "total_effective_leverage": "0",
            "is_liquidating": False,
            "has_risk": False,
            "terminatable": True,
        }
        for name in ("available_balance", "cash_balance", "initial_margin", "borrow"):
            account[f"total_{name}"] = "0"
        return {"data": [account]}

    def _positions(self, params: Params, _view: View) -> object:
        name = params.get("instrument_name")
        return {"data": [p for p in self._books.positions if name in {None, p["instrument_name"]}]}

    def _networks(self, _params: Params, view: View) -> object:
        coins = sorted({c for each in LISTINGS.values() for c in (each.base, each.quote)})
        return {
            "update_time": self._engine.told(view.now) // MS,
            "currency_map": {
                coin: {
                    "full_name": coin,
                    "default_network": coin,
                    "network_list": [
                        {
                            "network_id": coin,
                            "withdrawal_fee": "0.1",
                            "withdraw_enabled": True,
                            "min_withdrawal_amount": "1",
                            "deposit_enabled": True,
                            "confirmation_required": "2",
                        }
                    ],
                }
                for coin in coins
            },
        }

    def _fee_rate(self, _params: Params, _view: View) -> object:
        settings = self._engine.settings
        return {
            "spot_tier": "1",
            "deriv_tier": "1",
            "effective_spot_maker_rate_bps": _bps(settings.maker_fee_rate),
            "effective_spot_taker_rate_bps": _bps(settings.taker_fee_rate),
            "effective_deriv_maker_rate_bps": _bps(settings.maker_fee_rate),
            "effective_deriv_taker_rate_bps": _bps(settings.taker_fee_rate),
        }

    def _instrument_fee_rate(self, params: Params, _view: View) -> object:
        settings = self._engine.settings
        return {
            "instrument_name": params.get("instrument_name"),
            "effective_maker_rate_bps": _bps(settings.maker_fee_rate),
            "effective_taker_rate_bps": _bps(settings.taker_fee_rate),
        }


def order_row(order: Order, engine: Engine, *, is_advanced: bool) -> dict[str, object]:
    """Write an order as look-ups and lists give it.

    Seen plainly, a trigger that has fired is the order that it became.
    """
    became = order.is_trigger and not is_advanced
    became_type = "MARKET" if order.limit_price is None else "LIMIT"
    row: dict[str, object] = {
        "account_id": ACCOUNT_ID,
        "order_id": order.trades_as if became else order.order_id,
        "client_oid": order.client_oid,
        "order_type": became_type if became else order.type,
        "time_in_force": order.tif,
        "side": order.side,
        "exec_inst": list(order.exec_inst),
        "quantity": plain(order.quantity),
        "order_value": plain(order.quantity * (order.limit_price or order.ref_price or ZERO)),
        "maker_fee_rate": plain(engine.settings.maker_fee_rate),
        "taker_fee_rate": plain(engine.settings.taker_fee_rate),
        "avg_price": plain(_average(order)),
        "trigger_price": "0",
        "ref_price": plain(order.ref_price or ZERO),
        "ref_price_type": "MARK_PRICE" if order.is_trigger else "NULL_VAL",
        "cumulative_quantity": plain(order.filled),
        "cumulative_value": plain(order.value),
        "cumulative_fee": plain(order.fee),
        "status": order.status.value,
        "update_user_id": ACCOUNT_ID,
        "order_date": _date(order.created_at),
        "instrument_name": order.instrument,
        "fee_instrument_name": order.fee_coin,
        "create_time": order.created_at // MS,
        "create_time_ns": str(order.created_at),
        "update_time": order.updated_at // MS,
    }
    if order.limit_price is not None:
        row["limit_price"] = plain(order.limit_price)
    if order.exchange_order_id is not None:
        row["exchange_order_id"] = order.exchange_order_id
    if order.reason:
        row["reason"] = str(order.reason)
    return row


def fill_row(fill: Fill) -> dict[str, object]:
    """Write a trade of ours; its fee is below zero, as the exchange has it."""
    return {
        "account_id": ACCOUNT_ID,
        "event_date": _date(fill.filled_at),
        "journal_type": "TRADING",
        "side": fill.side,
        "instrument_name": fill.instrument,
        "fees": plain(-fill.fee),
        "trade_id": fill.trade_id,
        "trade_match_id": fill.match_id,
        "create_time": fill.filled_at // MS,
        "traded_price": plain(fill.price),
        "traded_quantity": plain(fill.quantity),
        "fee_instrument_name": fill.fee_coin,
        "client_oid": fill.client_oid,
        "taker_side": fill.liquidity,
        "order_id": fill.order_id,
        "create_time_ns": str(fill.filled_at),
    }


def _bound(answer: Callable[..., object], *, is_advanced: bool) -> Callable[[Params, View], object]:
    return lambda params, view: answer(params, view, is_advanced=is_advanced)


def _is_in_sight(order: Order, *, is_advanced: bool) -> bool:
    """Say which of the two kinds of endpoint knows an order; of a fired trigger, both do."""
    return order.is_trigger if is_advanced else not order.waits_for_trigger


def _of_instrument(orders: Iterable[Order], params: Mapping[str, object]) -> list[Order]:
    name = params.get("instrument_name")
    return [each for each in orders if name in {None, each.instrument}]


def _average(order: Order) -> Decimal:
    """Return the average price, rounded as the exchange rounds what it only shows."""
    return round(order.value / order.filled, 8) if order.filled else ZERO


def _bps(rate: Decimal) -> str:
    return plain((rate * 10_000).normalize())


def _date(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).date().isoformat()
