"""A small exchange as an immutable value: what it really did, and what it shows of that.

It holds one market, one coin, whole amounts, and every order it was ever sent. What it shows may
be some seconds old, and it may forget orders that have ended; what it did stays.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

import msgspec

from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, ExchangeOrderId, Instant, TradeId
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueAccount, VenueOrder, VenueOrderStatus, VenueTrade
from tests.domain.kit import BTC, BTC_USDT, START, USDT

replace = msgspec.structs.replace

PRICE = 100
QUOTE_FIRST = 10_000


def instant(seconds: int) -> Instant:
    return Instant(START + seconds * NANOS_PER_SECOND)


class There(msgspec.Struct, frozen=True, cache_hash=True):
    """An order as the exchange has it; instants in seconds, `trades` are (when, how much)."""

    number: int
    client_order_id: str  # "" where somebody else sent it
    side: Side
    amount: int
    since: int
    trades: tuple[tuple[int, int], ...] = ()
    ended_at: int | None = None
    status: VenueOrderStatus = VenueOrderStatus.OPEN
    is_forgotten: bool = False

    @property
    def filled(self) -> int:
        return sum(amount for _, amount in self.trades)

    def traded(self, now: int, amount: int) -> There:
        done = replace(self, trades=(*self.trades, (now, amount)))
        return done.ended(now, VenueOrderStatus.FILLED) if done.filled == self.amount else done

    def ended(self, now: int, status: VenueOrderStatus) -> There:
        return replace(self, ended_at=now, status=status)

    def as_of(self, now: int) -> There | None:
        """Return what somebody sees whose view ends at an instant."""
        if self.since > now:
            return None
        seen = replace(self, trades=tuple(each for each in self.trades if each[0] <= now))
        if self.ended_at is not None and self.ended_at > now:
            return replace(seen, ended_at=None, status=VenueOrderStatus.OPEN)
        return seen

    def shifted(self, shift: int, eldest: int) -> There:
        """Return it some seconds younger, with what is older than `eldest` at one instant."""
        if self.since < 0:
            return self

        def moved(at: int) -> int:
            return at if at < 0 else max(0, at - shift) if at - shift > eldest else 0

        return replace(
            self,
            since=moved(self.since),
            trades=tuple((moved(at), amount) for at, amount in self.trades),
            ended_at=None if self.ended_at is None else moved(self.ended_at),
        )

    def told(self) -> VenueOrder:
        return VenueOrder(
            exchange_order_id=ExchangeOrderId(f"x-{self.number}"),
            client_order_id=self.client_order_id or None,
            symbol=BTC_USDT,
            side=self.side,
            type=OrderType.MARKET,
            amount=Decimal(self.amount),
            price=None,
            filled=Decimal(self.filled),
            status=self.status,
            reason="",
            created_at=instant(self.since),
        )

    def trade_id(self, place: int) -> TradeId:
        return TradeId(f"t-{self.number}-{place}")

    def told_trades(self) -> tuple[VenueTrade, ...]:
        return tuple(
            VenueTrade(
                trade_id=self.trade_id(place),
                exchange_order_id=ExchangeOrderId(f"x-{self.number}"),
                client_order_id=self.client_order_id or None,
                symbol=BTC_USDT,
                side=self.side,
                amount=Decimal(amount),
                price=Decimal(PRICE),
                fee=Decimal(0),
                fee_currency=USDT,
                liquidity="taker",
                at=instant(at),
            )
            for place, (at, amount) in enumerate(self.trades)
        )


class Venue(msgspec.Struct, frozen=True, cache_hash=True):
    """`coins_first` is what the account held of the base coin before the first order here.

    `dust_first` of that was ours.
    """

    coins_first: int = 0
    orders: tuple[There, ...] = ()
    dust_first: int = 0

    def coins(self) -> int:
        held = self.coins_first
        for each in self.orders:
            held += each.filled if each.side is Side.BUY else -each.filled
        return held

    def balances(self) -> tuple[int, int]:
        """Return what there is of base and quote."""
        return self.coins(), QUOTE_FIRST - (self.coins() - self.coins_first) * PRICE

    def is_payable(self, side: Side, amount: int) -> bool:
        """Say whether the coins for another order are there, and promised to no other."""
        promised = sum(
            each.amount - each.filled
            for each in self.orders
            if each.side is Side.SELL and each.ended_at is None
        )
        return side is Side.BUY or self.coins() - promised >= amount

    def placed(self, client_order_id: str, side: Side, amount: int, now: int) -> Venue:
        number = len(self.orders)
        return replace(
            self, orders=(*self.orders, There(number, client_order_id, side, amount, now))
        )

    def sold_by_owner(self, amount: int, now: int) -> Venue:
        number = len(self.orders)
        sold = There(number, "", Side.SELL, amount, now).traded(now, amount)
        return replace(self, orders=(*self.orders, sold))

    def with_order(self, order: There) -> Venue:
        before, after = self.orders[: order.number], self.orders[order.number + 1 :]
        return replace(self, orders=(*before, order, *after))

    @lru_cache(maxsize=100_000)  # noqa: B019  a frozen value, and most are asked again
    def shifted(self, shift: int, eldest: int) -> Venue:
        return replace(self, orders=tuple(each.shifted(shift, eldest) for each in self.orders))

    def of(self, client_order_id: str) -> tuple[There, ...]:
        return tuple(each for each in self.orders if each.client_order_id == client_order_id)

    def found(self, client_order_id: ClientOrderId, as_of: int) -> There | None:
        """Return the last order with an id as it is seen at an instant, unless it is forgotten."""
        seen = [each.as_of(as_of) for each in self.of(client_order_id) if not each.is_forgotten]
        return next((each for each in reversed(seen) if each is not None), None)

    def account(self, since: Instant, *, now: int, orders_at: int, trades_at: int) -> VenueAccount:
        """Return a look at the account: balances as of now, orders and trades as of an instant."""
        open_there = [o for o in (each.as_of(orders_at) for each in self.orders) if o]
        traded = [o for o in (each.as_of(trades_at) for each in self.orders) if o]
        base, quote = self.balances()
        return VenueAccount(
            balances={BTC: Decimal(base), USDT: Decimal(quote)},
            open_orders=tuple(each.told() for each in open_there if each.ended_at is None),
            trades=tuple(trade for each in traded for trade in each.told_trades()),
            trades_since=since,
            as_of=instant(now),
        )
