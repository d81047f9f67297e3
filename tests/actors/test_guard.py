"""Guard: leaves when a level is crossed, once; marks, watches losses, flattens to the end."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import msgspec
import pytest

from actors import names
from actors.guard import Guard
from actors.quotes import UNPRICED_S
from aegis.domain.commands import (
    ArmStrategy,
    ChangeTradingState,
    IntendOrder,
    MarkPosition,
    Quote,
    RaiseAlarm,
    RaiseStop,
    RecordPeak,
    Refusal,
    RequestCancel,
    StartDay,
)
from aegis.domain.first_look import ALARM_AFTER_S, FRESH, WITHIN_S, FirstLook
from aegis.domain.ids import NANOS_PER_SECOND, Generation, Instant, exit_order_id
from aegis.domain.leaving import SECOND_EXIT_AFTER_S
from aegis.domain.order import OrderStep, OrderType
from aegis.domain.position import StopPolicy
from aegis.domain.sizing import Sizing
from aegis.messages import (
    BalanceRead,
    HeartbeatDue,
    QuoteRead,
    ReadBalance,
    ReadBook,
    ReadQuote,
)
from aegis.news import CandleClosed, MarketMoved
from aegis.tuning import Reconfigured, Tuning
from aegis.vitals import PricesRead, ReadVitals
from supervisors.keeper import Pulse
from supervisors.runtime import SeededRuntime
from tests.actors.ensemble import Ensemble, closed, tick
from tests.domain.kit import (
    BTC_USDT,
    INCARNATION,
    LIMITS,
    START,
    TAG,
    Desk,
    decimals,
    end,
    entry,
    exit_of,
    halt,
    orphan,
    quote,
    resume,
    seconds,
)
from tests.domain.test_restored import RESTORE, reconciled
from tests.stage import Stage

ME = names.GUARD
DAY_S = 86_400
TUNING = Tuning(
    limits=LIMITS,
    sizing=Sizing(method="notional", value=Decimal(100)),
    policy=StopPolicy(stop_loss_pct=Decimal(2)),
    day_starts_at_s=0,
    reconcile_interval_s=21_600.0,
    is_healing=True,
    diagnose_interval_s=3_600.0,
    stuck_after_days=7,
)


def long_over() -> FirstLook:
    """Return the memory of a process that has run for long."""
    return FirstLook(began_ns=-WITHIN_S * NANOS_PER_SECOND, lag_ns=0)


TRAILING = StopPolicy(stop_loss_pct=Decimal(2), trailing_stop_pct=Decimal(2))


class Scene(Ensemble):
    pulse = Pulse()

    def begin(
        self,
        *,
        heartbeat_s: float | None = None,
        day_starts_at_s: int = 0,
        feed_check_s: float | None = None,
        has_exchange_stop: bool = False,
        first_look: FirstLook | None = None,
    ) -> Scene:
        build = partial(
            Guard,
            tag=TAG,
            limits=LIMITS,
            day_starts_at_s=day_starts_at_s,
            heartbeat_s=heartbeat_s,
            feed_check_s=feed_check_s,
            pulse=self.pulse,
            spread_bps=Decimal(0),
            has_exchange_stop=has_exchange_stop,
            first_look=first_look or long_over(),
        )
        self.stage.launch(ME, build)
        self.wait_heard(names.POSITION_STORE, ReadBook)
        self.show_book(ME)
        return self

    def intends(self, number: int = 1) -> list[IntendOrder]:
        return self.wait_command(IntendOrder, number)

    def does(self, kind: type) -> list[object]:
        """Return the commands of a type, once all that was told has been handled."""
        self.settle(ME)
        return self.commands(kind)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


@pytest.fixture
def holding(scene: Scene) -> Scene:
    """Hold one coin bought at 100: stop at 98, target at 104."""
    scene.desk.holding()
    return scene


def test_it_says_at_its_start_what_it_guards(holding: Scene) -> None:
    holding.begin()
    holding.stage.wait_for(lambda: "GuardStarted" in holding.stage.events())

    ((_, fields),) = (line for line in holding.stage.logged if line[0] == "GuardStarted")
    assert fields["positions"] == [holding.desk.position().position_id]


@pytest.mark.parametrize(
    ("price", "reason", "trigger"),
    [("98", "stop_loss", 98), ("90", "stop_loss", 98), ("104", "take_profit", 104)],
)
def test_a_crossed_level_is_an_exit_of_all_that_is_held(
    holding: Scene, price: str, reason: str, trigger: int
) -> None:
    holding.begin().tell(ME, tick(price))

    (intent,) = holding.intends()
    order, position = intent.order, holding.desk.position()
    assert (order.reason, order.trigger_price) == (reason, Decimal(trigger))
    assert (order.amount, order.reduce_only) == (position.amount, True)
    assert order.client_order_id == exit_order_id(TAG, INCARNATION, position.position_id, 0)


# Before the first look ------------------------------------------------------------------------


@pytest.fixture
def fresh(seeded_stage: Stage) -> Scene:
    """Hold what `holding` does, in a process that has looked at nothing yet."""
    scene = Scene(seeded_stage)
    scene.desk.holding()
    return scene.begin(
        first_look=FirstLook(began_ns=0, lag_ns=NANOS_PER_SECOND), has_exchange_stop=True
    )


def waits(scene: Scene, seconds: float) -> None:
    """Let real time go by."""
    assert isinstance(scene.stage.runtime, SeededRuntime)
    scene.stage.runtime.run_for(seconds)


def test_an_exit_waits_for_the_first_look_and_is_told_once(fresh: Scene) -> None:
    for price in ("97", "96"):
        fresh.tell(ME, tick(price))
    waits(fresh, WITHIN_S)
    fresh.tell(ME, tick("95"))

    assert fresh.does(IntendOrder) == []
    assert fresh.stage.events().count("ExitHeldBack") == 1


@pytest.mark.parametrize(("price", "why"), [("97", {BTC_USDT: FRESH}), ("99", {})])
def test_why_an_exit_that_is_due_waits_is_told_to_who_asks(
    fresh: Scene, price: str, why: dict[str, str]
) -> None:
    fresh.tell(ME, tick(price))
    fresh.tell(ME, ReadVitals(token=1, reply_to=names.COMMAND_LISTENER))
    (told,) = fresh.wait_heard(names.COMMAND_LISTENER, PricesRead)
    assert told.waiting == why


def test_an_exit_that_an_earlier_life_sent_is_not_said_to_wait(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    scene.desk.unknown(exit_of(scene.desk.holding()))
    scene.begin(first_look=FirstLook(began_ns=0, lag_ns=NANOS_PER_SECOND))
    scene.tell(ME, tick("97"))
    waits(scene, ALARM_AFTER_S)
    scene.tell(ME, tick("97"))
    scene.tell(ME, ReadVitals(token=1, reply_to=names.COMMAND_LISTENER))
    (told,) = scene.wait_heard(names.COMMAND_LISTENER, PricesRead)

    assert told.waiting == {}
    assert "ExitHeldBack" not in scene.stage.events()
    assert scene.does(RaiseAlarm) == scene.does(IntendOrder) == []


def test_no_stop_is_placed_at_the_exchange_before_the_first_look(fresh: Scene) -> None:
    fresh.tell(ME, tick("100"))
    assert fresh.does(IntendOrder) == []


def test_after_the_first_look_the_exit_goes_with_the_next_price(fresh: Scene) -> None:
    fresh.tell(ME, tick("97"))
    fresh.publish(ME, reconciled())
    fresh.tell(ME, tick("97"))

    fresh.intends()


def test_a_dry_run_is_no_look(fresh: Scene) -> None:
    fresh.publish(ME, msgspec.structs.replace(reconciled(), is_dry_run=True))
    fresh.tell(ME, tick("97"))

    assert fresh.does(IntendOrder) == []


def test_without_a_look_the_exit_goes_when_its_time_is_over(fresh: Scene) -> None:
    fresh.tell(ME, tick("97"))
    waits(fresh, WITHIN_S + 1)
    fresh.tell(ME, tick("97"))

    fresh.intends()


def test_an_exit_that_waits_for_long_is_an_alarm_once(fresh: Scene) -> None:
    fresh.publish(ME, RESTORE)
    for _ in range(3):
        fresh.tell(ME, tick("97"))
        waits(fresh, ALARM_AFTER_S)

    (alarm,) = fresh.does(RaiseAlarm)
    assert isinstance(alarm, RaiseAlarm)
    assert (alarm.check, "restored" in alarm.text) == ("first_look", True)


def test_a_guard_that_starts_after_the_first_look_waits_for_nothing(holding: Scene) -> None:
    holding.begin(first_look=FirstLook(began_ns=1 << 100, lag_ns=0))
    holding.show_book(ME, reconciled=1)
    holding.tell(ME, tick("97"))

    holding.intends()


def test_a_guard_that_starts_later_knows_of_what_others_may_have_sold(holding: Scene) -> None:
    doubt = orphan("o", of=holding.desk.position())
    holding.desk.does(msgspec.structs.replace(reconciled(), discrepancies=(doubt,)))
    holding.begin()
    holding.show_book(ME, reconciled=1)
    holding.tell(ME, tick("97"))

    assert holding.does(IntendOrder) == []
    assert holding.stage.events().count("ExitHeldBack") == 1


def test_between_its_levels_a_position_is_left_alone(holding: Scene) -> None:
    holding.begin()
    for price in ("98.01", "100", "103.99"):
        holding.tell(ME, tick(price))

    assert holding.does(IntendOrder) == []


def test_one_trigger_is_one_exit_however_often_the_price_comes(holding: Scene) -> None:
    holding.begin()
    for price in ("97", "96", "95"):
        holding.tell(ME, tick(price))

    assert len(holding.does(IntendOrder)) == 1


def test_an_exit_that_the_store_would_not_have_is_asked_for_again(holding: Scene) -> None:
    holding.begin().tell(ME, tick("97"))
    (intent,) = holding.intends()
    holding.answer(ME, intent, refusal=Refusal(code="in_flight", text="another is under way"))
    holding.tell(ME, tick("96"))

    holding.intends(2)


def test_an_exit_that_failed_is_followed_by_the_next_after_a_pause(seeded_stage: Stage) -> None:
    holding = Scene(seeded_stage)
    holding.desk.holding()
    holding.begin()
    for price in ("99", "98.1", "97.5"):
        holding.tell(ME, tick(price))
    (intent,) = holding.intends()
    _comes_back(holding, intent)
    holding.tell(ME, tick("97"))
    holding.stage.wait_for(lambda: "ExitFailed" in holding.stage.events())
    assert len(holding.commands(IntendOrder)) == 1

    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(1)
    holding.tell(ME, tick("97"))

    _, second = holding.intends(2)
    position = holding.desk.position()
    assert second.order.client_order_id == exit_order_id(TAG, INCARNATION, position.position_id, 1)


def leaving_unseen(scene: Scene) -> Scene:
    """Return a scene whose exit is out of sight for longer than it is waited for."""
    desk = scene.desk
    desk.unknown(exit_of(desk.position()))
    desk.waits(-SECOND_EXIT_AFTER_S - 1)  # the stage's clock stands at the desk's first instant
    lost = msgspec.structs.replace(desk.book.active_orders()[0], unknown_at=desk.now)
    desk.book.keep_order(lost)
    scene.begin().tell(ME, tick("97"))
    return scene


def test_the_exchange_is_asked_for_a_balance_before_a_second_exit(holding: Scene) -> None:
    leaving_unseen(holding)
    (asked,) = holding.wait_heard(names.EXCHANGE_GATEWAY, ReadBalance)
    assert asked.symbol == BTC_USDT
    assert holding.does(IntendOrder) == []


def test_a_second_exit_goes_with_the_balance_that_lets_it(holding: Scene) -> None:
    leaving_unseen(holding)
    reading = holding.desk.reading(asked_at=START)
    holding.tell(ME, BalanceRead(reading=reading))
    (intent,) = holding.intends()
    assert intent.reading == reading


def test_no_second_exit_goes_with_a_balance_that_has_more(holding: Scene) -> None:
    leaving_unseen(holding)
    holding.tell(ME, BalanceRead(reading=holding.desk.reading(asked_at=START, base=Decimal(2))))
    assert holding.does(IntendOrder) == []


def _comes_back(scene: Scene, intent: IntendOrder, step: OrderStep = OrderStep.CANCEL) -> None:
    """Let an exit be sent, and end with nothing sold."""
    after = scene.desk.book.last_event_id
    order = scene.desk.accepted(intent.order)
    scene.desk.does(end(order, step))
    scene.publish_new(ME, after)


def test_after_a_leap_exits_go_by_wider_limits_and_then_at_market_with_an_alarm(
    holding: Scene,
) -> None:
    holding.begin()
    for number, (price, limit) in enumerate(
        [("90", "89.1"), ("80", "78.4"), ("70", None)], start=1
    ):
        holding.tell(ME, tick(price))
        intent = holding.intends(number)[-1]
        position = holding.desk.position()
        key = exit_order_id(TAG, INCARNATION, position.position_id, number - 1)
        assert intent.order.client_order_id == key
        assert intent.order.price == (None if limit is None else Decimal(limit))
        assert len(holding.commands(RaiseAlarm)) == (limit is None)
        _comes_back(holding, intent, OrderStep.EXPIRE)

    assert holding.stage.events().count("ExitUnfilled") >= 1


def test_after_a_restart_a_leap_is_one_from_the_last_mark(holding: Scene) -> None:
    holding.begin().tell(ME, asked("90"))

    (intent,) = holding.intends()
    assert intent.order.price == Decimal("89.1")


def test_what_traded_all_the_way_down_is_left_at_market(holding: Scene) -> None:
    holding.begin().tell(ME, tick("100"))
    fell = msgspec.structs.replace(tick("90").tick, start=Decimal(100))
    holding.tell(ME, MarketMoved(tick=fell, spread_bps=Decimal(0)))

    (intent,) = holding.intends()
    assert (intent.order.type, intent.order.price) == (OrderType.MARKET, None)


def test_an_exit_under_way_is_waited_for(holding: Scene) -> None:
    holding.desk.accepted(exit_of(holding.desk.position(), reason="strategy"))
    holding.begin().tell(ME, tick("97"))

    assert holding.does(IntendOrder) == []


def test_an_entry_that_still_fills_is_cancelled_first(scene: Scene) -> None:
    order = scene.desk.accepted(entry("2"))
    scene.desk.fills(order, "1")
    scene.begin().tell(ME, tick("97"))

    (intent,) = scene.intends()
    (cancel,) = scene.commands(RequestCancel)
    assert cancel.client_order_id == order.client_order_id
    assert intent.order.amount == Decimal(1)


def test_a_position_opened_later_is_guarded_too(scene: Scene) -> None:
    scene.begin()
    after = scene.desk.book.last_event_id
    scene.desk.holding()
    scene.publish_new(ME, after)
    scene.tell(ME, tick("97"))

    scene.intends()


def test_a_hole_in_what_it_follows_makes_it_read_the_book_anew(scene: Scene) -> None:
    scene.begin()
    scene.desk.holding()
    scene.publish(ME, halt())
    scene.wait_heard(names.POSITION_STORE, ReadBook, 2)
    scene.show_book(ME)
    scene.tell(ME, tick("97"))

    scene.intends()


def test_a_trailing_stop_rises_with_the_price_and_stays_where_it_is(scene: Scene) -> None:
    scene.desk.holding(policy=TRAILING)
    scene.begin().tell(ME, tick("110"))
    (raised,) = scene.wait_command(RaiseStop)
    assert raised.stop_price == Decimal("107.8")
    scene.publish(ME, raised)
    scene.tell(ME, tick("108"))

    assert len(scene.does(RaiseStop)) == 1


def test_a_closed_candle_marks_what_is_held(holding: Scene) -> None:
    holding.begin().tell(ME, closed(0, "101"))

    (mark,) = holding.wait_command(MarkPosition)
    assert mark.price == Decimal(101)


def test_a_price_that_hardly_moved_is_not_written_down(holding: Scene) -> None:
    holding.begin().tell(ME, closed(0, "100.05"))

    assert holding.does(MarkPosition) == []


def test_the_extremes_of_the_bids_since_the_last_mark_are_told_with_the_next(
    holding: Scene,
) -> None:
    holding.begin()
    for price in ("100.05", "99.95", "100"):
        holding.tell(ME, tick(price))
    holding.tell(ME, closed(0, "101"))
    holding.tell(ME, closed(1, "102"))

    first, second = holding.wait_command(MarkPosition, 2)
    assert (first.price, first.high, first.low) == decimals(101, "100.05", "99.95")
    assert (second.high, second.low) == (None, None)


def test_a_bid_far_beyond_the_extremes_is_marked_at_once(holding: Scene) -> None:
    holding.begin().tell(ME, tick("99"))

    (mark,) = holding.wait_command(MarkPosition)
    assert (mark.price, mark.high, mark.low) == decimals(99, 99, 99)
    holding.publish(ME, mark)
    holding.tell(ME, tick("98.95"))
    assert len(holding.does(MarkPosition)) == 1


def test_the_first_candle_of_a_day_begins_it(scene: Scene) -> None:
    next_day = msgspec.structs.replace(scene.desk.book.account, day_started_at=Instant(0))
    scene.desk.book.account = next_day
    scene.begin().tell(ME, closed(0))

    (day,) = scene.wait_command(StartDay)
    assert day.day_started_at % seconds(DAY_S) == 0
    assert day.equity == Decimal(10_000)


def test_a_daily_loss_halts(scene: Scene) -> None:
    _start_day_with(scene, "10200")
    scene.begin().tell(ME, closed(0))

    (halted,) = scene.wait_command(ChangeTradingState)
    assert halted.cause == "daily_loss"


def test_a_new_height_of_the_equity_is_written_down(scene: Scene) -> None:
    _start_day_with(scene, "9900")
    scene.begin().tell(ME, closed(0))

    (peak,) = scene.wait_command(RecordPeak)
    assert peak.equity == Decimal(10_000)


def test_warm_up_candles_are_not_looked_at(scene: Scene) -> None:
    _start_day_with(scene, "10200")
    candle = closed(0).candle
    scene.begin().tell(ME, CandleClosed(candle=candle, is_warmup=True))

    assert scene.does(ChangeTradingState) == []


def test_a_candle_that_nobody_heard_in_time_raises_a_trailing_stop_and_marks_nothing(
    scene: Scene,
) -> None:
    scene.desk.holding(policy=TRAILING)
    missed = CandleClosed(candle=closed(9, "110").candle, is_warmup=True)
    scene.begin().tell(ME, missed)

    (raised,) = scene.wait_command(RaiseStop)
    assert raised.stop_price == Decimal("107.8")
    assert scene.does(MarkPosition) == []


def test_a_flatten_leaves_what_is_held_and_ends_when_nothing_is(holding: Scene) -> None:
    holding.desk.does(halt("flatten", is_flattening=True))
    holding.begin().tell(ME, tick("100"))
    (intent,) = holding.intends()
    assert (intent.order.reason, intent.order.trigger_price) == ("flatten", None)
    assert holding.commands(ChangeTradingState) == []

    after = holding.desk.book.last_event_id
    holding.desk.left(reason="flatten")
    holding.publish_new(ME, after)
    holding.tell(ME, tick("100"))

    (ended,) = holding.wait_command(ChangeTradingState)
    assert (ended.cause, ended.is_flattening) == ("flatten", False)


def test_heartbeats_begin_with_the_arming_and_say_what_was_completed(holding: Scene) -> None:
    holding.begin(heartbeat_s=0.02)
    holding.tell(ME, tick("100"))
    holding.publish(ME, ArmStrategy(generation=Generation(1), strategy="test"))
    holding.stage.wait_for(lambda: holding.stage.events().count("Heartbeat") > 1)

    first, second = [f for event, f in holding.stage.logged if event == "Heartbeat"][:2]
    assert (first["is_first"], first["completed"]) == (True, 1)
    assert (second["is_first"], second["completed"]) == (False, 0)


def test_while_it_reads_the_book_anew_a_heartbeat_waits(holding: Scene) -> None:
    holding.begin(heartbeat_s=0.02)
    holding.publish(ME, ArmStrategy(generation=Generation(1), strategy="test"))
    after = holding.desk.book.last_event_id
    holding.desk.execute(halt())
    holding.desk.execute(resume())
    holding.publish_new(ME, after + 1)  # one is missing
    holding.wait_heard(names.POSITION_STORE, ReadBook, 2)
    holding.tell(ME, HeartbeatDue())

    holding.does(IntendOrder)  # it lived on


def test_before_its_book_it_does_nothing(stage: Stage) -> None:
    scene = Scene(stage, Desk().funded())
    scene.desk.holding()
    build = partial(
        Guard,
        tag=TAG,
        limits=LIMITS,
        day_starts_at_s=0,
        heartbeat_s=None,
        feed_check_s=None,
        pulse=scene.pulse,
        spread_bps=Decimal(0),
        has_exchange_stop=False,
        first_look=long_over(),
    )
    stage.launch(ME, build)
    scene.tell(ME, tick("90"))
    scene.tell(ME, closed(0, "90"))

    assert scene.does(IntendOrder) == []


def _start_day_with(scene: Scene, equity: str) -> None:
    """Let the day that the clock says have begun with an equity."""
    now = scene.stage.runtime.clock.now()
    began = Instant(now // seconds(DAY_S) * seconds(DAY_S))
    account = msgspec.structs.replace(
        scene.desk.book.account,
        day_started_at=began,
        day_start_equity=Decimal(equity),
        peak_equity=Decimal(equity),
    )
    scene.desk.book.account = account


# A silent feed --------------------------------------------------------------------------------


def test_a_silent_feed_makes_it_ask_the_exchange_for_the_price_of_what_is_held(
    holding: Scene,
) -> None:
    holding.begin(feed_check_s=0.02)

    assert holding.wait_heard(names.EXCHANGE_GATEWAY, ReadQuote)[0].symbol == BTC_USDT


def test_a_price_from_the_exchange_itself_triggers_the_stop(holding: Scene) -> None:
    holding.begin().tell(ME, QuoteRead(symbol=BTC_USDT, quote=quote("97")))

    (intent,) = holding.intends()
    assert intent.order.reason == "stop_loss"


@pytest.mark.parametrize("is_wanted", [False, True])
def test_without_any_price_what_is_being_left_is_left_and_nothing_else(
    seeded_stage: Stage, *, is_wanted: bool
) -> None:
    scene = Scene(seeded_stage)
    scene.desk.holding()
    scene.begin(feed_check_s=1)
    if is_wanted:
        scene.publish(ME, halt("flatten", is_flattening=True))
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(10)

    assert [each.order.reason for each in scene.commands(IntendOrder)] == ["flatten"] * is_wanted


def test_a_flatten_waits_for_a_price_for_a_while_and_then_for_none(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    scene.desk.holding()
    scene.begin(feed_check_s=60)
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(UNPRICED_S - 1)
    scene.tell(ME, tick("100"))
    scene.publish(ME, halt("flatten", is_flattening=True))
    seeded_stage.runtime.run_for(UNPRICED_S - 1)
    assert scene.commands(IntendOrder) == []
    seeded_stage.runtime.run_for(UNPRICED_S)
    assert [each.order.reason for each in scene.commands(IntendOrder)] == ["flatten"]


def test_a_flatten_ends_where_nothing_is_held_and_no_price_comes(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage).begin(feed_check_s=60)
    scene.publish(ME, halt("flatten", is_flattening=True))
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(UNPRICED_S)
    (ended,) = scene.commands(ChangeTradingState)
    assert (ended.cause, ended.is_flattening) == ("flatten", False)


def test_where_nothing_is_held_nobody_is_asked(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage).begin(feed_check_s=1)
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(5)

    assert scene.heard(names.EXCHANGE_GATEWAY, ReadQuote) == []


def test_the_last_price_is_told_with_its_age(stage: Stage) -> None:
    scene = Scene(stage).begin()
    scene.tell(ME, ReadVitals(token=1, reply_to=names.COMMAND_LISTENER))
    (before,) = scene.wait_heard(names.COMMAND_LISTENER, PricesRead)
    assert before.prices == {}
    began = stage.runtime.clock.monotonic()
    scene.tell(ME, tick("100"))
    scene.tell(ME, tick("101"))
    scene.tell(ME, ReadVitals(token=2, reply_to=names.COMMAND_LISTENER))
    _, after = scene.wait_heard(names.COMMAND_LISTENER, PricesRead, 2)

    last = after.prices[BTC_USDT]
    assert (after.token, last.bid) == (2, Decimal(101))
    assert 0 <= last.age_s <= stage.runtime.clock.monotonic() - began


def test_a_price_grows_old(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage).begin()
    scene.tell(ME, tick("100"))
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(40)
    scene.tell(ME, ReadVitals(token=1, reply_to=names.COMMAND_LISTENER))

    (told,) = scene.wait_heard(names.COMMAND_LISTENER, PricesRead)
    assert told.prices[BTC_USDT].age_s == pytest.approx(40)


def test_a_day_start_that_was_moved_back_leaves_the_losses_watched(scene: Scene) -> None:
    _start_day_with(scene, "10200")
    scene.begin()
    later = msgspec.structs.replace(TUNING, day_starts_at_s=DAY_S - 1)
    scene.tell(ME, Reconfigured(tuning=later))
    scene.tell(ME, closed(0))

    (halted,) = scene.wait_command(ChangeTradingState)
    assert halted.cause == "daily_loss"
    assert scene.commands(StartDay) == []


def test_losses_are_watched_by_new_limits(scene: Scene) -> None:
    _start_day_with(scene, "10200")
    scene.begin()
    wider = msgspec.structs.replace(LIMITS, daily_loss_max=Decimal(1000))
    scene.tell(ME, Reconfigured(tuning=msgspec.structs.replace(TUNING, limits=wider)))
    scene.tell(ME, closed(0))

    assert scene.does(ChangeTradingState) == []


# Which prices it acts on ----------------------------------------------------------------------


def asked(bid: str) -> QuoteRead:
    """Return what the exchange says where the feed is silent: a quote that nobody traded at."""
    figure = Decimal(bid)
    return QuoteRead(symbol=BTC_USDT, quote=Quote(bid=figure, ask=figure, at=START))


def test_a_quote_far_beyond_the_stop_leaves_at_the_second_look(holding: Scene) -> None:
    holding.begin().tell(ME, tick("100"))
    holding.tell(ME, asked("80"))
    holding.stage.wait_for(lambda: "QuoteRefused" in holding.stage.events())
    assert holding.commands(IntendOrder) == []

    holding.tell(ME, asked("79"))

    holding.intends()


@pytest.mark.parametrize("bid", ["0", "NaN", "-5"])
def test_a_quote_that_is_none_leaves_nothing(holding: Scene, bid: str) -> None:
    holding.begin()
    for _ in range(2):
        holding.tell(ME, asked(bid))

    assert holding.does(IntendOrder) == []
