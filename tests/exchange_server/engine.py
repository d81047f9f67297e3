"""What happens to orders as time goes by: they are taken up, trade, fire, end.

Nothing runs by itself: `advance` carries on to an instant, and whoever calls it says which.

Invariants:
1. Carried on in one step or in many, the same happens.
2. A market order and the part of a limit order that crosses take the book, level by level, at
   each level's price; a limit order that rests trades at its own price, at most one level's
   amount a second, while the market is through it.
3. No order trades beyond its quantity, its limit, or the coins that are there.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from decimal import ROUND_FLOOR, Decimal

from msgspec.structs import replace

from tests.exchange_server.books import Books
from tests.exchange_server.codes import RefusedError
from tests.exchange_server.market import STEP, Market
from tests.exchange_server.shapes import (
    LISTINGS,
    SECOND,
    ZERO,
    Due,
    Order,
    Settings,
    Status,
)

LEVELS = 20
LEVEL_APART = Decimal("0.0001")
HEADROOM = Decimal("1.05")
"""What a market purchase must have beyond the best price."""


class Engine:
    """The orders' life on one set of books. `carry_out` is called for requests that were late."""

    def __init__(
        self, books: Books, market: Market, carry_out: Callable[[Due], None], now: int
    ) -> None:
        self.settings = Settings()
        self.dues: list[Due] = []
        self._books = books
        self._market = market
        self._carry_out = carry_out
        self._at = now

    def told(self, now: int) -> int:
        """Return what the exchange's own clock says at an instant."""
        return now + int(self.settings.clock_offset_s * SECOND)

    # Prices ---------------------------------------------------------------------------------

    def last(self, name: str) -> Decimal:
        return self._market.last(name, self._at)

    def bid(self, name: str) -> Decimal:
        return self._market.bid(name, self._at, self.settings.spread_bps)

    def ask(self, name: str) -> Decimal:
        return self._market.ask(name, self._at, self.settings.spread_bps)

    def levels(self, name: str, side: str) -> Iterator[tuple[Decimal, Decimal]]:
        """Give price and amount of the book that an order of a side takes, best first."""
        listing = LISTINGS[name]
        best = self.ask(name) if side == "BUY" else self.bid(name)
        apart = max(listing.price_step, _floor(best * LEVEL_APART, listing.price_step))
        for number in range(LEVELS):
            price = best + apart * number * (1 if side == "BUY" else -1)
            if price <= 0:
                return
            amount = _floor(self.settings.depth / price, listing.amount_step)
            yield price, max(amount, listing.amount_step)

    # Orders ---------------------------------------------------------------------------------

    def place(self, order: Order, *, rejected_in_s: float | None = None) -> None:
        """Take an order in; it trades at once, or after a lag, or is rejected later."""
        if self.settings.locks_triggers or not order.waits_for_trigger:
            self._check_funds(order)
            order = locked(order)
        lag_s = self.settings.creation_lag_s
        if rejected_in_s is not None:
            doomed = replace(order, is_doomed=True, status=Status.ACTIVE)
            self._books.put(doomed, self._at)
            self.later(Due(at=self._in(rejected_in_s), step="reject", order_id=order.order_id))
        else:
            self._books.put(replace(order, status=Status(self.settings.unborn_as)), self._at)
            if lag_s > 0:
                self.later(Due(at=self._in(lag_s), step="activate", order_id=order.order_id))
            else:
                self._activate(order.order_id)

    def cancel(self, order: Order) -> None:
        """Take a wish to cancel; it takes effect after the lag that is set, if still open then."""
        lag_s = self.settings.cancel_lag_s
        if lag_s > 0:
            self.later(Due(at=self._in(lag_s), step="cancel", order_id=order.order_id))
        else:
            self.end(order, Status.CANCELED)

    def end(self, order: Order, status: Status, reason: int = 0) -> None:
        ended = replace(order, updated_at=max(order.updated_at, self.told(self._at)))
        self._books.end(ended, status, self._at, reason=reason)

    def trade(
        self, order: Order, price: Decimal, quantity: Decimal, *, is_maker: bool
    ) -> Order | None:
        """Fill a part of an order; None when the coins are not there, and the order has ended."""
        if LISTINGS[order.instrument].kind == "PERPETUAL_SWAP":
            return self._reduce(order, price, quantity)
        from_coin = price * quantity if order.side == "BUY" else quantity
        if from_coin > self._books.available(order.reserved_coin) + order.reserved:
            self.end(order, Status.REJECTED if order.filled == 0 else Status.CANCELED, 306)
            return None
        settings = self.settings
        return self._books.fill(
            order,
            price=price,
            quantity=quantity,
            rate=settings.maker_fee_rate if is_maker else settings.taker_fee_rate,
            is_maker=is_maker,
            now=self._at,
            at=self.told(self._at),
        )

    def _reduce(self, order: Order, price: Decimal, quantity: Decimal) -> Order | None:
        """Fill a part of an order that may only reduce; None when nothing is left to reduce."""
        held, _ = self._books.position(order.instrument)
        if held == 0 or (held > 0) is (order.side == "BUY"):
            self.end(order, Status.CANCELED)
            return None
        return self._books.reduce(
            order,
            price=price,
            quantity=min(quantity, abs(held)),
            rate=self.settings.taker_fee_rate,
            now=self._at,
            at=self.told(self._at),
        )

    def later(self, due: Due) -> None:
        insort(self.dues, due, key=lambda each: each.at)

    # Time -----------------------------------------------------------------------------------

    def advance(self, now: int) -> None:
        """Carry on to an instant; an earlier one than before changes nothing."""
        while self.dues and self.dues[0].at <= now:
            due = self.dues.pop(0)
            self._match_until(due.at)
            self._do(due)
        self._match_until(now)

    def match_now(self) -> None:
        """Look at every open order at the price that stands: after a price was set."""
        if self.settings.matching == "by_hand":
            return
        for order in self._books.open_orders():
            self._match(order)

    def _match_until(self, until: int) -> None:
        if not any(True for _ in self._books.open_orders()):
            self._at = max(self._at, until)
            return
        for at in range((self._at // STEP + 1) * STEP, until + 1, STEP):
            self._at = at
            self.match_now()
        self._at = max(self._at, until)

    def _do(self, due: Due) -> None:
        if due.step == "request":
            self._carry_out(due)
            return
        order = self._books.find(order_id=due.order_id, client_oid=None)
        assert order is not None, f"Expected a known order, was {due}"
        if not order.is_open:
            return
        if due.step == "activate":
            self._activate(order.order_id)
        elif due.step == "reject":
            self.end(order, Status.REJECTED, 224)
        else:
            self.end(order, Status.CANCELED)

    def _in(self, seconds: float) -> int:
        return self._at + int(seconds * SECOND)

    # Matching -------------------------------------------------------------------------------

    def _activate(self, order_id: str) -> None:
        order = self._books.find(order_id=order_id, client_oid=None)
        assert order is not None, f"Expected a known order, was {order_id}"
        order = self._books.put(replace(order, status=Status.ACTIVE), self._at)
        if self.settings.matching == "market":
            self._match(order, is_new=True)

    def _match(self, order: Order, *, is_new: bool = False) -> None:
        if order.is_doomed or order.status is not Status.ACTIVE:
            return
        if order.waits_for_trigger:
            if self._fires(order):
                self._fire(order)
            return
        if order.limit_price is not None and not is_new:
            self._rest(order)
        else:
            self._take(order)

    def _fires(self, order: Order) -> bool:
        """Say whether the last price has reached a trigger; mark and index price are that too."""
        assert order.ref_price is not None
        last = self.last(order.instrument)
        is_below = (order.side == "SELL") == order.type.startswith("STOP")
        return last <= order.ref_price if is_below else last >= order.ref_price

    def _fire(self, order: Order) -> None:
        fired = replace(
            order,
            exchange_order_id=self._books.new_order_id(),
            updated_at=max(order.updated_at, self.told(self._at)),
        )
        try:
            self._check_funds(fired)
        except RefusedError as refusal:
            self.end(fired, Status.REJECTED, refusal.code)
            return
        self._take(self._books.put(locked(fired), self._at))

    def _take(self, order: Order) -> None:
        """Take what the book gives within the limit; then rest, or end, as the order says."""
        levels = list(self.levels(order.instrument, order.side))
        within = [each for each in levels if _is_within(order, each[0])]
        if "POST_ONLY" in order.exec_inst and within:
            self.end(order, Status.CANCELED, 43005)
            return
        if order.tif == "FILL_OR_KILL" and sum((a for _, a in within), ZERO) < order.rest:
            self.end(order, Status(self.settings.unfilled_ends_as), 43003)
            return
        left = order
        for price, amount in within:
            traded = self.trade(left, price, min(amount, left.rest), is_maker=False)
            if traded is None or not traded.is_open:
                return
            left = traded
        if left.limit_price is None or left.tif == "IMMEDIATE_OR_CANCEL":
            reason = 43004 if left.tif == "IMMEDIATE_OR_CANCEL" else 0
            self.end(left, Status(self.settings.unfilled_ends_as), reason)

    def _rest(self, order: Order) -> None:
        price, amount = next(self.levels(order.instrument, order.side))
        if _is_within(order, price):
            assert order.limit_price is not None
            self.trade(order, order.limit_price, min(amount, order.rest), is_maker=True)

    def _check_funds(self, order: Order) -> None:
        """Refuse (306) what neither free coins nor those that the order holds itself cover."""
        needed = locked(order).reserved
        if needed > self._books.available(order.reserved_coin) + order.reserved:
            ids: dict[str, object] = {
                "client_oid": order.client_oid,
                "order_id": order.order_id,
            }
            raise RefusedError(306, ids)


def locked(order: Order) -> Order:
    """Return an order that locks what it may still cost."""
    return replace(order, reserved=order.rest * order.reserved_price)


def _is_within(order: Order, price: Decimal) -> bool:
    limit = order.limit_price
    if limit is None:
        return True
    return price <= limit if order.side == "BUY" else price >= limit


def _floor(figure: Decimal, step: Decimal) -> Decimal:
    return (figure / step).to_integral_value(ROUND_FLOOR) * step
