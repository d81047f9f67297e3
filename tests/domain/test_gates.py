"""The limits: each refuses what would add risk, by its name; what takes risk away passes all."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.commands import (
    AskForHuman,
    CompleteReconciliation,
    MarkPosition,
    Quote,
    RecordExternalChange,
    SubmitOrder,
)
from aegis.domain.events import Discrepancy
from aegis.domain.ids import Generation, Instant, Symbol
from aegis.domain.order import Order, OrderState, OrderStep, Side
from aegis.domain.position import PositionSide
from aegis.domain.risk import (
    Limits,
    equity_of,
    exposure_of,
    is_held,
    is_reducing,
    loss_breach,
    losses_of,
    own_side,
    sellable,
)
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    CRO_USDT,
    ETH_USDT,
    LIMITS,
    NO_LIMITS,
    START,
    USDT,
    Desk,
    end,
    entry,
    exit_of,
    quote,
    submit,
)


def tight(**changes: object) -> Limits:
    return msgspec.structs.replace(NO_LIMITS, **changes)


def ends_as(desk: Desk, order: Order, command: SubmitOrder | None = None) -> str:
    """Ask leave for an order; return the code of the limit that said no, or its state."""
    if order.client_order_id not in desk.orders:
        desk.intended(order)
    desk.does(command or submit(order))
    kept = desk.order(order)
    return kept.end_reason.partition(":")[0] or str(kept.state)


def test_an_entry_within_all_limits_is_sent() -> None:
    assert ends_as(Desk(LIMITS).funded(), entry("1")) == "SUBMITTING"


@pytest.mark.parametrize(
    ("amount", "ending"), [("10", "SUBMITTING"), ("10.01", "order_notional_max")]
)
def test_an_order_is_no_larger_than_its_limit(amount: str, ending: str) -> None:
    desk = Desk(tight(order_notional_max=Decimal(1000)))
    assert ends_as(desk, entry(amount)) == ending


@pytest.mark.parametrize(("amount", "ending"), [("10", "SUBMITTING"), ("10.01", "exposure_max")])
def test_positions_and_entries_together_are_no_larger_than_the_exposure(
    amount: str, ending: str
) -> None:
    desk = Desk(tight(exposure_max=Decimal(3000)))
    desk.holding("10")
    desk.accepted(entry("10", symbol=ETH_USDT))
    assert ends_as(desk, entry(amount, symbol=CRO_USDT)) == ending


def test_exposure_counts_positions_at_their_marks() -> None:
    desk = Desk(tight(exposure_max=Decimal(3000)))
    held = desk.holding("10")
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(250)))
    assert exposure_of(desk.book) == 2500
    assert ends_as(desk, entry("5.01", symbol=ETH_USDT)) == "exposure_max"


def in_doubt(desk: Desk, order: Order, state: OrderState) -> None:
    if state is OrderState.SUBMITTING:
        desk.submitted(order)
        return
    desk.unknown(order)
    if state is OrderState.NEEDS_HUMAN:
        desk.does(AskForHuman(client_order_id=order.client_order_id, reason="no barrier"))


@pytest.mark.parametrize(
    "state", [OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_HUMAN]
)
def test_an_order_in_doubt_counts_at_full_size_in_the_exposure(state: OrderState) -> None:
    desk = Desk(tight(exposure_max=Decimal(1500)))
    in_doubt(desk, entry("10"), state)
    assert exposure_of(desk.book) == 1000
    assert ends_as(desk, entry("6", symbol=ETH_USDT)) == "exposure_max"


@pytest.mark.parametrize(
    "state", [OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_HUMAN]
)
def test_an_order_in_doubt_counts_among_the_positions(state: OrderState) -> None:
    desk = Desk(tight(open_positions_max=1))
    in_doubt(desk, entry("1"), state)
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == "open_positions_max"


@pytest.mark.parametrize("state", [OrderState.SUBMITTING, OrderState.UNKNOWN])
def test_an_order_in_doubt_counts_among_the_orders_of_a_minute(state: OrderState) -> None:
    desk = Desk(tight(orders_per_minute_max=1))
    in_doubt(desk, entry("1"), state)
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == "orders_per_minute_max"


def test_an_exit_in_doubt_sells_at_full_size() -> None:
    desk = Desk()
    held = desk.holding("1")
    desk.unknown(exit_of(held, "0.4"))
    assert sellable(desk.book, desk.position()) == Decimal("0.6")


def test_what_was_proven_absent_counts_no_more() -> None:
    desk = Desk(tight(exposure_max=Decimal(1500)))
    order = desk.unknown(entry("10"))
    desk.does(end(order, OrderStep.PROVE_ABSENT))
    assert ends_as(desk, entry("15", symbol=ETH_USDT)) == "SUBMITTING"


def test_a_half_filled_entry_counts_what_it_holds_and_what_may_come() -> None:
    desk = Desk(NO_LIMITS)
    order = desk.accepted(entry("10"))
    desk.fills(order, "4", "110")
    assert exposure_of(desk.book) == 1040


def test_positions_are_no_more_than_their_limit() -> None:
    desk = Desk(tight(open_positions_max=2))
    desk.holding()
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == "SUBMITTING"
    assert ends_as(desk, entry("1", symbol=CRO_USDT)) == "open_positions_max"


def test_entries_of_a_position_are_no_more_than_their_limit() -> None:
    desk = Desk(tight(entries_per_position_max=2))
    held = desk.holding()
    desk.waits(60)
    more = entry("1", at=desk.now, into=held.position_id)
    assert ends_as(desk, more) == "SUBMITTING"
    desk.ends(more, OrderStep.REJECT)
    desk.waits(60)
    more = entry("1", at=desk.now, into=held.position_id)
    desk.accepted(more)
    desk.fills(more, "1")
    desk.waits(60)
    assert ends_as(desk, entry("1", at=desk.now, into=held.position_id)) == (
        "entries_per_position_max"
    )


def test_entries_of_a_minute_are_no_more_than_their_limit() -> None:
    desk = Desk(tight(orders_per_minute_max=2))
    desk.submitted(entry("1"))
    desk.waits(30)
    desk.submitted(entry("1", symbol=ETH_USDT))
    desk.waits(29)
    assert ends_as(desk, entry("1", symbol=CRO_USDT)) == "orders_per_minute_max"
    desk.waits(1)
    assert ends_as(desk, entry("1", symbol=Symbol("DOT/USDT"))) == "SUBMITTING"


@pytest.mark.parametrize(
    ("price", "ending"),
    [
        ("101", "SUBMITTING"),
        ("99", "SUBMITTING"),
        ("101.01", "price_collar"),
        ("98.99", "price_collar"),
    ],
)
def test_an_entry_beyond_the_collar_is_refused(price: str, ending: str) -> None:
    desk = Desk(tight(price_collar_pct=Decimal(1)))
    order = entry("1", "100")
    assert ends_as(desk, order, submit(order, price)) == ending


def test_the_collar_is_measured_at_the_side_that_is_paid() -> None:
    order = entry("1", "100")
    wide = Quote(bid=Decimal(90), ask=Decimal("100.5"), at=START)
    command = SubmitOrder(client_order_id=order.client_order_id, quote=wide)
    assert ends_as(Desk(tight(price_collar_pct=Decimal(1))), order, command) == "SUBMITTING"


@pytest.mark.parametrize(
    "seen",
    [
        None,
        Quote(bid=Decimal(0), ask=Decimal(100), at=START),
        Quote(bid=Decimal("NaN"), ask=Decimal("NaN"), at=START),
        Quote(bid=Decimal(100), ask=Decimal("Infinity"), at=START),
    ],
)
def test_an_entry_without_a_price_is_refused(seen: Quote | None) -> None:
    order = entry("1")
    command = SubmitOrder(client_order_id=order.client_order_id, quote=seen)
    assert ends_as(Desk(), order, command) == "no_price"


def test_an_entry_waits_while_the_exchange_is_silent() -> None:
    order = entry("1")
    command = SubmitOrder(
        client_order_id=order.client_order_id, quote=quote(), hold="5 requests unanswered"
    )
    assert ends_as(Desk(), order, command) == "held_back"


def test_an_entry_is_refused_while_trading_is_halted() -> None:
    desk = Desk()
    desk.halted()
    assert ends_as(desk, entry("1")) == "halted"


def reconciled(
    kind: str, symbol: Symbol | None, *, is_healed: bool = False
) -> CompleteReconciliation:
    found = Discrepancy(
        kind=kind,
        symbol=symbol,
        subject="BTC",
        expected="1",
        found="0",
        action="none",
        is_healed=is_healed,
    )
    return CompleteReconciliation(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=(found,),
    )


def test_a_symbol_that_differs_from_the_exchange_takes_no_entries() -> None:
    desk = Desk()
    desk.does(reconciled("phantom", BTC_USDT))
    assert ends_as(desk, entry("1")) == "unresolved"
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == "SUBMITTING"


def test_a_symbol_that_was_healed_takes_entries() -> None:
    desk = Desk()
    desk.does(reconciled("phantom", BTC_USDT))
    desk.does(reconciled("phantom", BTC_USDT, is_healed=True))
    assert ends_as(desk, entry("1")) == "SUBMITTING"


def test_a_symbol_with_an_order_for_a_person_takes_no_entries() -> None:
    desk = Desk()
    held = desk.holding()
    lost = desk.unknown(exit_of(held))
    desk.does(AskForHuman(client_order_id=lost.client_order_id, reason="no barrier"))
    more = entry("1", symbol=ETH_USDT)
    assert ends_as(desk, more) == "SUBMITTING"
    desk.book.keep_order(msgspec.structs.replace(desk.order(lost), symbol=CRO_USDT))
    assert ends_as(desk, entry("1", symbol=CRO_USDT)) == "needs_human"


def test_an_entry_is_not_sent_into_what_began_to_be_left() -> None:
    desk = Desk(NO_LIMITS)
    held = desk.holding()
    desk.waits(1)
    more = desk.intended(entry("1", at=desk.now, into=held.position_id))
    desk.intended(exit_of(desk.position()))
    assert ends_as(desk, more) == "leaving"


@pytest.mark.parametrize(("waited_s", "ending"), [(59, "cooldown"), (60, "SUBMITTING")])
def test_a_symbol_rests_after_a_close(waited_s: int, ending: str) -> None:
    desk = Desk(tight(cooldown_s=60))
    desk.holding()
    desk.left()
    desk.waits(waited_s)
    assert ends_as(desk, entry("1", at=desk.now)) == ending


def test_another_symbol_does_not_rest() -> None:
    desk = Desk(tight(cooldown_s=60))
    desk.holding()
    desk.left()
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == "SUBMITTING"


@pytest.mark.parametrize(("price", "ending"), [("80.01", "SUBMITTING"), ("80", "daily_loss")])
def test_a_day_s_loss_counts_what_is_held_at_its_mark(price: str, ending: str) -> None:
    desk = Desk(tight(daily_loss_max=Decimal(200))).funded()
    held = desk.holding("10")
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(price)))
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == ending


def test_a_day_s_loss_counts_fees() -> None:
    desk = Desk(tight(daily_loss_max=Decimal(200))).funded()
    order = desk.accepted(entry("1"))
    desk.fills(order, "1", "100", "200")
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == "daily_loss"


@pytest.mark.parametrize(("amount", "ending"), [("-5000", "SUBMITTING"), ("5000", "daily_loss")])
def test_a_transfer_is_neither_a_loss_nor_a_gain(amount: str, ending: str) -> None:
    desk = Desk(tight(daily_loss_max=Decimal(200), drawdown_max_pct=Decimal(20))).funded()
    if amount == "5000":
        order = desk.accepted(entry("1"))
        desk.fills(order, "1", "100", "200")
    desk.does(
        RecordExternalChange(
            kind="balance", coin=USDT, amount=Decimal(amount), reference="", note=""
        )
    )
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == ending


@pytest.mark.parametrize(("price", "ending"), [("0.01", "SUBMITTING"), ("0.001", "drawdown")])
def test_the_drawdown_is_measured_from_the_highest_equity(price: str, ending: str) -> None:
    desk = Desk(tight(drawdown_max_pct=Decimal(20))).funded("10000")
    held = desk.holding("20.002")
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(price)))
    assert ends_as(desk, entry("1", symbol=ETH_USDT)) == ending


def test_no_limit_on_losses_binds_before_the_first_day_began() -> None:
    account = Account(balances={USDT: Decimal(-(10**6))})
    assert account.day_started_at is None
    book = Book()
    book.account = account
    assert loss_breach(book, Decimal(-(10**6)), LIMITS) is None


@pytest.mark.parametrize(("daily", "drawdown"), [(0, 20), (200, 0), (0, 0)])
def test_a_limit_on_losses_that_is_zero_is_off(daily: int, drawdown: int) -> None:
    limits = tight(daily_loss_max=Decimal(daily), drawdown_max_pct=Decimal(drawdown))
    book = Desk(limits).funded().book
    breach = loss_breach(book, Decimal(1), limits)
    assert (None if breach is None else breach.code) == {
        (0, 20): "drawdown",
        (200, 0): "daily_loss",
        (0, 0): None,
    }[daily, drawdown]


def test_equity_is_the_quote_balance_and_own_positions_at_their_marks() -> None:
    desk = Desk().funded("1000")
    held = desk.holding("2", "100")
    desk.does(MarkPosition(position_id=held.position_id, price=Decimal(150)))
    assert equity_of(desk.book, USDT) == 1100


def test_foreign_coins_are_no_equity() -> None:
    desk = Desk().funded("1000")
    desk.does(
        RecordExternalChange(kind="balance", coin=BTC, amount=Decimal(9), reference="", note="")
    )
    assert equity_of(desk.book, USDT) == 1000


# What reduces -----------------------------------------------------------------------------

Spoiler = Callable[[Desk], None]


def _halted(desk: Desk) -> None:
    desk.halted()


def _flattened(desk: Desk) -> None:
    desk.halted("flatten")


def _orphaned(desk: Desk) -> None:
    desk.does(reconciled("orphan", BTC_USDT))


def _lost(desk: Desk) -> None:
    desk.does(MarkPosition(position_id=desk.position().position_id, price=Decimal("0.01")))


def _crowded(desk: Desk) -> None:
    desk.unknown(entry("1", symbol=ETH_USDT))


SPOILERS: dict[str, Spoiler] = {
    "halt": _halted,
    "flatten": _flattened,
    "orphan": _orphaned,
    "losses": _lost,
    "an unknown order": _crowded,
}

STRICTEST = Limits(
    quote_coin=USDT,
    open_positions_max=1,
    entries_per_position_max=1,
    order_notional_max=Decimal("0.01"),
    exposure_max=Decimal("0.01"),
    orders_per_minute_max=0,
    price_collar_pct=Decimal(0),
    daily_loss_max=Decimal("0.01"),
    drawdown_max_pct=Decimal("0.01"),
    cooldown_s=10**6,
)


@pytest.mark.parametrize("seen", [None, quote("1"), quote("100000")], ids=["no", "low", "high"])
@pytest.mark.parametrize("spoil", SPOILERS.values(), ids=SPOILERS)
def test_no_limit_halt_or_breaker_refuses_what_reduces(spoil: Spoiler, seen: Quote | None) -> None:
    desk = Desk(NO_LIMITS).funded()
    held = desk.holding()
    spoil(desk)
    desk.limits = STRICTEST
    order = desk.intended(exit_of(desk.position(), "1"))
    command = SubmitOrder(client_order_id=order.client_order_id, quote=seen, hold="breaker open")
    assert ends_as(desk, order, command) == "SUBMITTING"
    assert held.position_id == order.position_id


def test_what_reduces_is_told_by_its_side_and_not_by_its_role() -> None:
    desk = Desk()
    held = desk.holding()
    exit_ = exit_of(held)
    assert is_reducing(desk.book, exit_)
    assert not is_reducing(desk.book, msgspec.structs.replace(exit_, side=Side.BUY))
    assert not is_reducing(desk.book, msgspec.structs.replace(exit_, symbol=ETH_USDT))
    assert not is_reducing(Book(), exit_)


def test_a_long_is_reduced_by_selling_and_a_short_by_buying() -> None:
    held = Desk().holding()
    assert own_side(held) is Side.SELL
    assert own_side(msgspec.structs.replace(held, side=PositionSide.SHORT)) is Side.BUY


def test_what_has_been_left_is_not_held() -> None:
    desk = Desk()
    order = desk.accepted(entry("2"))
    desk.fills(order, "1")
    assert is_held(desk.position())
    desk.fills(desk.accepted(exit_of(desk.position())), "1")
    assert not is_held(desk.position())


def test_what_is_opening_is_not_held() -> None:
    desk = Desk()
    desk.accepted(entry("1"))
    assert not is_held(desk.position())


def test_an_equity_above_its_height_is_no_drawdown() -> None:
    account = Account(
        day_started_at=Instant(1), day_start_equity=Decimal(100), peak_equity=Decimal(100)
    )
    losses = losses_of(account, Decimal(101), Decimal(20))
    assert losses is not None
    assert losses.drawdown == 0
