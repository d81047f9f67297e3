"""Any history: an exchange that fills, loses, delays and forgets, and a book that stays true.

A seed plays commands as the store does, against an exchange with books of its own. What is
believed of money is reckoned a second time here, with fractions, from the trades alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor
from random import Random
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import (
    AskForHuman,
    Command,
    CompleteReconciliation,
    EndOrder,
    IntendOrder,
    LoseSight,
    MarkPosition,
    Quote,
    RaiseStop,
    RecordExternalChange,
    RecordFills,
    RecordPeak,
    Refusal,
    RequestCancel,
    StartBalances,
    StartDay,
    SubmitOrder,
)
from aegis.domain.events import (
    DustSetAside,
    ExternalChangeSeen,
    OrderFilled,
    OrderIntended,
    OrderSubmitted,
    PositionClosed,
    PositionMarked,
    Recorded,
)
from aegis.domain.fold import STEP_OF, OrderEvent
from aegis.domain.ids import ClientOrderId, Coin, Generation, PositionId
from aegis.domain.money import floor_to, minus, plus, times, total
from aegis.domain.order import (
    ENDED,
    TRANSITIONS,
    UNSETTLED,
    Fill,
    Order,
    OrderState,
    OrderStep,
    Role,
    Side,
)
from aegis.domain.position import PositionStatus, StopPolicy
from aegis.domain.risk import Limits, sellable
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    CRO,
    ETH,
    ETH_USDT,
    START,
    USDT,
    Desk,
    accept,
    book_of,
    entry,
    exit_of,
    fill,
    halt,
    opening,
    resume,
    seconds,
)

T = TypeVar("T")

TIGHT = Limits(
    quote_coin=USDT,
    open_positions_max=2,
    entries_per_position_max=2,
    order_notional_max=Decimal(400),
    exposure_max=Decimal(600),
    orders_per_minute_max=3,
    price_collar_pct=Decimal(1),
    daily_loss_max=Decimal(60),
    drawdown_max_pct=Decimal(5),
    cooldown_s=30,
)

ROOMY = msgspec.structs.replace(
    TIGHT,
    entries_per_position_max=9,
    exposure_max=Decimal(10**6),
    orders_per_minute_max=99,
    daily_loss_max=Decimal(0),
    drawdown_max_pct=Decimal(0),
    cooldown_s=0,
)

STEP = Decimal("0.0001")
FUNDS: dict[Coin, Decimal] = {USDT: Decimal(1000), CRO: Decimal(50), BTC: Decimal("0.2")}
POLICY = StopPolicy(stop_loss_pct=Decimal(2), trailing_stop_pct=Decimal(1))
SYMBOLS = {BTC_USDT: BTC, ETH_USDT: ETH}
STEPS = 150


class VenueSide(msgspec.Struct, kw_only=True):
    """An order as the exchange keeps it."""

    order: Order
    trades: list[Fill] = []
    ended: OrderStep | None = None

    @property
    def filled(self) -> Decimal:
        return total(trade.amount for trade in self.trades)

    @property
    def is_open(self) -> bool:
        return self.ended is None and self.filled < self.order.amount


class History:
    """Whatever happens, in any order; each method is one thing that may."""

    def __init__(self, seed: int) -> None:
        self.choose = Random(seed)
        self.desk = Desk(self.choose.choice([TIGHT, ROOMY, ROOMY]))
        self.venue: dict[ClientOrderId, VenueSide] = {}
        self.in_transit: list[Order] = []  # submitted; the exchange may get it yet
        self.told: Counter[str] = Counter()
        self.do(StartBalances(balances=FUNDS))
        self.do(StartDay(day_started_at=START, equity=FUNDS[USDT]))
        self.actions: tuple[tuple[int, Callable[[], None], Callable[[], Sequence[object]]], ...] = (
            (5, self.enter, lambda: [1]),
            (6, self.leave, self.desk.book.alive_positions),
            (20, self.submit, lambda: self.in_state(OrderState.INTENT)),
            (1, self.crash_before_sending, lambda: self.in_state(OrderState.INTENT)),
            (20, self.arrive, lambda: self.in_transit),
            (2, self.get_lost, lambda: self.in_transit),
            (12, self.answer, lambda: self.in_state(OrderState.SUBMITTING)),
            (8, self.look_up, self.lost),
            (6, self.appear_after_all, self.tombstones),
            (25, self.trade, self.resting),
            (2, self.end_there, self.resting),
            (2, self.want_cancel, lambda: self.in_state(OrderState.OPEN, OrderState.PARTIAL)),
            (20, self.poll, self.working),
            (3, self.mark, self.desk.book.alive_positions),
            (2, self.wait, lambda: [1]),
            (1, self.steer, lambda: [1]),
            (9, self.resume, self.halted),
        )

    def happen(self) -> None:
        """Let one thing happen, of those that can."""
        possible = [(weight, action) for weight, action, subjects in self.actions if subjects()]
        (action,) = self.choose.choices(
            [action for _, action in possible], [weight for weight, _ in possible]
        )
        self.told[action.__name__] += 1
        action()

    def do(self, command: Command) -> tuple[Recorded, ...] | Refusal:
        done = self.desk.execute(command)
        if isinstance(done, Refusal):
            self.told[done.code] += 1
        else:
            self.told.update(type(recorded.event).__name__ for recorded in done)
        return done

    def in_state(self, *states: OrderState) -> list[Order]:
        return [order for order in self.desk.orders.values() if order.state in states]

    def price(self) -> Decimal:
        return Decimal(f"{self.choose.randint(9_000, 11_000)}E-2")

    # The strategy's and Guard's side ---------------------------------------------------------

    def enter(self) -> None:
        symbol = self.choose.choice(list(SYMBOLS))
        held = self.desk.book.position_of(symbol)
        into = None if held is None else held.position_id
        amount = times(Decimal(self.choose.randint(5, 45_000)), STEP)
        order = entry(amount, self.price(), symbol=symbol, at=self.desk.now, into=into)
        makes = opening(symbol, POLICY) if into is None else None
        self.intend(IntendOrder(order=order, opening=makes))

    def leave(self) -> None:
        held = self.choose.choice(self.desk.book.alive_positions())
        part = Decimal(self.choose.choice(["1", "1", "0.5", "0.3"]))
        amount = floor_to(times(sellable(self.desk.book, held), part), STEP)
        if amount > 0:
            reason = self.choose.choice(["stop_loss", "take_profit", "strategy"])
            done = self.intend(
                IntendOrder(order=exit_of(held, amount, self.price(), reason=reason))
            )
            if isinstance(done, Refusal):
                assert done.code in ("in_flight", "intent_conflict"), done
                assert any(o.role is Role.EXIT for o in self.desk.book.active_orders()), done

    def intend(self, command: IntendOrder) -> object:
        """Intend, and again: known, and a conflict with any other parameter."""
        done = self.do(command)
        if isinstance(done, tuple) and done:
            assert self.do(command) == ()
            more = msgspec.structs.replace(command.order, amount=plus(command.order.amount, STEP))
            other = self.do(msgspec.structs.replace(command, order=more))
            assert isinstance(other, Refusal)
            assert other.code == "intent_conflict"
        return done

    def submit(self) -> None:
        order = self.choose.choice(self.in_state(OrderState.INTENT))
        off = times(order.decision_price, Decimal(self.choose.choice(["0", "0", "0.005", "0.015"])))
        price = plus(order.decision_price, off)
        seen = self.choose.choice([Quote(bid=price, ask=price, at=START)] * 9 + [None])
        hold = self.choose.choice([None] * 9 + ["silent"])
        before = self.desk.book.copy()
        command = SubmitOrder(client_order_id=order.client_order_id, quote=seen, hold=hold)
        done = self.do(command)
        assert not isinstance(done, Refusal)
        is_sent = any(isinstance(recorded.event, OrderSubmitted) for recorded in done)
        if is_sent:
            self.in_transit.append(self.desk.order(order))
        if order.role is not Role.ENTRY:
            held = before.positions[order.position_id]
            free = sellable(before, held, before.orders[order.client_order_id])
            assert is_sent == (order.amount <= free), "only an oversell stops what reduces"
        elif is_sent:
            assert (hold, seen is None) == (None, False)
            self.expect_within_limits(before, order, price)

    def expect_within_limits(self, book: Book, order: Order, price: Decimal) -> None:
        """Reckon each limit again, from the orders and positions as they were."""
        limits, account = self.desk.limits, book.account
        assert account.trading_state is TradingState.ACTIVE
        off = abs(Fraction(price) / Fraction(order.decision_price) - 1)
        assert off <= Fraction(limits.price_collar_pct) / 100
        notional = Fraction(order.amount) * Fraction(order.decision_price)
        assert notional <= limits.order_notional_max
        assert notional + at_risk(book, order) <= limits.exposure_max
        alive = {p.position_id for p in book.alive_positions()} | {order.position_id}
        assert len(alive) <= limits.open_positions_max
        closed_at = account.last_closed_at.get(order.symbol)
        if closed_at is not None:
            assert self.desk.now - closed_at >= seconds(limits.cooldown_s)
        others = [
            other
            for other in self.desk.orders.values()
            if other.role is Role.ENTRY and other.client_order_id != order.client_order_id
        ]
        recent = [o for o in others if (o.submitted_at or 0) > self.desk.now - seconds(60)]
        assert len(recent) < limits.orders_per_minute_max
        counted = [
            other
            for other in others
            if other.position_id == order.position_id and (other.filled > 0 or not other.is_ended)
        ]
        assert len(counted) < limits.entries_per_position_max

    def crash_before_sending(self) -> None:
        order = self.choose.choice(self.in_state(OrderState.INTENT))
        self.end(order, OrderStep.EXPIRE, Decimal(0))

    # The way there and back ------------------------------------------------------------------

    def arrive(self) -> None:
        order = self.in_transit.pop(self.choose.randrange(len(self.in_transit)))
        self.venue[order.client_order_id] = VenueSide(order=order)

    def get_lost(self) -> None:
        self.in_transit.pop(self.choose.randrange(len(self.in_transit)))

    def answer(self) -> None:
        order = self.choose.choice(self.in_state(OrderState.SUBMITTING))
        answer = self.choose.choice(["yes", "yes", "yes", "no", "silence"])
        is_there = order.client_order_id in self.venue
        if answer == "yes" and is_there:
            self.do(accept(order))
        elif answer == "no" and not is_there:
            key = order.client_order_id
            self.in_transit = [each for each in self.in_transit if each.client_order_id != key]
            self.end(order, OrderStep.REJECT, Decimal(0))
        else:
            self.do(LoseSight(client_order_id=order.client_order_id, reason="timed out"))

    def lost(self) -> list[Order]:
        return self.in_state(OrderState.UNKNOWN, OrderState.NEEDS_HUMAN)

    def look_up(self) -> None:
        """Find it, or give it up; what is still on its way then appears after all."""
        order = self.choose.choice(self.lost())
        if order.client_order_id in self.venue and self.choose.random() < 0.7:
            self.do(accept(order))
        elif self.choose.random() < 0.8:
            self.end(order, OrderStep.PROVE_ABSENT, Decimal(0))
        else:
            self.do(AskForHuman(client_order_id=order.client_order_id, reason="no barrier"))

    def tombstones(self) -> list[Order]:
        dead = self.in_state(OrderState.NOT_PLACED)
        return [order for order in dead if order.client_order_id in self.venue]

    def appear_after_all(self) -> None:
        self.do(accept(self.choose.choice(self.tombstones())))

    # The exchange's side -----------------------------------------------------------------------

    def resting(self) -> list[VenueSide]:
        return [each for each in self.venue.values() if each.is_open]

    def trade(self) -> None:
        side = self.choose.choice(self.resting())
        left = minus(side.order.amount, side.filled)
        part = times(left, Decimal(self.choose.choice(["1", "1", "0.5", "0.1"])))
        amount = max(floor_to(part, STEP), STEP)
        price = self.price()
        fees = {
            USDT: times(times(amount, price), Decimal("0.001")),
            SYMBOLS[side.order.symbol]: times(amount, Decimal("0.001")),
            CRO: Decimal("0.01"),
        }
        coin = self.choose.choice(list(fees))
        fee = self.choose.choice([fees[coin], fees[coin], Decimal(0)])
        side.trades.append(fill(self.desk.trade_id(), min(amount, left), price, fee, coin))

    def end_there(self) -> None:
        ends = [OrderStep.CANCEL, OrderStep.EXPIRE, OrderStep.REJECT]
        self.choose.choice(self.resting()).ended = self.choose.choice(ends)

    def want_cancel(self) -> None:
        order = self.choose.choice(self.in_state(OrderState.OPEN, OrderState.PARTIAL))
        self.do(RequestCancel(client_order_id=order.client_order_id, reason="changed my mind"))

    def working(self) -> list[Order]:
        return self.in_state(OrderState.OPEN, OrderState.PARTIAL, OrderState.CANCELING)

    def poll(self) -> None:
        """Hear of an order: its trades, some twice, and its end, sometimes too early."""
        order = self.choose.choice(self.working())
        side = self.venue[order.client_order_id]
        if side.ended is not None and self.choose.random() < 0.3:
            self.end(order, side.ended, side.filled)
        trades = tuple(side.trades) * self.choose.choice([1, 2])
        done = self.do(RecordFills(client_order_id=order.client_order_id, fills=trades))
        if isinstance(done, Refusal):
            self.expect_a_person(order, done)
        elif side.ended is not None:
            self.end(self.desk.order(order), side.ended, side.filled)

    def expect_a_person(self, order: Order, refusal: Refusal) -> None:
        """A true trade is refused only where there is no place for what it bought."""
        held = self.desk.positions[order.position_id]
        assert (refusal.code, order.role) == ("position_exists", Role.ENTRY), refusal
        assert not held.is_alive, refusal

    def end(self, order: Order, step: OrderStep, filled: Decimal) -> None:
        key = order.client_order_id
        done = self.do(EndOrder(client_order_id=key, step=step, filled=filled, reason="as told"))
        if filled != order.filled and not order.is_ended:
            assert isinstance(done, Refusal)
            assert done.code == "fills_missing"

    # Everything else ---------------------------------------------------------------------------

    def wait(self) -> None:
        self.desk.waits(self.choose.choice([1, 10, 45, 3600]))

    def mark(self) -> None:
        held, price = self.choose.choice(self.desk.book.alive_positions()), self.price()
        other = self.price()
        seen = {"high": max(price, other), "low": min(price, other)}
        self.do(MarkPosition(position_id=held.position_id, price=price, **seen))
        self.do(RaiseStop(position_id=held.position_id, stop_price=price, price=price))

    def steer(self) -> None:
        rounds = CompleteReconciliation(
            generation=Generation(1),
            trigger="interval",
            exchange_positions=0,
            local_positions=0,
            discrepancies=(),
        )
        transfer = RecordExternalChange(
            kind="balance", coin=USDT, amount=Decimal("-12.5"), reference="", note=""
        )
        commands: list[Command] = [
            halt(),
            resume(),
            halt("flatten", is_flattening=True),
            StartDay(day_started_at=self.desk.now, equity=Decimal(1000)),
            RecordPeak(equity=Decimal(1001)),
            transfer,
            rounds,
        ]
        self.do(self.choose.choice(commands))

    def halted(self) -> list[str]:
        account = self.desk.book.account
        return [account.cause] if account.trading_state is TradingState.REDUCING else []

    def resume(self) -> None:
        done = self.do(resume("1000"))
        assert isinstance(done, Refusal) is bool(self.lost()), done


def at_risk(book: Book, besides: Order) -> Fraction:
    """Return what positions and other entries may lose, with what is in doubt at full size."""
    result = Fraction(0)
    for held in book.alive_positions():
        result += Fraction(held.amount) * Fraction(held.mark or held.intended_price)
    for other in book.active_orders():
        if other.role is Role.ENTRY and other.client_order_id != besides.client_order_id:
            size = other.amount if other.state in UNSETTLED else other.remaining
            result += Fraction(size) * Fraction(other.decision_price)
    return result


class Ledger:
    """Reckons from the log alone, a second time: states, balances, what each position holds."""

    def __init__(self) -> None:
        self.read = 0
        self.sides: dict[ClientOrderId, OrderIntended] = {}
        self.states: dict[ClientOrderId, OrderState] = {}
        self.balances: dict[Coin, Fraction] = defaultdict(Fraction)
        self.holds: dict[PositionId, Fraction] = defaultdict(Fraction)
        self.worth: dict[PositionId, Fraction] = defaultdict(Fraction)
        self.dust: dict[Coin, Fraction] = defaultdict(Fraction)
        self.prices: dict[PositionId, list[Decimal]] = defaultdict(list)
        for coin, amount in FUNDS.items():
            self.balances[coin] += Fraction(amount)

    def follow(self, log: Sequence[Recorded]) -> None:
        """Read what is new in the log."""
        for recorded in log[self.read :]:
            self.book(recorded)
        self.read = len(log)

    def book(self, recorded: Recorded) -> None:
        event, position = recorded.event, recorded.position_id
        if isinstance(event, OrderIntended):
            assert event.client_order_id not in self.states, "one id, two orders"
            self.sides[event.client_order_id] = event
            self.states[event.client_order_id] = OrderState.INTENT
        elif isinstance(event, OrderFilled):
            self.step(event, OrderStep.COMPLETE if event.is_complete else OrderStep.FILL)
            self.trade(position, event)
            if event.not_ours < event.fill.amount:
                self.prices[position].append(event.fill.price)
        elif isinstance(event, PositionMarked):
            self.prices[position] += [p for p in (event.high, event.low) if p is not None]
        elif isinstance(event, OrderEvent):
            self.step(event, STEP_OF[type(event)])
        elif isinstance(event, ExternalChangeSeen):
            self.balances[event.coin] += Fraction(event.amount)
        elif isinstance(event, DustSetAside):
            self.dust[event.coin] += Fraction(event.amount)
            self.holds[position] -= Fraction(event.amount)
        elif isinstance(event, PositionClosed):
            assert self.holds[position] == 0, "closed with something left"
            assert self.worth[position] == Fraction(event.pnl), "a result that is not the money's"

    def step(self, event: OrderEvent, step: OrderStep) -> None:
        before = self.states[event.client_order_id]
        self.states[event.client_order_id] = TRANSITIONS[before, step]

    def trade(self, position: PositionId, event: OrderFilled) -> None:
        coin, base = event.fill.fee_currency, SYMBOLS[event.symbol]
        amount, fee = Fraction(event.fill.amount), Fraction(event.fill.fee)
        signed = amount if event.side is Side.BUY else -amount
        money = -signed * Fraction(event.fill.price)
        self.balances[base] += signed
        self.balances[USDT] += money
        self.balances[coin] -= fee
        ours = 1 - Fraction(event.not_ours) / amount
        if ours < 1:
            fee = Fraction(floor(fee * ours * 10**8), 10**8)
        self.worth[position] += money * ours - (fee if coin == USDT else 0)
        self.holds[position] += signed * ours
        self.sell_dust(position, base, event)
        if coin == base:
            of_position = min(fee, self.holds[position])
            self.holds[position] -= of_position
            self.worth[position] -= (fee - of_position) * Fraction(event.fill.price)

    def sell_dust(self, position: PositionId, base: Coin, event: OrderFilled) -> None:
        """Take what was sold beyond a position out of the dust; the rest was none of ours."""
        if self.holds[position] < 0:
            self.dust[base] += self.holds[position]
            self.holds[position] = Fraction(0)
        assert self.dust[base] >= 0, "more sold as ours than was held"
        if event.not_ours > 0:
            assert self.holds[position] == 0, "another's coins, while some of ours were left"
            self.dust[base] = min(self.dust[base], max(Fraction(0), self.balances[base]))


def expect_money_to_be_where_the_trades_left_it(desk: Desk, ledger: Ledger) -> None:
    account = desk.book.account
    assert of_any(account.balances) == {c: a for c, a in ledger.balances.items() if a}
    assert of_any(account.dust) == {c: a for c, a in ledger.dust.items() if a}
    for held in desk.positions.values():
        assert Fraction(held.amount) == ledger.holds[held.position_id]
        assert Fraction(held.pnl) - Fraction(held.cost) == ledger.worth[held.position_id]
        prices = ledger.prices[held.position_id]
        assert held.price_high == max(prices, default=None)
        assert held.price_low == min(prices, default=None)
        if held.amount == 0 or not held.is_alive:
            assert (held.amount, held.cost) == (Decimal(0), Decimal(0))


def of_any(figures: dict[Coin, Decimal]) -> dict[Coin, Fraction]:
    return {coin: Fraction(amount) for coin, amount in figures.items() if amount}


def expect_orders_to_be_where_their_events_led(history: History, ledger: Ledger) -> None:
    for order in history.desk.orders.values():
        side = history.venue.get(order.client_order_id)
        assert order.state is ledger.states[order.client_order_id]
        assert order.filled <= order.amount
        assert (order.filled == order.amount) is (order.state is OrderState.FILLED)
        if order.state in ENDED and order.state is not OrderState.NOT_PLACED and side:
            assert order.filled == side.filled, "an end without all that was filled"


def expect_the_book_to_find_what_is_alive(desk: Desk) -> None:
    book = desk.book
    alive = {held.position_id for held in desk.positions.values() if held.is_alive}
    active = {order.client_order_id for order in desk.orders.values() if not order.is_ended}
    assert {held.position_id for held in book.alive_positions()} == alive
    assert {order.client_order_id for order in book.active_orders()} == active
    for position in alive:
        own = {key for key, order in desk.orders.items() if order.position_id == position}
        assert {order.client_order_id for order in book.orders_of(position)} == own
        leaving = any(o.role is not Role.ENTRY for o in book.active_orders(position))
        assert leaving is (book.positions[position].status is PositionStatus.CLOSING)


def expect_one_book_however_it_was_made(desk: Desk) -> None:
    """Fold the whole log again, and restore a book from values."""
    whole, book, twin = book_of(desk.log), desk.book, Book()
    assert whole.account == book.account
    assert whole.positions == desk.positions
    assert whole.orders == desk.orders
    twin.restore(book.account, book.positions.values(), book.orders.values(), book.last_event_id)
    assert vars(twin) == vars(book)


def played(seed: int) -> History:
    """Play a history, and look at everything after each step."""
    history, ledger = History(seed), Ledger()
    for _ in range(STEPS):
        history.happen()
        ledger.follow(history.desk.log)
        expect_money_to_be_where_the_trades_left_it(history.desk, ledger)
        expect_orders_to_be_where_their_events_led(history, ledger)
        expect_the_book_to_find_what_is_alive(history.desk)
    expect_one_book_however_it_was_made(history.desk)
    return history


@given(seed=st.integers(0, 2**32 - 1))
def test_in_any_history_money_orders_and_positions_stay_true(seed: int) -> None:
    played(seed)


@pytest.fixture(scope="module")
def told() -> Counter[str]:
    """Return what was seen in some histories: a property that sees nothing proves nothing."""
    seen: Counter[str] = Counter()
    for seed in range(40):
        seen.update(played(seed).told)
    return seen


@pytest.mark.parametrize(
    "what",
    [
        *("appear_after_all", "get_lost", "crash_before_sending", "fills_missing", "AlarmRaised"),
        *("position_exists", "intent_conflict", "in_flight", "unknown_outcome"),
        *("OrderNotPlaced", "OrderNeedsHuman", "OrderCanceled", "OrderExpired", "OrderRejected"),
        *("DustSetAside", "PositionClosed", "PositionVoided", "ExternalChangeSeen"),
    ],
)
def test_these_histories_have_seen(what: str, told: Counter[str]) -> None:
    assert told[what] > 0
