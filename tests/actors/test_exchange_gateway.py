"""The gateway: sends once, takes silence for nothing, and ends an order on evidence alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TypeVar

import msgspec
import pytest

from actors import names
from actors.exchange_gateway import ExchangeGateway
from aegis.clock import ManualClock
from aegis.dialogue import (
    HELD_BACK,
    KEY_DENIED,
    AccountFetched,
    BalanceFetched,
    CancelAccepted,
    CancelOrder,
    ExchangeAnswer,
    ExchangeReplied,
    ExchangeRequest,
    FetchAccount,
    FetchBalance,
    FetchInstruments,
    FetchQuote,
    FindOrder,
    InstrumentsFetched,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    QuoteFetched,
    RequestRefused,
)
from aegis.domain.account import TradingState
from aegis.domain.commands import (
    AcceptOrder,
    AskForHuman,
    ChangeInstrument,
    ChangeTradingState,
    EndOrder,
    LoseSight,
    Reading,
    RecordFills,
    Refusal,
    RequestCancel,
    SubmitOrder,
)
from aegis.domain.ids import ExchangeOrderId, Instant, TradeId
from aegis.domain.order import Order, OrderState, OrderStep
from aegis.domain.venue import VenueAccount, VenueOrderStatus, VenueTrade
from aegis.exchange.lookout import (
    FAILURES_TO_OPEN,
    LISTING_EACH_S,
    LISTING_FIRST_S,
    UNTRADED_S,
    Breaker,
    Patience,
)
from aegis.exchange.outcomes import CLOCKS_APART_S_MAX, LOOK_AFTER_S_LOST_MAX
from aegis.messages import (
    AccountRead,
    BalanceRead,
    DiagnoseNow,
    InstrumentsKnown,
    InstrumentsWanted,
    QuoteRead,
    ReadAccount,
    ReadBalance,
    ReadBook,
    ReadInstruments,
    ReadQuote,
    ReconcileNow,
)
from supervisors.seeded import SeededRuntime
from tests.actors.ensemble import Ensemble, tick
from tests.domain.kit import (
    BTC_USDT,
    START,
    USDT,
    Desk,
    end,
    entry,
    exit_of,
    fill,
    halt,
    instrument,
    quote,
    resume,
    seconds,
    stop_at_exchange,
    submit,
)
from tests.domain.shown import shown
from tests.stage import Stage

GATEWAY = names.EXCHANGE_GATEWAY
R = TypeVar("R")
SILENCE = NoAnswer(reason="timed out")
BARRIER_S = 20


class Venue:
    """An exchange that notes what it is asked, and answers when a test says so."""

    def __init__(self) -> None:
        self.asked: list[ExchangeRequest] = []
        self._replies: list[Callable[[ExchangeReplied], None]] = []
        self.held: str | None = None

    def submit(self, request: ExchangeRequest, reply_to: Callable[[ExchangeReplied], None]) -> None:
        self.asked.append(request)
        self._replies.append(reply_to)

    def hold(self) -> str | None:
        return self.held

    def vitals(self) -> None:
        return None

    def of(self, kind: type[R]) -> list[R]:
        return [request for request in list(self.asked) if isinstance(request, kind)]

    def answer(self, kind: type[R], answer: ExchangeAnswer) -> None:
        """Answer the eldest request of a type that was not answered yet."""
        place = next(i for i, request in enumerate(self.asked) if isinstance(request, kind))
        request, reply_to = self.asked.pop(place), self._replies.pop(place)
        reply_to(ExchangeReplied(request=request, answer=answer))


class Scene(Ensemble):
    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.venue = Venue()

    def begin(self, *, poll_interval_s: float = 2.0, listing_each_s: float | None = None) -> Scene:
        patience = Patience(
            poll_interval_s=poll_interval_s,
            stale_after_s=30.0,
            barrier_s=BARRIER_S,
            listing_each_s=listing_each_s,
        )
        build = partial(
            ExchangeGateway, exchange=self.venue, symbols=(BTC_USDT,), patience=patience
        )
        self.stage.launch(GATEWAY, build)
        self.wait_heard(names.POSITION_STORE, ReadBook)
        self.show_book(GATEWAY)
        return self

    def wait_asked(self, kind: type[R], count: int = 1) -> list[R]:
        self.stage.wait_for(lambda: len(self.venue.of(kind)) >= count)
        return self.venue.of(kind)

    def submitted(self, order: Order) -> Order:
        """Lead an order to its PlaceOrder, as store and gateway do together."""
        after = self.desk.book.last_event_id
        self.desk.intended(order)
        self.publish_new(GATEWAY, after)
        submit, *_ = self.wait_command(SubmitOrder)
        records = self.publish(GATEWAY, submit)
        self.answer(GATEWAY, submit, records)
        self.wait_asked(PlaceOrder)
        return order

    def unknown(self, order: Order) -> Order:
        """Lead an order out of sight, to its first look-up."""
        self.submitted(order)
        self.venue.answer(PlaceOrder, SILENCE)
        (lost,) = self.wait_command(LoseSight)
        self.publish(GATEWAY, lost)
        self.wait_asked(FindOrder)
        return order

    def accepted(self, order: Order) -> Order:
        self.submitted(order)
        self.venue.answer(PlaceOrder, placed(order))
        (accept,) = self.wait_command(AcceptOrder)
        self.publish(GATEWAY, accept)
        self.wait_asked(FindOrder)
        return order


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


def placed(order: Order) -> OrderPlaced:
    return OrderPlaced(
        client_order_id=order.client_order_id, exchange_order_id=ExchangeOrderId("x-1")
    )


def trade(order: Order, amount: str, trade_id: str = "t-1") -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId(trade_id),
        exchange_order_id=ExchangeOrderId("x-1"),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        amount=Decimal(amount),
        price=Decimal(100),
        fee=Decimal(0),
        fee_currency=USDT,
        liquidity="taker",
        at=START,
    )


def found(order: Order, status: VenueOrderStatus, filled: str = "0") -> OrderFound:
    trades = () if filled == "0" else (trade(order, filled),)
    return OrderFound(order=shown(order, status=status, filled=Decimal(filled)), trades=trades)


def not_found(order: Order, after_s: int = 0) -> OrderNotFound:
    as_of = Instant(START + seconds(after_s))
    return OrderNotFound(client_order_id=order.client_order_id, as_of=as_of)


FAR_BACK = Instant(START - seconds(CLOCKS_APART_S_MAX))


def account(as_of_s: int, *trades: VenueTrade, since: Instant = FAR_BACK) -> AccountFetched:
    return AccountFetched(
        account=VenueAccount(
            balances={USDT: Decimal(10_000)},
            open_orders=(),
            trades=trades,
            trades_since=since,
            as_of=Instant(START + seconds(as_of_s)),
        )
    )


# Sending --------------------------------------------------------------------------------------


def test_an_intent_asks_leave_with_the_last_price_seen(scene: Scene) -> None:
    scene.begin()
    scene.tell(GATEWAY, tick("100"))
    after = scene.desk.book.last_event_id
    scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)

    (submit,) = scene.wait_command(SubmitOrder)
    assert submit.quote is not None
    assert (submit.quote.bid, submit.hold) == (Decimal(100), None)


def test_an_intent_without_a_price_asks_leave_without_one(scene: Scene) -> None:
    scene.begin()
    after = scene.desk.book.last_event_id
    scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)

    (submit,) = scene.wait_command(SubmitOrder)
    assert submit.quote is None


def test_why_the_line_wants_entries_to_wait_is_told_the_store(scene: Scene) -> None:
    scene.begin().venue.held = "the clocks are 12 s apart"
    after = scene.desk.book.last_event_id
    scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)

    (submit,) = scene.wait_command(SubmitOrder)
    assert submit.hold == "the clocks are 12 s apart"


@pytest.mark.parametrize("code", [HELD_BACK, KEY_DENIED])
def test_what_never_left_ends_an_exit_and_leaves_no_doubt(scene: Scene, code: str) -> None:
    scene.desk.holding()
    scene.begin().tell(GATEWAY, tick("100"))
    scene.submitted(exit_of(scene.desk.position()))
    scene.venue.answer(PlaceOrder, RequestRefused(code=code, reason="a reason"))

    (ended,) = scene.wait_command(EndOrder)
    assert (ended.step, ended.reason) == (OrderStep.REJECT, f"{code}: a reason")
    assert scene.heard(names.RECONCILER, ReconcileNow) == []


def test_a_look_up_that_was_held_back_is_made_again(scene: Scene) -> None:
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    scene.venue.answer(FindOrder, RequestRefused(code=HELD_BACK, reason="no budget"))

    (again,) = scene.wait_asked(FindOrder)
    assert again.client_order_id == order.client_order_id


def test_a_denied_key_halts_entries_once(scene: Scene) -> None:
    denied = RequestRefused(code=KEY_DENIED, reason="revoked")
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    scene.accepted(entry())
    for _ in range(3):
        scene.wait_asked(FindOrder)
        scene.venue.answer(FindOrder, denied)
    scene.wait_asked(FindOrder)

    (halted,) = scene.commands(ChangeTradingState)
    assert (halted.state, halted.cause) == (TradingState.REDUCING, "key_denied")


def test_a_key_that_is_still_denied_after_a_resume_halts_again(scene: Scene) -> None:
    denied = RequestRefused(code=KEY_DENIED, reason="revoked")
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    scene.accepted(entry())
    for count in (1, 2):
        scene.wait_asked(FindOrder)
        scene.venue.answer(FindOrder, denied)
        scene.wait_command(ChangeTradingState, count=count)
        scene.publish(GATEWAY, halt("key_denied"), resume())


def test_a_key_that_is_denied_again_after_it_worked_halts_again(scene: Scene) -> None:
    denied = RequestRefused(code=KEY_DENIED, reason="revoked")
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    for answer in (denied, found(order, VenueOrderStatus.OPEN), denied):
        scene.wait_asked(FindOrder)
        scene.venue.answer(FindOrder, answer)

    scene.wait_command(ChangeTradingState, count=2)


def test_an_order_is_sent_only_with_its_submission_in_hand(scene: Scene) -> None:
    scene.begin()
    scene.tell(GATEWAY, tick("100"))
    after = scene.desk.book.last_event_id
    order = scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)
    (submit,) = scene.wait_command(SubmitOrder)
    assert scene.venue.of(PlaceOrder) == []

    scene.answer(GATEWAY, submit, scene.publish(GATEWAY, submit))

    (sent,) = scene.wait_asked(PlaceOrder)
    assert sent.client_order_id == order.client_order_id


def test_a_submission_known_already_sends_nothing(scene: Scene) -> None:
    scene.begin()
    scene.tell(GATEWAY, tick("100"))
    order = scene.submitted(entry())
    (submit,) = scene.commands(SubmitOrder)

    scene.answer(GATEWAY, submit)
    scene.settle(GATEWAY)

    assert len(scene.venue.of(PlaceOrder)) == 1
    assert scene.desk.order(order).state is OrderState.SUBMITTING


def test_a_refusal_of_the_exchange_rejects_the_order(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    scene.submitted(entry())
    scene.venue.answer(PlaceOrder, RequestRefused(code="insufficient_funds", reason="no money"))

    (ended,) = scene.wait_command(EndOrder)
    assert (ended.step, ended.reason) == (OrderStep.REJECT, "insufficient_funds: no money")


@pytest.mark.parametrize("answer", [SILENCE, RequestRefused(code="duplicate_id", reason="known")])
def test_no_definite_answer_is_an_unknown_outcome(scene: Scene, answer: ExchangeAnswer) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    scene.submitted(entry())
    scene.venue.answer(PlaceOrder, answer)

    scene.wait_command(LoseSight)
    (asked,) = scene.wait_heard(names.RECONCILER, ReconcileNow)
    assert asked.trigger == "unknown outcome"


# Looking --------------------------------------------------------------------------------------


def test_an_accepted_order_is_looked_up_and_its_fills_are_booked(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    scene.venue.answer(FindOrder, found(order, VenueOrderStatus.FILLED, "1"))

    (fills,) = scene.wait_command(RecordFills)
    assert [fill.trade_id for fill in fills.fills] == ["t-1"]


def test_an_open_order_is_looked_at_again(scene: Scene) -> None:
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    for _ in range(3):
        scene.wait_asked(FindOrder)
        scene.venue.answer(FindOrder, found(order, VenueOrderStatus.OPEN))

    scene.wait_asked(FindOrder)


def test_an_order_that_is_over_and_filled_less_than_was_asked_ends_with_that(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.accepted(entry("2"))
    scene.venue.answer(FindOrder, found(order, VenueOrderStatus.FILLED, "1"))

    assert scene.wait_command(RecordFills)[0].fills[0].amount == 1
    (ended,) = scene.wait_command(EndOrder)
    assert (ended.step, ended.filled) == (OrderStep.CANCEL, Decimal(1))


def test_a_fill_that_is_booked_already_is_not_told_again(scene: Scene) -> None:
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    partly = found(order, VenueOrderStatus.OPEN, "0.4")
    scene.venue.answer(FindOrder, partly)
    (fills,) = scene.wait_command(RecordFills)
    scene.publish(GATEWAY, fills)
    scene.wait_asked(FindOrder)
    scene.venue.answer(FindOrder, partly)
    scene.wait_asked(FindOrder)

    assert len(scene.commands(RecordFills)) == 1


def test_an_unknown_order_that_is_found_is_adopted(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    scene.venue.answer(FindOrder, found(order, VenueOrderStatus.FILLED, "1"))

    (accept,) = scene.wait_command(AcceptOrder)
    assert accept.exchange_order_id == "x-1"
    scene.wait_command(RecordFills)


def test_an_unknown_entry_is_called_off_at_once_though_a_look_went_unanswered(
    scene: Scene,
) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    scene.venue.answer(FindOrder, SILENCE)
    scene.wait_asked(FindOrder)
    scene.venue.answer(FindOrder, not_found(order))

    (cancel,) = scene.wait_asked(CancelOrder)
    assert cancel.client_order_id == order.client_order_id


def test_an_unknown_exit_is_never_called_off(scene: Scene) -> None:
    scene.desk.holding()
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(exit_of(scene.desk.position()))
    scene.venue.answer(FindOrder, not_found(order))
    scene.wait_asked(FindOrder)

    assert scene.venue.of(CancelOrder) == []


def test_absence_before_the_barrier_proves_nothing(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    scene.venue.answer(FindOrder, not_found(order, BARRIER_S))
    scene.wait_asked(CancelOrder)

    assert scene.venue.of(FetchAccount) == []
    assert scene.commands(EndOrder) == []


def miss(scene: Scene, order: Order, shown: AccountFetched) -> None:
    """Let a look-up past the barrier miss an order, and the account show something."""
    scene.wait_asked(FindOrder)
    scene.venue.answer(FindOrder, not_found(order, BARRIER_S + 1))
    scene.wait_asked(FetchAccount)
    scene.venue.answer(FetchAccount, shown)


def test_absence_past_the_barrier_asks_the_trades_before_it_is_proof(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    scene.venue.answer(FindOrder, not_found(order, BARRIER_S + 1))
    scene.wait_asked(FetchAccount)
    assert scene.commands(EndOrder) == []


def test_an_account_without_a_trade_is_proof_at_its_second_sighting(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    miss(scene, order, account(BARRIER_S + 2))
    scene.wait_asked(FindOrder)
    assert scene.commands(EndOrder) == []

    miss(scene, order, account(BARRIER_S + 3))

    (ended,) = scene.wait_command(EndOrder)
    assert ended.step is OrderStep.PROVE_ABSENT


def test_an_order_that_is_not_found_is_adopted_by_its_trades(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    scene.venue.answer(FindOrder, not_found(order, BARRIER_S + 1))
    scene.wait_asked(FetchAccount)
    scene.venue.answer(FetchAccount, account(BARRIER_S + 2, trade(order, "1")))

    (accept,) = scene.wait_command(AcceptOrder)
    (fills,) = scene.wait_command(RecordFills)
    assert accept.exchange_order_id == "x-1"
    assert [each.trade_id for each in fills.fills] == ["t-1"]
    assert scene.commands(EndOrder) == []


def test_an_order_older_than_all_trades_that_are_told_wants_a_person(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.unknown(entry())
    for _ in range(2):
        miss(scene, order, account(BARRIER_S + 2, since=START))

    (asked,) = scene.wait_command(AskForHuman)
    assert asked.client_order_id == order.client_order_id
    assert scene.commands(EndOrder) == []


def test_an_order_that_the_exchange_forgot_ends_as_its_trades_say(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    miss(scene, order, account(BARRIER_S + 2, trade(order, "0.4")))
    (fills,) = scene.wait_command(RecordFills)
    scene.publish(GATEWAY, fills)
    miss(scene, order, account(BARRIER_S + 2, trade(order, "0.4")))

    (ended,) = scene.wait_command(EndOrder)
    assert [each.amount for each in fills.fills] == [Decimal("0.4")]
    assert (ended.step, ended.filled) == (OrderStep.CANCEL, Decimal("0.4"))


# Cancelling -----------------------------------------------------------------------------------


def canceling(scene: Scene) -> Order:
    scene.begin(poll_interval_s=0.05).tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    scene.venue.answer(FindOrder, found(order, VenueOrderStatus.OPEN))
    wanted = RequestCancel(client_order_id=order.client_order_id, reason="test")
    scene.publish(GATEWAY, wanted)
    scene.wait_asked(CancelOrder)
    return order


def test_a_cancel_that_is_accepted_closes_nothing_by_itself(scene: Scene) -> None:
    order = canceling(scene)
    scene.venue.answer(CancelOrder, CancelAccepted(client_order_id=order.client_order_id))
    scene.wait_asked(FindOrder)
    assert scene.commands(EndOrder) == []

    scene.venue.answer(FindOrder, found(order, VenueOrderStatus.CANCELED, "0.3"))

    (ended,) = scene.wait_command(EndOrder)
    assert (ended.step, ended.filled) == (OrderStep.CANCEL, Decimal("0.3"))
    assert len(scene.commands(RecordFills)) == 1


def test_a_cancel_that_the_exchange_did_not_follow_goes_out_again(scene: Scene) -> None:
    order = canceling(scene)
    while scene.venue.of(FindOrder):
        scene.venue.answer(FindOrder, found(order, VenueOrderStatus.OPEN))
    scene.venue.answer(CancelOrder, SILENCE)
    scene.wait_asked(FindOrder)
    scene.venue.answer(FindOrder, found(order, VenueOrderStatus.OPEN))

    scene.wait_asked(CancelOrder)


def test_a_halt_leaves_an_exit_alone(scene: Scene) -> None:
    scene.desk.holding()
    scene.desk.accepted(exit_of(scene.desk.position()))
    scene.begin()
    scene.publish(GATEWAY, halt())
    scene.settle(GATEWAY)

    assert scene.commands(RequestCancel) == []


def test_a_canary_that_is_over_leaves_its_open_entry_to_fill(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    scene.accepted(entry())
    scene.publish(GATEWAY, halt("canary"))
    scene.settle(GATEWAY)

    assert scene.commands(RequestCancel) == []


def test_a_halt_cancels_an_open_entry(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, tick("100"))
    order = scene.accepted(entry())
    scene.publish(GATEWAY, halt())

    (cancel,) = scene.wait_command(RequestCancel)
    assert cancel.client_order_id == order.client_order_id


# Beginning ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("leads_to", "expected"),
    [
        (Desk.intended, EndOrder),
        (Desk.submitted, LoseSight),
    ],
)
def test_what_an_earlier_life_left_unfinished_is_finished_first(
    scene: Scene, leads_to: Callable[[Desk, Order], Order], expected: type[EndOrder | LoseSight]
) -> None:
    order = leads_to(scene.desk, entry())
    scene.begin()

    (command,) = scene.wait_command(expected)
    assert command.client_order_id == order.client_order_id
    assert scene.venue.of(PlaceOrder) == []


@pytest.mark.parametrize("leads_to", [Desk.accepted, Desk.unknown])
def test_an_order_of_an_earlier_life_is_looked_up(
    scene: Scene, leads_to: Callable[[Desk, Order], Order]
) -> None:
    order = leads_to(scene.desk, entry())
    scene.begin()

    (find,) = scene.wait_asked(FindOrder)
    assert find.client_order_id == order.client_order_id


def test_a_hole_in_what_it_follows_makes_it_read_the_book_anew(scene: Scene) -> None:
    scene.begin()
    scene.desk.intended(entry())
    scene.publish(GATEWAY, halt())

    scene.wait_heard(names.POSITION_STORE, ReadBook, 2)


# The rest -------------------------------------------------------------------------------------


def test_an_account_is_read_after_each_order_in_doubt_was_looked_up(scene: Scene) -> None:
    scene.desk.unknown(entry())
    scene.begin()
    scene.wait_asked(FindOrder)
    scene.tell(GATEWAY, ReadAccount(trades_since=Instant(0), reply_to=names.RECONCILER))
    scene.wait_asked(FetchAccount)

    kinds = [type(request) for request in scene.venue.asked]
    assert kinds.index(FindOrder) < kinds.index(FetchAccount)


def test_an_account_out_of_reach_is_told_with_the_reason(scene: Scene) -> None:
    scene.begin()
    scene.tell(GATEWAY, ReadAccount(trades_since=Instant(0), reply_to=names.RECONCILER))
    scene.wait_asked(FetchAccount)
    scene.venue.answer(FetchAccount, SILENCE)

    (read,) = scene.wait_heard(names.RECONCILER, AccountRead)
    assert (read.account, read.reason) == (None, "timed out")


def test_an_answer_to_an_earlier_life_of_who_asked_is_no_answer_to_the_next(scene: Scene) -> None:
    scene.begin()
    for since in (1, 2):
        asked = ReadAccount(trades_since=Instant(since), reply_to=names.RECONCILER)
        scene.tell(GATEWAY, asked)
    scene.wait_asked(FetchAccount, 2)
    scene.venue.answer(FetchAccount, NoAnswer(reason="of the first"))
    scene.venue.answer(FetchAccount, NoAnswer(reason="of the second"))
    scene.settle(GATEWAY)

    assert [each.reason for each in scene.heard(names.RECONCILER, AccountRead)] == ["of the second"]


def test_what_the_store_would_not_have_is_told_once_while_it_is_the_same(scene: Scene) -> None:
    scene.begin()
    order = scene.desk.accepted(entry())
    scene.show_book(GATEWAY)
    trades = (fill("t", "2"),)
    wrong = RecordFills(client_order_id=order.client_order_id, fills=trades)
    for _ in range(3):
        scene.answer(GATEWAY, wrong, refusal=Refusal(code="overfill", text="2 of 1"))
    scene.settle(GATEWAY)

    assert scene.stage.events().count("ExecutionError") == 1
    (asked,) = scene.heard(names.RECONCILER, ReconcileNow)
    assert asked.trigger == "execution error"


def test_an_order_whose_trade_the_store_would_not_have_is_looked_at_more_rarely() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime))
    order = scene.desk.accepted(entry())
    scene.begin()
    wrong = RecordFills(client_order_id=order.client_order_id, fills=(fill("t", "2"),))
    looks = 0
    for _ in range(300):
        runtime.run_for(1)
        if scene.venue.of(FindOrder):
            looks += 1
            scene.venue.answer(FindOrder, SILENCE)
            scene.answer(GATEWAY, wrong, refusal=Refusal(code="overfill", text="2 of 1"))
            later = Refusal(code="fills_missing", text="", mends_with_time=True)
            scene.answer(GATEWAY, end(order, OrderStep.CANCEL, "2"), refusal=later)
    assert 300 / LOOK_AFTER_S_LOST_MAX <= looks <= 20


def test_a_balance_is_passed_on_as_of_when_it_was_asked_for(scene: Scene) -> None:
    scene.begin()
    scene.tell(GATEWAY, ReadBalance(symbol=BTC_USDT))
    (asked,) = scene.wait_asked(FetchBalance)
    told = BalanceFetched(symbol=BTC_USDT, base=Decimal(1), quote=Decimal(2))
    scene.venue.answer(FetchBalance, told)
    (read,) = scene.wait_heard(names.GUARD, BalanceRead)
    assert read.reading == Reading(
        symbol=BTC_USDT, base=Decimal(1), quote=Decimal(2), asked_at=asked.asked_at
    )


def test_a_balance_is_asked_for_once_however_often_it_is_wanted(scene: Scene) -> None:
    scene.begin()
    for _ in range(3):
        scene.tell(GATEWAY, ReadBalance(symbol=BTC_USDT))
    scene.settle(GATEWAY)
    assert len(scene.venue.of(FetchBalance)) == 1


def test_the_leave_to_go_past_a_stop_out_of_sight_is_asked_for_with_a_balance(
    scene: Scene,
) -> None:
    held = scene.desk.holding()
    scene.desk.unknown(stop_at_exchange(held))
    leaving = scene.desk.intended(exit_of(held))
    scene.begin()
    refused = Refusal(code="stop_rests", text="it rests", mends_with_time=True)
    scene.answer(GATEWAY, submit(leaving), refusal=refused)
    scene.wait_asked(FetchBalance)
    told = BalanceFetched(symbol=BTC_USDT, base=Decimal(1), quote=Decimal(9900))
    scene.venue.answer(FetchBalance, told)
    submits = scene.wait_command(SubmitOrder)
    assert submits[-1].reading is not None


def test_instruments_are_asked_for_again_until_they_are_known(scene: Scene) -> None:
    scene.begin(poll_interval_s=0.05)
    scene.tell(GATEWAY, ReadInstruments(reply_to=names.STRATEGY))
    scene.wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, SILENCE)
    scene.wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, InstrumentsFetched(instruments=(instrument(),)))

    (known,) = scene.wait_heard(names.STRATEGY, InstrumentsKnown)
    assert known.instruments == (instrument(),)


def test_who_asks_hears_of_an_exchange_that_lists_nothing_that_is_wanted(scene: Scene) -> None:
    scene.begin()
    scene.tell(GATEWAY, ReadInstruments(reply_to=names.STRATEGY))
    scene.wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, InstrumentsFetched(instruments=()))

    (known,) = scene.wait_heard(names.STRATEGY, InstrumentsKnown)
    assert known.instruments == ()


COARSER = InstrumentsFetched(instruments=(instrument(amount_step=Decimal("0.01")),))


def test_a_position_held_is_told_what_the_exchange_lists_otherwise(scene: Scene) -> None:
    held = scene.desk.holding()
    scene.begin().wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, COARSER)

    (change,) = scene.wait_command(ChangeInstrument)
    assert change.position_id == held.position_id
    assert change.instrument.amount_step == Decimal("0.01")


def test_a_position_begun_by_another_s_figures_is_told_the_exchange_s(scene: Scene) -> None:
    scene.begin().wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, COARSER)
    after = scene.desk.book.last_event_id
    scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)

    assert len(scene.wait_command(ChangeInstrument)) == 1


def test_an_exit_that_is_rejected_has_the_instruments_asked_for_again(scene: Scene) -> None:
    held = scene.desk.holding()
    scene.begin().wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, InstrumentsFetched(instruments=(instrument(),)))
    scene.submitted(exit_of(held))
    scene.venue.answer(PlaceOrder, RequestRefused(code="invalid_order", reason="off the step"))
    (rejected,) = scene.wait_command(EndOrder)
    scene.publish(GATEWAY, rejected)

    (asked,) = scene.wait_asked(FetchInstruments)
    assert asked.is_anew
    scene.venue.answer(FetchInstruments, COARSER)
    assert len(scene.wait_command(ChangeInstrument)) == 1


LISTED = InstrumentsFetched(instruments=(instrument(),))


def test_what_is_listed_is_asked_for_anew_and_a_change_is_heard_of() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime)).begin(listing_each_s=LISTING_FIRST_S)
    scene.wait_asked(FetchInstruments)
    scene.tell(GATEWAY, ReadInstruments(reply_to=names.STRATEGY))
    scene.venue.answer(FetchInstruments, LISTED)
    for answer in (LISTED, InstrumentsFetched(instruments=())):
        runtime.run_for(LISTING_FIRST_S)
        (asked,) = scene.wait_asked(FetchInstruments)
        assert asked.is_anew
        assert scene.heard(names.DIAGNOSTICIAN, DiagnoseNow) == []
        scene.venue.answer(FetchInstruments, answer)

    scene.wait_heard(names.DIAGNOSTICIAN, DiagnoseNow)
    first, second = scene.wait_heard(names.STRATEGY, InstrumentsKnown, 2)
    assert (first.instruments, second.instruments) == (LISTED.instruments, ())


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        (LISTED, 0),
        (InstrumentsFetched(instruments=()), 1),
        (InstrumentsFetched(instruments=(instrument(is_active=False),)), 1),
    ],
)
def test_what_is_not_traded_is_asked_for_sooner(told: InstrumentsFetched, asked: int) -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime)).begin(listing_each_s=LISTING_EACH_S)
    scene.wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, told)
    runtime.run_for(LISTING_FIRST_S)
    scene.venue.answer(FetchInstruments, told)
    runtime.run_for(UNTRADED_S + 1)
    assert len(scene.venue.of(FetchInstruments)) == asked
    runtime.run_for(LISTING_EACH_S - UNTRADED_S)
    assert len(scene.venue.of(FetchInstruments)) == 1


def test_what_was_asked_anew_in_vain_is_asked_anew_once_before_the_hour_is_over() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime)).begin(listing_each_s=LISTING_EACH_S)
    scene.wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, LISTED)
    runtime.run_for(LISTING_FIRST_S)
    scene.venue.answer(FetchInstruments, SILENCE)
    runtime.run_for(UNTRADED_S - 1)
    assert scene.venue.of(FetchInstruments) == []
    runtime.run_for(2)
    (asked,) = scene.venue.of(FetchInstruments)
    assert asked.is_anew


def test_however_often_it_was_told_what_is_listed_is_asked_for_once_an_hour() -> None:
    runtime = SeededRuntime(ManualClock(START), 1)
    scene = Scene(Stage(runtime)).begin(listing_each_s=LISTING_EACH_S)
    for _ in range(3):
        scene.tell(GATEWAY, InstrumentsWanted(is_anew=True))
    scene.wait_asked(FetchInstruments, 4)
    for _ in range(4):
        scene.venue.answer(FetchInstruments, LISTED)
    runtime.run_for(LISTING_EACH_S + 1)
    assert len(scene.venue.of(FetchInstruments)) == 1


def test_a_price_that_guard_asks_for_comes_from_the_exchange(scene: Scene) -> None:
    scene.begin().tell(GATEWAY, ReadQuote(symbol=BTC_USDT))
    scene.wait_asked(FetchQuote)
    scene.venue.answer(FetchQuote, told_after(30))

    assert scene.wait_heard(names.GUARD, QuoteRead)[0].quote == quote("97")


def told_after(after_s: int) -> QuoteFetched:
    """Return what an exchange tells so many seconds after its last price."""
    as_of = Instant(START + seconds(after_s))
    return QuoteFetched(symbol=BTC_USDT, quote=quote("97"), as_of=as_of)


@pytest.mark.parametrize("after_s", [31, -6])
def test_a_price_of_another_time_is_neither_told_nor_entered_at(scene: Scene, after_s: int) -> None:
    scene.begin().tell(GATEWAY, ReadQuote(symbol=BTC_USDT))
    scene.wait_asked(FetchQuote)
    scene.venue.answer(FetchQuote, told_after(after_s))
    scene.stage.wait_for(lambda: "TickRefused" in scene.stage.events())
    assert scene.heard(names.GUARD, QuoteRead) == []

    after = scene.desk.book.last_event_id
    scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)
    assert scene.wait_command(SubmitOrder)[0].quote is None


def test_silence_often_enough_opens_the_breaker_and_one_answer_closes_it(scene: Scene) -> None:
    scene.begin(poll_interval_s=0.02)
    for _ in range(FAILURES_TO_OPEN):
        scene.wait_asked(FetchInstruments)
        scene.venue.answer(FetchInstruments, SILENCE)
    scene.stage.wait_for(lambda: "BreakerOpened" in scene.stage.events())
    after = scene.desk.book.last_event_id
    scene.desk.intended(entry())
    scene.publish_new(GATEWAY, after)
    (submit,) = scene.wait_command(SubmitOrder)
    assert submit.hold == "the exchange left 5 requests in a row unanswered"

    scene.wait_asked(FetchInstruments)
    scene.venue.answer(FetchInstruments, InstrumentsFetched(instruments=(instrument(),)))
    scene.stage.wait_for(lambda: "BreakerClosed" in scene.stage.events())


def test_what_never_left_neither_opens_the_breaker_nor_closes_it() -> None:
    breaker, held_back = Breaker(), RequestRefused(code=HELD_BACK, reason="no budget")
    for _ in range(FAILURES_TO_OPEN):
        breaker.count(held_back)
        assert breaker.hold is None
        breaker.count(SILENCE)
    breaker.count(held_back)
    assert breaker.hold is not None


def test_a_port_that_raises_ends_the_gateway_and_nothing_else(scene: Scene) -> None:
    def broken(_request: ExchangeRequest, _reply_to: object) -> None:
        raise OSError("no network")

    scene.begin()
    scene.wait_asked(FetchInstruments)
    scene.venue.submit = broken  # type: ignore[method-assign,assignment]
    scene.tell(GATEWAY, ReadAccount(trades_since=Instant(0), reply_to=names.RECONCILER))

    scene.stage.wait_for(lambda: "ActorDied" in scene.stage.events())


def test_orders_carry_what_the_intent_said(scene: Scene) -> None:
    scene.desk.holding()
    scene.begin().tell(GATEWAY, tick("97"))
    wanted = exit_of(scene.desk.position(), None, "98", trigger_price=Decimal(98))
    scene.submitted(wanted)

    (sent,) = scene.wait_asked(PlaceOrder)
    said = msgspec.structs.asdict(sent)
    same = ("client_order_id", "symbol", "side", "type", "amount", "price", "trigger_price")
    assert [said[name] for name in same] == [getattr(wanted, name) for name in same]
    assert said["reduce_only"] is True
