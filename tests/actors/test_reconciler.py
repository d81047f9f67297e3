"""The Reconciler: one run at a time, two looks, and healed only what the store took."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest
from msgspec.structs import replace

from actors import names
from actors.reconciler import REFUSED_REST_S, Reconciler
from actors.turns import WATCH
from aegis.domain.commands import (
    AcceptOrder,
    CompleteReconciliation,
    RecordExternalChange,
    RecordFills,
    Refusal,
    StartBalances,
)
from aegis.domain.events import Discrepancy
from aegis.domain.ids import Coin, ExchangeOrderId, Generation, Instant, TradeId
from aegis.domain.order import OrderStep, Side
from aegis.domain.reconcile import EXIT_REFUSED
from aegis.domain.venue import VenueAccount, VenueTrade
from aegis.messages import (
    AccountRead,
    KnownRead,
    ReadAccount,
    ReadBook,
    ReadKnown,
    ReconcileNow,
    ReconciliationReported,
)
from supervisors.runtime import SeededRuntime
from tests.actors.ensemble import Ensemble
from tests.domain.kit import BTC_USDT, LIMITS, START, TAG, USDT, Desk, entry, seconds
from tests.stage import Stage

ME = names.RECONCILER
ASKER = names.COMMAND_LISTENER
PEACE = {USDT: Decimal(10_000)}
DEPOSIT = {**PEACE, Coin("ETH"): Decimal(3)}
BOTH = {USDT: Decimal(9_800), Coin("BTC"): Decimal(2)}
BOUGHT = {USDT: Decimal(9_900), Coin("BTC"): Decimal(1)}


class Scene(Ensemble):
    def begin(
        self,
        *,
        is_healing: bool = True,
        interval_s: float = 3600,
        gives_up: bool = False,
        lag_s: float = 0.0,
    ) -> Scene:
        build = partial(
            Reconciler,
            tag=TAG,
            limits=LIMITS,
            interval_s=interval_s,
            is_healing=is_healing,
            gives_up=gives_up,
            lag_s=lag_s,
        )
        self.stage.launch(ME, build)
        return self

    def look(
        self,
        balances: dict[Coin, Decimal],
        *trades: VenueTrade,
        number: int = 1,
        as_of: Instant = START,
    ) -> ReadAccount:
        """Play store and gateway through one look at the account, the number-th of its run."""
        self.wait_heard(names.POSITION_STORE, ReadBook, number)
        self.show_book(ME)
        *_, asked = self.wait_heard(names.EXCHANGE_GATEWAY, ReadAccount, number)
        named = len(self.heard(names.POSITION_STORE, ReadKnown))
        self.show_account(balances, *trades, as_of=as_of)
        self.wait_heard(names.POSITION_STORE, ReadKnown, named + 1)
        self.show_orders()
        return asked

    def show_account(
        self, balances: dict[Coin, Decimal], *trades: VenueTrade, as_of: Instant = START
    ) -> None:
        account = VenueAccount(
            balances=balances, open_orders=(), trades=trades, trades_since=START, as_of=as_of
        )
        self.tell(ME, AccountRead(account=account, reason=""))

    def show_orders(self) -> None:
        self.tell(ME, KnownRead(book=self.desk.book.copy(), fills={}))

    def completed(self, number: int = 1) -> CompleteReconciliation:
        """Wait for the number-th run's completion, take it, and return it."""
        command = self.wait_command(CompleteReconciliation, number)[number - 1]
        self.answer(ME, command)
        return command


@pytest.fixture
def scene(seeded_stage: Stage) -> Scene:
    return Scene(seeded_stage)


def test_it_reconciles_at_its_start(stage: Stage) -> None:
    scene = Scene(stage)
    scene.begin().look(PEACE)

    completed = scene.completed()
    assert (completed.trigger, completed.generation) == ("start", 1)
    assert completed.discrepancies == ()


def test_balances_never_seen_are_taken_as_the_start(stage: Stage) -> None:
    scene = Scene(stage, Desk())
    scene.begin().look(PEACE)

    (started,) = scene.wait_command(StartBalances)
    assert started.balances == PEACE


def test_a_first_look_that_differs_is_followed_by_a_second(scene: Scene) -> None:
    scene.begin().look(DEPOSIT)
    scene.look(PEACE, number=2)

    assert scene.completed().discrepancies == ()
    assert scene.commands(RecordExternalChange) == []


def test_what_both_looks_saw_is_healed(scene: Scene) -> None:
    scene.begin().look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    (change,) = scene.wait_command(RecordExternalChange)
    scene.take(ME, change)

    (found,) = scene.completed().discrepancies
    assert (found.kind, found.subject, found.is_healed) == ("external", "ETH", True)


def test_a_change_that_the_store_had_no_use_for_is_not_called_recorded(scene: Scene) -> None:
    scene.begin().look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    (change,) = scene.wait_command(RecordExternalChange)
    scene.answer(ME, change)

    (found,) = scene.completed().discrepancies
    assert not found.is_healed
    assert "the books moved meanwhile" in found.action


def test_a_heal_that_the_store_refused_is_not_called_healed(scene: Scene) -> None:
    scene.begin().look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    (change,) = scene.wait_command(RecordExternalChange)
    scene.answer(ME, change, refusal=Refusal(code="no", text="no"))

    (found,) = scene.completed().discrepancies
    assert not found.is_healed
    assert "HealRefused" in scene.stage.events()


def test_nothing_is_completed_before_the_heal_is_answered(scene: Scene) -> None:
    scene.begin().look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    scene.wait_command(RecordExternalChange)
    scene.settle(ME)

    assert scene.commands(CompleteReconciliation) == []


def test_without_healing_it_only_reports(scene: Scene) -> None:
    scene.begin(is_healing=False).look(DEPOSIT)
    scene.look(DEPOSIT, number=2)

    (found,) = scene.completed().discrepancies
    assert not found.is_healed
    assert scene.commands(RecordExternalChange) == []


def test_a_fill_that_the_store_lacks_is_booked(scene: Scene) -> None:
    order = scene.desk.unknown(entry())
    trade = VenueTrade(
        trade_id=TradeId("t-9"),
        exchange_order_id=ExchangeOrderId("x-9"),
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        amount=order.amount,
        price=Decimal(100),
        fee=Decimal(0),
        fee_currency=USDT,
        liquidity="taker",
        at=START,
    )
    scene.begin().look(BOUGHT, trade)
    scene.look(BOUGHT, trade, number=2)
    (accept,), (fills,) = scene.wait_command(AcceptOrder), scene.wait_command(RecordFills)
    scene.answer(ME, accept)
    scene.answer(ME, fills)

    (found,) = scene.completed().discrepancies
    assert (found.kind, found.is_healed) == ("ghost", True)


def test_an_account_out_of_reach_is_asked_for_again(scene: Scene) -> None:
    scene.begin()
    scene.wait_heard(names.POSITION_STORE, ReadBook)
    scene.show_book(ME)
    scene.wait_heard(names.EXCHANGE_GATEWAY, ReadAccount)
    scene.tell(ME, AccountRead(account=None, reason="timed out"))

    scene.look(PEACE, number=2)

    assert scene.completed().discrepancies == ()
    assert scene.stage.events().count("ReconciliationWaiting") == 1


def test_an_answer_that_comes_twice_is_judged_once(scene: Scene) -> None:
    scene.begin().look(PEACE)
    scene.show_account(DEPOSIT)
    scene.show_orders()
    scene.completed()
    scene.show_orders()
    scene.settle(ME)

    assert len(scene.commands(CompleteReconciliation)) == 1


def test_trades_are_asked_for_from_well_before_the_last_reconciliation(scene: Scene) -> None:
    scene.desk.waits(7200)
    scene.desk.does(_completion())
    asked = scene.begin().look(PEACE)

    assert asked.trades_since == Instant(START + seconds(3600))


def orphan() -> VenueTrade:
    """A trade of an order that nobody here knows."""
    return VenueTrade(
        trade_id=TradeId("t-9"),
        exchange_order_id=ExchangeOrderId("x-9"),
        client_order_id=TAG + "0" * 24,
        symbol=BTC_USDT,
        side=Side.BUY,
        amount=Decimal(1),
        price=Decimal(100),
        fee=Decimal(0),
        fee_currency=USDT,
        liquidity="taker",
        at=START,
    )


def test_a_trade_that_stands_stays_in_sight_however_often_it_is_looked_at(scene: Scene) -> None:
    scene.desk.waits(7200)
    asked = scene.begin().look(PEACE, orphan())
    assert asked.trades_since == 0  # no beginning is known: it tells of the last day
    scene.look(PEACE, orphan(), number=2)
    scene.completed()
    for number in (3, 4):
        scene.desk.waits(7200)
        scene.tell(ME, WATCH)
        asked = scene.look(PEACE, orphan(), number=number, as_of=scene.desk.now)
        assert asked.trades_since == START


def test_a_life_that_begins_with_something_for_a_person_reads_days_more(scene: Scene) -> None:
    scene.desk.waits(30 * 86_400)
    scene.desk.does(_completion(THERE))
    asked = scene.begin().look(PEACE, orphan())
    assert asked.trades_since == START + seconds(23 * 86_400 - 3600)


def test_what_stood_and_can_be_healed_at_last_is_healed_by_a_look_for_others(
    scene: Scene,
) -> None:
    given_up = scene.desk.unknown(entry())
    scene.desk.ends(given_up, OrderStep.PROVE_ABSENT)
    scene.desk.waits(60)
    scene.desk.holding()
    late = replace(orphan(), client_order_id=given_up.client_order_id)
    scene.desk.recall(given_up.position_id)
    scene.begin().look(BOTH, late)
    scene.look(BOTH, late, number=2)
    assert not scene.completed().discrepancies[0].is_healed

    scene.desk.left()
    scene.desk.recall(given_up.position_id)
    scene.tell(ME, WATCH)
    scene.look(BOUGHT, late, number=3)
    assert len(scene.wait_command(RecordFills)) == 1


def test_a_person_s_run_waits_for_the_one_under_way_and_is_reported(scene: Scene) -> None:
    scene.begin()
    scene.tell(ME, ReconcileNow(trigger="operator", reply_to=ASKER, token=7))
    scene.look(PEACE)
    scene.completed()
    scene.look(PEACE, number=2)
    assert scene.completed(2).trigger == "operator"

    (report,) = scene.wait_heard(ASKER, ReconciliationReported)
    assert (report.token, report.discrepancies) == (7, ())


def test_a_dry_run_heals_nothing_and_starts_no_balances(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage, Desk())
    scene.begin().look(PEACE)
    scene.completed()
    scene.tell(ME, ReconcileNow(trigger="operator", is_dry_run=True, reply_to=ASKER))
    scene.look(DEPOSIT, number=2)

    assert scene.completed(2).is_dry_run
    assert len(scene.commands(StartBalances)) == 1
    assert scene.commands(RecordExternalChange) == []


def test_of_many_that_ask_for_a_run_meanwhile_one_comes(scene: Scene) -> None:
    scene.begin()
    for _ in range(5):
        scene.tell(ME, ReconcileNow(trigger="unknown outcome"))
    scene.look(PEACE)
    scene.completed()
    scene.look(PEACE, number=2)
    scene.completed(2)
    scene.settle(ME)

    assert len(scene.heard(names.POSITION_STORE, ReadBook)) == 2


def test_a_look_for_others_leaves_no_word_where_nothing_differs(scene: Scene) -> None:
    scene.begin().look(PEACE)
    scene.completed()
    scene.tell(ME, WATCH)
    scene.look(PEACE, number=2)
    scene.settle(ME)

    assert len(scene.commands(CompleteReconciliation)) == 1


def test_a_look_for_others_tells_what_two_looks_saw_and_only_once(scene: Scene) -> None:
    scene.begin(is_healing=False).look(PEACE)
    scene.completed()
    scene.tell(ME, WATCH)
    scene.look(DEPOSIT, number=2)
    scene.look(DEPOSIT, number=3)
    assert [each.subject for each in scene.completed(2).discrepancies] == ["ETH"]

    scene.tell(ME, WATCH)
    scene.look(DEPOSIT, number=4)
    scene.settle(ME)

    assert len(scene.commands(CompleteReconciliation)) == 2
    assert len(scene.heard(names.POSITION_STORE, ReadBook)) == 4


def test_a_look_for_others_tells_that_what_stood_is_gone(scene: Scene) -> None:
    scene.begin(is_healing=False).look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    assert scene.completed().discrepancies
    scene.tell(ME, WATCH)
    scene.look(PEACE, number=3)

    assert scene.completed(2).discrepancies == ()


def test_a_look_for_others_is_given_up_where_the_exchange_does_not_answer(scene: Scene) -> None:
    scene.begin().look(PEACE)
    scene.completed()
    scene.tell(ME, WATCH)
    scene.wait_heard(names.POSITION_STORE, ReadBook, 2)
    scene.show_book(ME)
    scene.wait_heard(names.EXCHANGE_GATEWAY, ReadAccount, 2)
    scene.tell(ME, AccountRead(account=None, reason="timed out"))
    scene.tell(ME, ReconcileNow(trigger="operator"))
    scene.look(PEACE, number=3)

    assert scene.completed(2).trigger == "operator"
    assert "ReconciliationWaiting" not in scene.stage.events()


def test_a_person_is_told_at_the_second_look_that_the_account_cannot_be_read(
    scene: Scene,
) -> None:
    scene.begin(gives_up=True)
    scene.tell(ME, ReconcileNow(trigger="operator", reply_to=ASKER, token=7))
    for number in (1, 2):
        scene.wait_heard(names.POSITION_STORE, ReadBook, number)
        scene.show_book(ME)
        scene.wait_heard(names.EXCHANGE_GATEWAY, ReadAccount, number)
        assert scene.heard(ASKER, ReconciliationReported) == []
        scene.tell(ME, AccountRead(account=None, reason="key_denied: HTTP 401"))

    (report,) = scene.wait_heard(ASKER, ReconciliationReported)
    assert (report.token, report.unread) == (7, "key_denied: HTTP 401")
    scene.look(PEACE, number=3)
    assert scene.completed().trigger == "start"


OPERATOR = ReconcileNow(trigger="operator", reply_to=ASKER, token=7)
REFUSED = ReconcileNow(trigger=EXIT_REFUSED)


def test_a_person_waits_for_nobody_s_pause(scene: Scene) -> None:
    scene.begin(is_healing=False, lag_s=8).look(DEPOSIT)
    asked_s = scene.stage.runtime.clock.monotonic()
    scene.tell(ME, OPERATOR)
    scene.look(PEACE, number=2)
    assert scene.completed().trigger == "operator"
    assert scene.stage.runtime.clock.monotonic() - asked_s < 1
    scene.look(PEACE, number=3)
    assert scene.completed(2).trigger == "start"


def test_a_person_who_asked_during_a_look_does_not_wait_for_its_pause(scene: Scene) -> None:
    scene.begin(is_healing=False, lag_s=8)
    scene.tell(ME, OPERATOR)
    asked_s = scene.stage.runtime.clock.monotonic()
    scene.look(DEPOSIT)
    scene.look(PEACE, number=2)
    assert scene.completed().trigger == "operator"
    assert scene.stage.runtime.clock.monotonic() - asked_s < 1


def test_what_was_seen_long_before_takes_a_person_one_look(scene: Scene) -> None:
    scene.begin(is_healing=False, lag_s=8).look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    scene.completed()
    scene.tell(ME, OPERATOR)
    scene.look(DEPOSIT, number=3)
    assert [each.subject for each in scene.completed(2).discrepancies] == ["ETH"]


def test_a_person_s_look_does_not_shorten_what_a_lag_may_take(scene: Scene) -> None:
    scene.begin(is_healing=False, lag_s=8).look(DEPOSIT)
    began_s = scene.stage.runtime.clock.monotonic()
    scene.tell(ME, OPERATOR)
    scene.look(DEPOSIT, number=2)
    scene.look(DEPOSIT, number=3)
    assert len(scene.completed().discrepancies) == 1
    assert scene.stage.runtime.clock.monotonic() - began_s >= 8


def test_a_refused_exit_with_nothing_new_leaves_no_word_and_lets_the_next_rest(
    scene: Scene,
) -> None:
    scene.begin(is_healing=False).look(DEPOSIT)
    scene.look(DEPOSIT, number=2)
    scene.completed()
    scene.tell(ME, REFUSED)
    scene.look(DEPOSIT, number=3)
    assert isinstance(scene.stage.runtime, SeededRuntime)
    for _ in range(2):
        scene.stage.runtime.run_for(REFUSED_REST_S / 4)
        scene.tell(ME, REFUSED)
    scene.stage.runtime.run_for(REFUSED_REST_S)
    assert len(scene.heard(names.POSITION_STORE, ReadBook)) == 3

    scene.tell(ME, REFUSED)
    scene.look(PEACE, number=4)
    assert scene.completed(2).trigger == EXIT_REFUSED


THERE = Discrepancy(
    kind="ghost",
    symbol=BTC_USDT,
    subject="order",
    expected="",
    found="",
    action="",
    is_healed=False,
)


def _completion(*found: Discrepancy) -> CompleteReconciliation:
    return CompleteReconciliation(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=found,
    )
