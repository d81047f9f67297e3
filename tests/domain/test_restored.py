"""What a restored store had forgotten is booked as the exchange tells it, once, and guarded."""

from __future__ import annotations

from decimal import Decimal
from types import NoneType

import msgspec
import pytest

from aegis.domain.account import TradingState
from aegis.domain.commands import (
    AdoptOrder,
    CompleteReconciliation,
    CompleteRecovery,
    RecordRestore,
    RequestCancel,
)
from aegis.domain.events import OrderFilled, PositionClosed, PositionOpened
from aegis.domain.guard import ExitReason, ExitWanted, wanted_unseen, watch
from aegis.domain.ids import (
    ClientOrderId,
    Coin,
    ExchangeOrderId,
    Generation,
    Incarnation,
    Instant,
    Symbol,
    TradeId,
)
from aegis.domain.money import total
from aegis.domain.order import OrderState, OrderType, Side
from aegis.domain.position import PositionStatus
from aegis.domain.protection import STOP_REASON, Keeper, stop_of
from aegis.domain.restored import (
    CALLED_OFF_LATER,
    RESTS_ON,
    LostOrder,
    Terms,
    adoption_of,
    in_turn,
    told_adoption,
)
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from tests.domain.kit import (
    BTC,
    BTC_USDT,
    INCARNATION,
    POLICY,
    START,
    TAG,
    USDT,
    Desk,
    exit_of,
    halt,
    instrument,
    orphan,
    quote,
    resume,
)

TERMS = Terms(
    incarnation=Incarnation("second"),
    strategy="ema_cross",
    policy=POLICY,
    instruments={BTC_USDT: instrument()},
)
RESTORE = RecordRestore(
    backup="b-1",
    events=7,
    head_hash="cafe",
    replaced="aegis.db.replaced-1",
    replaced_events=9,
    incarnation=Incarnation("second"),
)


def lost(
    number: int,
    side: Side,
    amount: str,
    *fills: str,
    status: VenueOrderStatus = VenueOrderStatus.FILLED,
    symbol: Symbol = BTC_USDT,
    price: str | None = "100",
) -> LostOrder:
    """Return an order with our tag at the exchange, filled at 100 by so much each time."""
    client, exchange = f"{TAG}{number:024d}", ExchangeOrderId(f"x-{number}")
    order = VenueOrder(
        exchange_order_id=exchange,
        client_order_id=client,
        symbol=symbol,
        side=side,
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        amount=Decimal(amount),
        price=None if price is None else Decimal(price),
        filled=total(map(Decimal, fills)),
        status=status,
        reason="",
        created_at=Instant(START + number),
    )
    trades = tuple(
        VenueTrade(
            trade_id=TradeId(f"lost-{number}-{place}"),
            exchange_order_id=exchange,
            client_order_id=client,
            symbol=symbol,
            side=side,
            amount=Decimal(each),
            price=Decimal(100),
            fee=Decimal("0.1"),
            fee_currency=Coin("USDT"),
            liquidity="taker",
            at=Instant(START + number),
        )
        for place, each in enumerate(fills)
    )
    return LostOrder(order=order, trades=trades)


def adoption(found: LostOrder, terms: Terms = TERMS) -> AdoptOrder:
    return adoption_of(found, terms)


def state_of(desk: Desk, found: LostOrder) -> OrderState:
    return desk.orders[ClientOrderId(found.order.client_order_id or "")].state


@pytest.fixture
def desk() -> Desk:
    return Desk().funded("1000")


def test_a_forgotten_purchase_opens_a_position_with_the_policy_of_the_settings(desk: Desk) -> None:
    events = desk.does(adoption(lost(1, Side.BUY, "2", "0.5", "1.5")))
    (opened,) = (each for each in events if isinstance(each, PositionOpened))
    assert (opened.stop_price, opened.take_profit_price) == (Decimal(98), Decimal(104))
    assert desk.position().amount == 2
    assert desk.position().policy == POLICY


def test_a_forgotten_sale_closes_the_position_that_the_store_still_holds(desk: Desk) -> None:
    held = desk.holding("2")
    events = desk.does(adoption(lost(1, Side.SELL, "2", "2")))
    assert any(isinstance(each, PositionClosed) for each in events)
    assert desk.positions[held.position_id].amount == 0


def test_a_position_was_opened_and_closed_when_the_exchange_says(desk: Desk) -> None:
    desk.now = Instant(START + 60)
    desk.does(adoption(lost(1, Side.BUY, "2", "2")))
    held = desk.position()
    assert held.opened_at == START + 1
    desk.does(adoption(lost(2, Side.SELL, "2", "1", "1")))
    closed = desk.positions[held.position_id]
    assert (closed.opened_at, closed.closed_at) == (START + 1, START + 2)


def test_what_was_opened_before_the_restore_keeps_its_instant_and_is_closed_after_it(
    desk: Desk,
) -> None:
    held = desk.holding("2")
    desk.now = Instant(START + 60)
    desk.does(adoption(lost(1, Side.SELL, "2", "2")))
    closed = desk.positions[held.position_id]
    assert (closed.opened_at, closed.closed_at) == (START, START + 1)


def test_a_forgotten_further_purchase_adds_to_the_position(desk: Desk) -> None:
    held = desk.holding("1")
    desk.does(adoption(lost(1, Side.BUY, "2", "2")))
    assert (desk.position().position_id, desk.position().amount) == (held.position_id, Decimal(3))


def test_the_balances_are_the_exchanges_afterwards(desk: Desk) -> None:
    for each in (lost(1, Side.BUY, "2", "2"), lost(2, Side.SELL, "2", "1", "1")):
        desk.does(adoption(each))
    balances = desk.book.account.balances
    assert balances[Coin("USDT")] == Decimal("999.7")
    assert balances[Coin("BTC")] == 0


def test_the_same_order_twice_is_one_order(desk: Desk) -> None:
    command = adoption(lost(1, Side.BUY, "2", "2"))
    desk.does(command)
    assert desk.does(command) == ()


def test_what_was_called_off_half_filled_ends_so(desk: Desk) -> None:
    found = lost(1, Side.BUY, "2", "0.5", status=VenueOrderStatus.CANCELED)
    desk.does(adoption(found))
    assert state_of(desk, found) is OrderState.CANCELED
    assert desk.position().amount == Decimal("0.5")


def test_an_entry_that_is_still_open_is_told_with_what_becomes_of_it() -> None:
    still_open = adoption(lost(1, Side.BUY, "2", status=VenueOrderStatus.OPEN))
    resting_sale = adoption(lost(2, Side.SELL, "2", status=VenueOrderStatus.OPEN))
    assert told_adoption("booked", still_open)[1:] == (CALLED_OFF_LATER,)
    assert told_adoption("booked", resting_sale)[1:] == ()


def stop_at_rest(amount: str) -> LostOrder:
    found = lost(2, Side.SELL, amount, status=VenueOrderStatus.OPEN, price=None)
    order = msgspec.structs.replace(found.order, type=OrderType.STOP)
    return msgspec.structs.replace(found, order=order)


def test_a_forgotten_stop_at_rest_is_taken_up_and_nothing_is_left_by_it(desk: Desk) -> None:
    desk.does(adoption(lost(1, Side.BUY, "2", "2")))
    stop = stop_at_rest("2")
    desk.does(adoption(stop))
    position = desk.position()
    taken = stop_of(desk.book, position)
    assert taken is not None
    assert (taken.state, taken.reason) == (OrderState.OPEN, STOP_REASON)
    assert (position.status, position.leaving) == (PositionStatus.OPEN, "")


@pytest.mark.parametrize(("amount", "is_wanted"), [("2", True), ("2", False), ("1", True)])
def test_a_stop_that_was_taken_up_is_kept_where_it_guards_all_and_else_called_off(
    desk: Desk, amount: str, *, is_wanted: bool
) -> None:
    desk.holding("2")
    desk.does(adoption(stop_at_rest(amount)))
    keeper = Keeper(TAG, is_wanted=is_wanted)
    due = keeper.due(desk.book, desk.position(), quote("100"), Incarnation("second"), 0)
    is_kept = is_wanted and amount == "2"
    assert isinstance(due, NoneType if is_kept else RequestCancel)


def test_a_stop_at_rest_that_nothing_is_held_for_is_left_to_a_person(desk: Desk) -> None:
    refusal = desk.refuses(adoption(stop_at_rest("2")))
    assert refusal.text.endswith("cancel it at the exchange")


def test_what_becomes_of_a_stop_at_rest_is_told() -> None:
    assert told_adoption("booked", adoption(stop_at_rest("2")))[1:] == (RESTS_ON,)


def test_what_is_over_and_never_filled_says_nothing(desk: Desk) -> None:
    assert desk.does(adoption(lost(1, Side.BUY, "2", status=VenueOrderStatus.EXPIRED))) == ()


@pytest.mark.parametrize("fills", [(), ("0.5",)])
def test_an_entry_that_is_still_open_is_called_off(desk: Desk, fills: tuple[str, ...]) -> None:
    found = lost(1, Side.BUY, "2", *fills, status=VenueOrderStatus.OPEN)
    desk.does(adoption(found))
    assert state_of(desk, found) is OrderState.CANCELING


@pytest.mark.parametrize("price", ["100", None])
def test_an_exit_that_is_still_open_stays(desk: Desk, price: str | None) -> None:
    desk.holding("2")
    found = lost(1, Side.SELL, "2", status=VenueOrderStatus.OPEN, price=price)
    desk.does(adoption(found))
    assert state_of(desk, found) is OrderState.OPEN


def test_what_a_forgotten_exit_has_left_is_left_to_its_end(desk: Desk) -> None:
    desk.holding("2")
    desk.does(adoption(lost(1, Side.SELL, "2", "0.5", status=VenueOrderStatus.CANCELED)))
    left = desk.position()
    assert left.amount == Decimal("1.5")
    wanted = ExitWanted(reason=ExitReason.RECOVERED, trigger_price=None)
    assert watch(left, Decimal(100)) == wanted
    assert wanted_unseen(desk.book, left) == wanted


def test_a_sale_of_what_no_position_holds_is_booked_as_the_owner_s(desk: Desk) -> None:
    sale = lost(1, Side.SELL, "2", "2")
    desk.does(adoption(sale))
    assert state_of(desk, sale) is OrderState.FILLED
    assert desk.last_position().status is PositionStatus.VOID
    assert desk.last_position().pnl == 0
    assert desk.book.account.balances == {USDT: Decimal("1199.9"), BTC: Decimal(-2)}
    assert desk.book.alive_positions() == ()


def test_a_sale_of_what_no_position_holds_is_no_result_of_dust_either(desk: Desk) -> None:
    desk.book.account = msgspec.structs.replace(desk.book.account, dust={BTC: Decimal("0.0004")})
    events = desk.does(adoption(lost(1, Side.SELL, "2", "2")))
    (sold,) = (each for each in events if isinstance(each, OrderFilled))
    assert sold.not_ours == 2
    assert (desk.last_position().status, desk.last_position().pnl) == (
        PositionStatus.VOID,
        Decimal(0),
    )


def test_a_sale_that_is_open_and_has_nothing_to_leave_is_called_off(desk: Desk) -> None:
    sale = lost(1, Side.SELL, "2", status=VenueOrderStatus.OPEN)
    desk.does(adoption(sale))
    assert state_of(desk, sale) is OrderState.CANCELING


def test_a_sale_of_more_than_is_held_closes_it_and_the_rest_was_the_owner_s(desk: Desk) -> None:
    held = desk.holding("1")
    events = desk.does(adoption(lost(1, Side.SELL, "2", "2")))
    (sold,) = (each for each in events if isinstance(each, OrderFilled))
    assert sold.not_ours == 1
    assert desk.positions[held.position_id].pnl == Decimal("-0.05")


def test_trades_that_do_not_add_up_are_refused(desk: Desk) -> None:
    whole = lost(1, Side.BUY, "2", "1", "1")
    half = LostOrder(order=whole.order, trades=whole.trades[:1])
    assert desk.refuses(adoption(half)).code == "fills_missing"


def test_an_entry_of_which_no_price_is_known_is_refused(desk: Desk) -> None:
    found = lost(1, Side.BUY, "2", status=VenueOrderStatus.OPEN, price=None)
    assert desk.refuses(adoption(found)).code == "bad_figure"


def test_nothing_is_adopted_into_a_position_with_an_order_under_way(desk: Desk) -> None:
    desk.holding("1")
    desk.accepted(exit_of(desk.position(), None, "100"))
    assert desk.refuses(adoption(lost(1, Side.SELL, "1", "1"))).code == "in_flight"


def test_orders_come_in_the_order_of_their_first_trades() -> None:
    first, second = lost(1, Side.BUY, "2", "2"), lost(2, Side.SELL, "2", "2")
    assert in_turn((second, first)) == (first, second)


# The restore itself ----------------------------------------------------------------------------


def reconciled(*orphans: str, at: int = 5) -> CompleteReconciliation:
    found = tuple(map(orphan, orphans))
    return CompleteReconciliation(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=found,
        as_of=Instant(START + at),
    )


def test_a_restore_halts_entries_whatever_halted_them_before(desk: Desk) -> None:
    desk.does(halt("drawdown"))
    desk.does(RESTORE)
    account = desk.book.account
    assert (account.trading_state, account.cause) == (TradingState.REDUCING, "restore")


def test_a_restored_store_is_not_resumed_before_it_was_compared(desk: Desk) -> None:
    desk.does(RESTORE)
    assert desk.refuses(resume()).code == "restored"
    desk.does(reconciled())
    desk.does(resume())


def test_the_next_look_begins_where_the_last_one_before_the_restore_ended(desk: Desk) -> None:
    desk.does(reconciled(at=1))
    desk.does(RESTORE)
    desk.does(reconciled("trade t-1", at=50))
    assert desk.book.account.looked_at == START + 1
    desk.does(CompleteRecovery(orders=1, fills=1, left=()))
    desk.does(reconciled(at=60))
    assert desk.book.account.looked_at == START + 60


def test_a_trade_that_nobody_knows_stays_in_sight_without_a_restore_too(desk: Desk) -> None:
    desk.does(reconciled(at=1))
    desk.does(reconciled("trade t-1", at=50))
    desk.does(reconciled("trade t-1", at=90))
    assert desk.book.account.looked_at == START + 1
    desk.does(reconciled(at=95))
    assert desk.book.account.looked_at == START + 95


def test_what_others_may_have_sold_is_doubted_until_a_look_finds_it_settled(desk: Desk) -> None:
    held = desk.holding().position_id
    doubt = orphan("o", of=desk.position())
    found = msgspec.structs.replace(reconciled(), discrepancies=(doubt, orphan("p")))
    desk.does(msgspec.structs.replace(found, is_dry_run=True))
    assert not desk.book.account.is_doubted(held)
    desk.does(found)
    assert desk.book.account.doubted == (held,)
    desk.does(reconciled())
    assert b"doubted" not in msgspec.json.encode(desk.book.account)


def test_what_a_person_has_left_stands_in_nobodys_way(desk: Desk) -> None:
    desk.does(RESTORE)
    desk.does(reconciled("trade t-1"))
    assert desk.refuses(resume()).code == "orphan"
    desk.does(CompleteRecovery(orders=0, fills=0, left=("trade t-1",)))
    desk.does(reconciled())
    desk.does(resume())


def test_the_new_life_gives_its_positions_ids_of_its_own() -> None:
    found = lost(1, Side.BUY, "2", "2")
    other = Terms(
        incarnation=INCARNATION, strategy="", policy=POLICY, instruments=TERMS.instruments
    )
    assert adoption(found).position_id != adoption(found, other).position_id
