"""How the paper exchange trades: pure rules, without clock, file or lock.

Owns the price at which an order may trade, the fee, and what a fill does to balances.
It knows nothing of AEGIS: no position, no strategy, no event of ours.

Invariants:
1. No fill is better than the side's path: sells trade on the bid, buys on the ask, and every
   rounding is against the trader.
2. An order with a trigger never fills better than its trigger, a limit never worse than its
   limit.
3. A fill takes at most what the tick offers, what the order still wants, and what can be paid:
   no balance ever falls below zero.
4. Fees and costs are exact; nothing is lost or made by rounding a balance.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from aegis.domain.candles import Tick
from aegis.domain.ids import Coin, Instant, TradeId
from aegis.domain.instrument import Instrument
from aegis.domain.money import (
    ONE,
    TEN_THOUSAND,
    ZERO,
    bps_of,
    ceil_to,
    floor_to,
    is_amount,
    minus,
    plus,
    ratio,
    times,
    total,
)
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade

HALF = Decimal("0.5")


class PaperRules(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs here. `spread_bps` is the whole distance between bid and ask.

    `late_after_s` is in the exchange's own time: an older request to place is refused.
    """

    fee_rate: Decimal
    fee_currency: Literal["quote", "received"]
    spread_bps: Decimal
    slippage_bps: Decimal
    volume_share_max: Decimal
    late_after_s: float

    def __post_init__(self) -> None:
        for name, low, high in (
            ("fee_rate", self.fee_rate, ONE),
            ("spread_bps", self.spread_bps, TEN_THOUSAND),
            ("slippage_bps", self.slippage_bps, TEN_THOUSAND),
        ):
            if not low.is_finite() or not ZERO <= low < high:
                raise ValueError(f"{name}: expected zero or more and below {high}, was {low}")
        if not is_amount(self.volume_share_max) or self.volume_share_max > ONE:
            raise ValueError(
                f"volume_share_max: expected above 0 and up to 1, was {self.volume_share_max}"
            )
        if self.fee_currency not in {"quote", "received"}:
            raise ValueError(f"fee_currency: expected quote or received, was {self.fee_currency}")
        if not self.late_after_s > 0:
            raise ValueError(f"late_after_s: expected above 0, was {self.late_after_s}")


class PaperOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue keeps it.

    `reserved` is what still stands aside for it in `reserved_coin`: quote for a buy, base for a
    sell. `is_resting` says that a limit has met a market that did not reach it, or that a stop has
    not fired.
    """

    order: VenueOrder
    trigger_price: Decimal | None
    reserved: Decimal
    reserved_coin: Coin
    is_resting: bool = False

    @property
    def remaining(self) -> Decimal:
        return minus(self.order.amount, self.order.filled)


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """Where a symbol's market stands: its last tick and what that tick still offers, in base.

    It is closed between a candle's close and the next tick; orders then wait.
    """

    tick: Tick
    left: Decimal
    is_open: bool = True


class Book(msgspec.Struct, frozen=True, kw_only=True):
    """The account: total balances, and the open orders in the order of their arrival."""

    balances: dict[Coin, Decimal]
    orders: tuple[PaperOrder, ...]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Under which conditions a match is made; trades are numbered from `first_trade_number`."""

    instrument: Instrument
    rules: PaperRules
    now: Instant
    first_trade_number: int


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a match: the account and level after it, and what changed on the way."""

    book: Book
    level: Level
    orders: tuple[PaperOrder, ...] = ()
    trades: tuple[VenueTrade, ...] = ()


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A price at which an order may trade now; `liquidity` is "taker" or "maker"."""

    price: Decimal
    liquidity: str


def level_of(tick: Tick, rules: PaperRules) -> Level:
    """Return the level that a tick makes: its share of the tick's volume is on offer."""
    return Level(tick=tick, left=times(tick.volume, rules.volume_share_max))


def match(book: Book, level: Level, terms: Terms) -> Matched:
    """Return the account after every open order of the level's symbol had its chance at it."""
    matched = Matched(book=book, level=level)
    if not level.is_open:
        return matched
    for order in book.orders:
        if order.order.symbol == level.tick.symbol:
            matched = _match_one(matched, order, terms)
    return matched


def side_price(side: Side, mid: Decimal, rules: PaperRules) -> Decimal:
    """Return what a taker of that side sees: the ask for a buy, the bid for a sell; exact."""
    half_spread = times(bps_of(mid, rules.spread_bps), HALF)
    return plus(mid, half_spread) if side is Side.BUY else minus(mid, half_spread)


def taker_price(side: Side, tick: Tick, trigger: Decimal | None, rules: PaperRules) -> Decimal:
    """Return the exact price before slippage: now's, or the trigger's where the path met it.

    A trigger outside the path of this tick fills at the worse of itself and now: so after a
    gap, whose path is one point, at the open.
    """
    now = side_price(side, tick.price, rules)
    if trigger is None:
        return now
    start = side_price(side, tick.start, rules)
    if min(start, now) <= trigger <= max(start, now):
        return trigger
    return max(trigger, now) if side is Side.BUY else min(trigger, now)


def with_slippage(side: Side, price: Decimal, instrument: Instrument, rules: PaperRules) -> Decimal:
    """Return the price with slippage on top, rounded to the price step against the trader."""
    slippage = bps_of(price, rules.slippage_bps)
    if side is Side.BUY:
        return ceil_to(plus(price, slippage), instrument.price_step)
    return floor_to(minus(price, slippage), instrument.price_step)


def offer_to(order: PaperOrder, level: Level, terms: Terms) -> Offer | None:
    """Return the price at which an order may trade at a level, or None.

    A limit that has rested needs trade-through: the side's price strictly beyond it.
    """
    side, limit = order.order.side, order.order.price
    if limit is not None and order.is_resting:
        now = side_price(side, level.tick.price, terms.rules)
        return Offer(price=limit, liquidity="maker") if _is_worse(side, limit, now) else None
    plain = taker_price(side, level.tick, order.trigger_price, terms.rules)
    if limit is not None and _is_worse(side, plain, limit):
        return None
    price = with_slippage(side, plain, terms.instrument, terms.rules)
    if limit is not None and _is_worse(side, price, limit):
        price = limit
    return Offer(price=price, liquidity="taker") if price > 0 else None


def free(book: Book, coin: Coin, *, but: PaperOrder | None = None) -> Decimal:
    """Return what of a coin stands aside for no order, leaving `but`'s own reserve free too."""
    reserved = total(
        order.reserved for order in book.orders if order.reserved_coin == coin and order is not but
    )
    return minus(book.balances.get(coin, ZERO), reserved)


def unit_cost(price: Decimal, rules: PaperRules) -> Decimal:
    """Return what one base coin costs a buyer in quote, with the fee where it is in quote."""
    return times(price, plus(ONE, rules.fee_rate)) if rules.fee_currency == "quote" else price


def ended(order: PaperOrder, status: VenueOrderStatus, reason: str) -> PaperOrder:
    """Return an order that is over: nothing is reserved for it any more."""
    record = msgspec.structs.replace(order.order, status=status, reason=reason)
    return msgspec.structs.replace(order, order=record, reserved=ZERO)


def with_order(book: Book, order: PaperOrder) -> Book:
    """Return the book with an order in its newest form: in its place, at the end, or gone."""
    is_open = order.order.status is VenueOrderStatus.OPEN
    orders = []
    for each in book.orders:
        if each.order.exchange_order_id != order.order.exchange_order_id:
            orders.append(each)
        elif is_open:
            orders.append(order)
            is_open = False
    if is_open:
        orders.append(order)
    return msgspec.structs.replace(book, orders=tuple(orders))


def without_rest(book: Book, order: PaperOrder) -> tuple[Book, tuple[PaperOrder, ...]]:
    """Return the book in which an order takes no more than it got, and its end if it had any."""
    key = order.order.exchange_order_id
    left = (each for each in book.orders if each.order.exchange_order_id == key)
    rest = tuple(ended(each, VenueOrderStatus.EXPIRED, "nobody took the rest") for each in left)
    for each in rest:
        book = with_order(book, each)
    return book, rest


def _match_one(matched: Matched, order: PaperOrder, terms: Terms) -> Matched:
    if order.order.type is OrderType.STOP and order.is_resting:
        if not _fires(order, matched.level, terms.rules):
            return matched
        order = msgspec.structs.replace(order, is_resting=False)
        matched = _changed(matched, order)
    offer = offer_to(order, matched.level, terms)
    if offer is None:
        return _rest(matched, order)
    wanted = min(order.remaining, floor_to(matched.level.left, terms.instrument.amount_step))
    if wanted <= 0:
        return matched
    amount = min(wanted, _payable(matched.book, order, offer.price, terms))
    after = order
    if amount > 0:
        trade = _trade(order, amount, offer, terms, len(matched.trades))
        after = _filled(order, trade, terms)
        matched = _booked(matched, trade, terms)
    if amount < wanted:
        reason = "insufficient_funds: the price moved beyond what can be paid"
        after = ended(after, VenueOrderStatus.CANCELED, reason)
    return _changed(matched, after)


def _fires(order: PaperOrder, level: Level, rules: PaperRules) -> bool:
    """Say whether the price that a stop would trade at has come to its trigger.

    A tick ends at the worst of its path, or passes on to the next that does.
    """
    assert order.trigger_price is not None, f"Expected a trigger, was none: {order}"
    now = side_price(order.order.side, level.tick.price, rules)
    return now == order.trigger_price or _is_worse(order.order.side, now, order.trigger_price)


def _rest(matched: Matched, order: PaperOrder) -> Matched:
    if order.order.type is not OrderType.LIMIT or order.is_resting:
        return matched
    return _changed(matched, msgspec.structs.replace(order, is_resting=True))


def _changed(matched: Matched, order: PaperOrder) -> Matched:
    return msgspec.structs.replace(
        matched, book=with_order(matched.book, order), orders=(*matched.orders, order)
    )


def _payable(book: Book, order: PaperOrder, price: Decimal, terms: Terms) -> Decimal:
    """Return how much base the account can pay for, in whole steps; below zero means nothing."""
    step, funds = terms.instrument.amount_step, free(book, order.reserved_coin, but=order)
    if order.order.side is Side.SELL:
        return floor_to(funds, step)
    unit = unit_cost(price, terms.rules)
    amount = floor_to(ratio(funds, unit), step)
    # The quotient was rounded at its 34th digit, perhaps up and over a whole step.
    return amount if times(amount, unit) <= funds else minus(amount, step)


def _trade(
    order: PaperOrder, amount: Decimal, offer: Offer, terms: Terms, ordinal: int
) -> VenueTrade:
    record, instrument = order.order, terms.instrument
    is_fee_in_base = terms.rules.fee_currency == "received" and record.side is Side.BUY
    charged = amount if is_fee_in_base else times(amount, offer.price)
    return VenueTrade(
        trade_id=TradeId(f"t-{terms.first_trade_number + ordinal}"),
        exchange_order_id=record.exchange_order_id,
        client_order_id=record.client_order_id,
        symbol=record.symbol,
        side=record.side,
        amount=amount,
        price=offer.price,
        fee=times(charged, terms.rules.fee_rate),
        fee_currency=instrument.base if is_fee_in_base else instrument.quote,
        liquidity=offer.liquidity,
        at=terms.now,
    )


def _filled(order: PaperOrder, trade: VenueTrade, terms: Terms) -> PaperOrder:
    filled = plus(order.order.filled, trade.amount)
    assert filled <= order.order.amount, f"Expected at most {order.order.amount}, was {filled}"
    if filled == order.order.amount:
        whole = msgspec.structs.replace(order.order, filled=filled)
        return ended(msgspec.structs.replace(order, order=whole), VenueOrderStatus.FILLED, "")
    part = msgspec.structs.replace(order.order, filled=filled)
    reserved = minus(order.reserved, _paid(trade, terms))
    return msgspec.structs.replace(order, order=part, reserved=max(ZERO, reserved))


def _paid(trade: VenueTrade, terms: Terms) -> Decimal:
    """Return what a trade took of its order's reserve, in the reserve's coin."""
    if trade.side is Side.SELL:
        return trade.amount
    return times(trade.amount, unit_cost(trade.price, terms.rules))


def _booked(matched: Matched, trade: VenueTrade, terms: Terms) -> Matched:
    """Return the account with a trade in its balances, and the level with less on offer."""
    base, quote = terms.instrument.base, terms.instrument.quote
    cost = times(trade.amount, trade.price)
    came, went = ((base, trade.amount), (quote, cost))
    if trade.side is Side.SELL:
        came, went = went, came
    balances = dict(matched.book.balances)
    balances[came[0]] = plus(balances.get(came[0], ZERO), came[1])
    for coin, amount in (went, (trade.fee_currency, trade.fee)):
        balances[coin] = minus(balances.get(coin, ZERO), amount)
        assert balances[coin] >= 0, f"Expected {coin} at zero or more, was {balances[coin]}"
    return msgspec.structs.replace(
        matched,
        book=msgspec.structs.replace(matched.book, balances=balances),
        level=msgspec.structs.replace(matched.level, left=minus(matched.level.left, trade.amount)),
        trades=(*matched.trades, trade),
    )


def _is_worse(side: Side, price: Decimal, than: Decimal) -> bool:
    """Say whether one price is strictly worse than another for who trades on that side."""
    return price > than if side is Side.BUY else price < than
