"""What no walk through the protocol looks at: when people are told, and how a request is signed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.dialogue import (
    CancelOrder,
    FetchAccount,
    FindOrder,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    PlaceOrder,
)
from aegis.domain.commands import EndOrder, Refusal, RequestCancel
from aegis.domain.events import ExternalChangeSeen, OrderCancelRequested, OrderOutcomeUnknown
from aegis.domain.first_look import DOUBTED
from aegis.domain.ids import ClientOrderId, Instant
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.order import Order, OrderState
from aegis.domain.second import SILENT_S
from aegis.domain.venue import VenueAccount, VenueOrder, VenueOrderStatus
from aegis.exchange.heard import (
    UNWATCHED,
    AccountHeard,
    AlarmDue,
    AlarmLater,
    AskLeave,
    CancelHeard,
    Declined,
    Effect,
    FindHeard,
    Heard,
    Leave,
    LookDue,
    LookLater,
    Make,
    Send,
    Step,
    TakenUp,
    TellLost,
    TellWaiting,
    Told,
    Watch,
)
from aegis.exchange.outcomes import (
    BOOKED_LAG_S,
    LOOK_AFTER_S_LOST,
)
from aegis.exchange.protocol import step
from aegis.exchange.waiting import alarm_of_waiting, silent_stop
from tests.domain.kit import (
    BTC,
    START,
    Desk,
    entry,
    exit_of,
    orphan,
    reconciled,
    seconds,
    stop_at_exchange,
)
from tests.domain.shown import shown
from tests.protocol.life import StillClock
from tests.protocol.world import PATIENCE


def lost(order: Order) -> Order:
    desk = Desk()
    desk.unknown(order)
    return desk.order(order)


def lost_exit() -> Order:
    desk = Desk()
    return desk.order(desk.unknown(exit_of(desk.holding())))


def after(order: Order, heard: Heard, *, now_s: int = 0, watch: Watch = UNWATCHED) -> Step:
    return step(order, watch, heard, PATIENCE, StillClock(now_s))


def told_lost(order: Order) -> Told:
    return Told(event=OrderOutcomeUnknown(client_order_id=order.client_order_id, reason=""))


@pytest.mark.parametrize("heard", [told_lost(lost_exit()), TakenUp()])
def test_an_exit_out_of_sight_is_looked_after_though_nobody_answers(heard: Heard) -> None:
    _, effects = after(lost_exit(), heard)
    assert AlarmLater(delay_s=SECOND_EXIT_AFTER_S) in effects


@pytest.mark.parametrize("heard", [told_lost(lost(entry())), TakenUp()])
def test_an_entry_out_of_sight_is_no_alarm(heard: Heard) -> None:
    _, effects = after(lost(entry()), heard)
    assert not [each for each in effects if isinstance(each, AlarmLater)]


@pytest.mark.parametrize("heard", [AlarmDue(), FindHeard(answer=NoAnswer(reason=""))])
@pytest.mark.parametrize("early_s", [0, 1])
def test_people_are_told_when_an_exit_is_out_of_sight_for_so_long(
    heard: Heard, early_s: int
) -> None:
    _, effects = after(lost_exit(), heard, now_s=SECOND_EXIT_AFTER_S - early_s)
    assert (TellLost() in effects) is (early_s == 0)


def test_people_are_told_once() -> None:
    watch, _ = after(lost_exit(), AlarmDue(), now_s=SECOND_EXIT_AFTER_S)
    _, effects = after(lost_exit(), AlarmDue(), now_s=60, watch=watch)
    assert effects == ()


def test_who_was_told_that_an_exit_waits_is_told_as_well_that_it_is_out_of_sight() -> None:
    desk = Desk()
    waiting = desk.order(desk.intended(exit_of(desk.holding())))
    watch, effects = after(waiting, AlarmDue(), now_s=SECOND_EXIT_AFTER_S)
    assert effects == (AskLeave(), TellWaiting())
    watch, _ = after(lost_exit(), told_lost(lost_exit()), now_s=60, watch=watch)
    _, effects = after(lost_exit(), AlarmDue(), now_s=60, watch=watch)
    assert effects == (TellLost(),)


def test_an_exit_that_was_refused_leave_asks_again_every_ten_seconds_and_by_one_timer() -> None:
    desk = Desk()
    waiting = desk.order(desk.intended(exit_of(desk.holding())))
    refused = Declined(refusal=Refusal(code="stop_rests", text="", mends_with_time=True))
    watch, effects = after(waiting, refused)
    assert effects == (AlarmLater(delay_s=SECOND_EXIT_AFTER_S),)
    watch, effects = after(waiting, refused, watch=watch)
    assert effects == ()
    watch, effects = after(waiting, AlarmDue(), watch=watch)
    assert effects == (AskLeave(),)
    _, effects = after(waiting, refused, watch=watch)
    assert effects == (AlarmLater(delay_s=SECOND_EXIT_AFTER_S),)


def test_people_are_not_told_of_an_exit_that_was_found() -> None:
    desk = Desk()
    found = desk.order(desk.accepted(exit_of(desk.holding())))
    assert found.state is OrderState.OPEN
    _, effects = after(found, AlarmDue(), now_s=60)
    assert effects == ()


@pytest.mark.parametrize(("submitted_s", "now_s", "signed_s"), [(0, 30, 0), (30, 0, 0), (5, 5, 5)])
def test_a_request_is_signed_no_later_than_its_submission_nor_ahead_of_the_clock(
    submitted_s: int, now_s: int, signed_s: int
) -> None:
    leave = Leave(at=Instant(START + seconds(submitted_s)))
    _, effects = after(entry(state=OrderState.SUBMITTING), leave, now_s=now_s)
    (sent,) = (each.request for each in effects if isinstance(each, Send))
    assert isinstance(sent, PlaceOrder)
    assert sent.sent_at == START + seconds(signed_s)


# A stop that is called off --------------------------------------------------------------------

KEY = ClientOrderId("s")
EVER = Instant(0)
SILENCE = FindHeard(answer=NoAnswer(reason="silence"))


def stop_to_end() -> Order:
    desk = Desk(keeps=True)
    stop = desk.accepted(stop_at_exchange(desk.holding("1")))
    desk.does(RequestCancel(client_order_id=stop.client_order_id, reason="the position is left"))
    return desk.order(stop)


def requests(effects: tuple[Effect, ...]) -> list[type]:
    return [type(each.request) for each in effects if isinstance(each, Send)]


def account(*open_orders: VenueOrder, now_s: int, trades_since: Instant = EVER) -> AccountHeard:
    at = Instant(START + seconds(now_s))
    told = VenueAccount(
        balances={}, open_orders=open_orders, trades=(), trades_since=trades_since, as_of=at
    )
    return AccountHeard(asked_since=trades_since, account=told)


@pytest.mark.parametrize(
    "heard",
    [
        Told(event=OrderCancelRequested(client_order_id=KEY, reason="")),
        TakenUp(),
        LookDue(),
    ],
)
def test_a_stop_is_looked_at_before_it_is_called_off(heard: Heard) -> None:
    watch, effects = after(stop_to_end(), heard)
    assert requests(effects) == [FindOrder]
    seen = OrderFound(order=shown(stop_to_end()), trades=())
    watch, effects = after(stop_to_end(), FindHeard(answer=seen), watch=watch)
    assert requests(effects) == [CancelOrder]
    _, effects = after(stop_to_end(), FindHeard(answer=seen), watch=watch)
    assert requests(effects) == []


def test_while_a_cancel_is_under_way_none_is_sent_and_the_stop_is_looked_at() -> None:
    order = stop_to_end()
    seen = FindHeard(answer=OrderFound(order=shown(order), trades=()))
    watch, _ = after(order, TakenUp())
    watch, _ = after(order, seen, watch=watch)
    for _ in range(5):
        watch, effects = after(order, LookDue(), watch=watch)
        assert requests(effects) == [FindOrder]
        watch, effects = after(order, seen, watch=watch)
        assert requests(effects) == []
    watch, _ = after(order, CancelHeard(), watch=watch)
    watch, _ = after(order, seen, watch=watch)
    watch, _ = after(order, LookDue(), watch=watch)
    _, effects = after(order, seen, watch=watch)
    assert requests(effects) == [CancelOrder]


@pytest.mark.parametrize("is_taken_up", [False, True])
def test_who_waits_is_told_that_a_stop_guards_only_where_no_cancel_can_have_gone(
    *, is_taken_up: bool
) -> None:
    desk = Desk(keeps=True)
    held = desk.holding("1")
    stop, waiting = desk.accepted(stop_at_exchange(held)), desk.intended(exit_of(held))
    desk.does(RequestCancel(client_order_id=stop.client_order_id, reason="the position is left"))
    order, wanted = desk.order(stop), OrderCancelRequested(client_order_id=KEY, reason="")
    watch, _ = after(order, TakenUp() if is_taken_up else Told(event=wanted))
    watch, _ = after(order, SILENCE, watch=watch)
    told = alarm_of_waiting(waiting.client_order_id, desk.book, {order.client_order_id: watch}).text
    assert ("it rests on and guards" in told) is not is_taken_up
    watch, _ = after(order, account(shown(order), now_s=1), watch=watch)
    watch, _ = after(order, CancelHeard(), watch=watch)
    watch, _ = after(order, AccountHeard(asked_since=Instant(0), account=None), watch=watch)
    watch, _ = after(order, LookDue(), watch=watch)
    told = alarm_of_waiting(waiting.client_order_id, desk.book, {order.client_order_id: watch}).text
    assert told.endswith("has not provably ended: it rests on, or nothing guards")


NOBODY = AccountHeard(asked_since=Instant(0), account=None)
CALLED_OFF, CALLED_OFF_ALONE = (
    Told(event=OrderCancelRequested(client_order_id=KEY, reason="", is_alone=is_alone))
    for is_alone in (False, True)
)
MOVED = Told(
    event=ExternalChangeSeen(kind="deposit", coin=BTC, amount=Decimal(1), reference="", note="")
)
SEEN = FindHeard(answer=OrderFound(order=shown(stop_to_end()), trades=()))
ABSENT = FindHeard(answer=OrderNotFound(client_order_id=KEY, as_of=START))


@pytest.mark.parametrize(
    ("heard", "waited_s", "is_passed"),
    [
        ([CALLED_OFF_ALONE, SEEN, CancelHeard(), SILENCE], SILENT_S, True),
        ([CALLED_OFF_ALONE, SEEN, CancelHeard(), SILENCE, NOBODY], SILENT_S, True),
        ([CALLED_OFF_ALONE, SEEN, CancelHeard(), SILENCE], SILENT_S - 1, False),
        ([CALLED_OFF, SEEN, CancelHeard(), SILENCE], SILENT_S, False),  # coins of others
        ([CALLED_OFF_ALONE, SILENCE, NOBODY], SILENT_S, False),  # no cancel went out: it guards
        (
            [CALLED_OFF_ALONE, SEEN, CancelHeard(), SILENCE, NOBODY, LookDue(), SEEN],
            SILENT_S,
            False,
        ),
        ([CALLED_OFF_ALONE, SEEN, CancelHeard(), ABSENT], SILENT_S, False),  # to be proved soon
        (
            [CALLED_OFF_ALONE, SEEN, MOVED, CancelHeard(), SILENCE],
            SILENT_S,
            False,
        ),  # whose are left
        ([CALLED_OFF_ALONE, SEEN, TakenUp(), CancelHeard(), SILENCE], SILENT_S, False),
        ([TakenUp(), SILENCE, NOBODY], SILENT_S, False),  # whose coins were there nobody remembers
    ],
)
def test_an_exit_waits_for_word_of_a_stop_but_not_for_ever(
    heard: list[Heard], waited_s: int, *, is_passed: bool
) -> None:
    desk = Desk(keeps=True)
    held = desk.holding("1")
    stop, waiting = desk.accepted(stop_at_exchange(held)), desk.intended(exit_of(held))
    desk.does(RequestCancel(client_order_id=stop.client_order_id, reason="the position is left"))
    order, watch = desk.order(stop), UNWATCHED
    for each in heard:
        watch, _ = after(order, each, watch=watch)
    clock, watches = StillClock(waited_s), {order.client_order_id: watch}
    passed = silent_stop(desk.order(waiting), desk.book, watches, clock)
    assert (passed == order.client_order_id) is is_passed


def test_who_waits_as_its_coins_may_be_sold_is_told_so() -> None:
    desk = Desk(keeps=True)
    held = desk.holding("1")
    waiting = desk.intended(exit_of(held))
    reconciled(desk, orphan("o", of=held))
    assert alarm_of_waiting(waiting.client_order_id, desk.book, {}).text.endswith(DOUBTED)


def test_while_nobody_answers_a_stop_is_not_called_off() -> None:
    order, silence = stop_to_end(), AccountHeard(asked_since=Instant(0), account=None)
    watch, _ = after(order, TakenUp())
    for _ in range(5):
        watch, effects = after(order, SILENCE, watch=watch)
        assert requests(effects) == [FetchAccount]
        watch, effects = after(order, silence, watch=watch)
        assert requests(effects) == []
        watch, effects = after(order, LookDue(), watch=watch)
        assert requests(effects) == [FindOrder]


def test_an_account_lets_the_cancel_of_a_stop_go_and_proves_its_end() -> None:
    order, lag_s = stop_to_end(), int(PATIENCE.lag_s)
    watch, _ = after(order, TakenUp())
    watch, _ = after(order, SILENCE, watch=watch)
    watch, effects = after(order, account(shown(order), now_s=1), watch=watch)
    assert requests(effects) == [CancelOrder]
    watch, effects = after(order, CancelHeard(), watch=watch)
    made = []
    for now_s in (2, 2 + lag_s, 2 + lag_s):
        assert requests(effects) == [FetchAccount]
        watch, effects = after(order, account(now_s=now_s), watch=watch, now_s=now_s)
        made.append([type(each.command) for each in effects if isinstance(each, Make)])
        watch, effects = after(order, LookDue(), watch=watch)
        if requests(effects) == [FindOrder]:
            watch, effects = after(order, SILENCE, watch=watch)
    assert made == [[], [], [EndOrder]]


def test_while_the_lag_of_accounts_is_waited_for_its_own_look_up_may_end_a_stop() -> None:
    order = stop_to_end()
    watch, _ = after(order, TakenUp())
    watch, _ = after(order, SILENCE, watch=watch)
    watch, _ = after(order, account(shown(order), now_s=1), watch=watch)
    watch, _ = after(order, CancelHeard(), watch=watch)
    watch, effects = after(order, account(now_s=2), watch=watch, now_s=2)
    (later,) = (each for each in effects if isinstance(each, LookLater))
    assert later.delay_s <= LOOK_AFTER_S_LOST < PATIENCE.lag_s
    watch, effects = after(order, LookDue(), watch=watch)
    assert requests(effects) == [FindOrder]
    ended = shown(order, status=VenueOrderStatus.CANCELED)
    found = FindHeard(answer=OrderFound(order=ended, trades=()))
    _, effects = after(order, found, watch=watch)
    assert [type(each.command) for each in effects if isinstance(each, Make)] == [EndOrder]


DAYS_S = 10 * 86_400


def rested(desk: Desk, stop: Order, *, filled: str = "0") -> Watch:
    """Return what is remembered of a stop that was seen to rest, days after it was placed."""
    there = shown(stop, filled=Decimal(filled))
    found = FindHeard(answer=OrderFound(order=there, trades=()))
    watch, _ = after(desk.order(stop), found, now_s=DAYS_S)
    return watch


def blind(order: Order, watch: Watch) -> tuple[Watch, FetchAccount]:
    """Look for a stop that is called off where its own look-up does not answer."""
    watch, _ = after(order, TakenUp(), now_s=DAYS_S, watch=watch)
    watch, effects = after(order, SILENCE, now_s=DAYS_S, watch=watch)
    (asked,) = (each.request for each in effects if isinstance(each, Send))
    assert isinstance(asked, FetchAccount)
    return watch, asked


@pytest.mark.parametrize(("filled", "is_booked"), [("0", True), ("0.4", False)])
def test_of_a_stop_that_rested_for_days_an_hour_of_trades_is_read_where_the_rest_is_booked(
    filled: str, *, is_booked: bool
) -> None:
    desk = Desk(keeps=True)
    stop = desk.accepted(stop_at_exchange(desk.holding("1")))
    watch = rested(desk, stop, filled=filled)
    desk.does(RequestCancel(client_order_id=stop.client_order_id, reason="the position is left"))
    _, asked = blind(desk.order(stop), watch)
    an_hour_before = Instant(START + seconds(DAYS_S - BOOKED_LAG_S))
    assert (asked.trades_since == an_hour_before) is is_booked
    assert asked.trades_since <= an_hour_before


def test_what_was_booked_of_a_stop_before_counts_though_it_is_told_no_more() -> None:
    desk = Desk(keeps=True)
    stop = desk.accepted(stop_at_exchange(desk.holding("1")))
    desk.fills(stop, "0.4")
    watch = rested(desk, stop, filled="0.4")
    desk.does(RequestCancel(client_order_id=stop.client_order_id, reason="the position is left"))
    order, lag_s, made = desk.order(stop), int(PATIENCE.lag_s), []
    watch, asked = blind(order, watch)
    for now_s in (1, 1 + lag_s, 1 + lag_s):
        heard = account(now_s=DAYS_S + now_s, trades_since=asked.trades_since)
        watch, effects = after(order, heard, now_s=DAYS_S + now_s, watch=watch)
        made += [each.command for each in effects if isinstance(each, Make)]
        watch, _ = after(order, CancelHeard(), now_s=DAYS_S + now_s, watch=watch)
        watch, _ = after(order, SILENCE, now_s=DAYS_S + now_s, watch=watch)
    (end,) = made
    assert isinstance(end, EndOrder)
    assert end.filled == Decimal("0.4")
