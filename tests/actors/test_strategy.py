"""The strategy's actor: armed last, decides on closed candles, and dies of its strategy alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import msgspec
import pytest

from actors import names
from actors.strategy import HISTORY_AFTER_S, StrategyRunner
from aegis.domain.candles import Candle
from aegis.domain.commands import (
    ArmStrategy,
    CompleteDiagnosis,
    CompleteReconciliation,
    IntendOrder,
    RequestCancel,
)
from aegis.domain.ids import Generation, Instant
from aegis.domain.instrument import Instrument
from aegis.domain.lives import Taught
from aegis.domain.order import Role, Side
from aegis.domain.sizing import Sizing
from aegis.domain.strategies import Signal, Strategy
from aegis.domain.wishes import Plan
from aegis.messages import (
    InstrumentsKnown,
    PastRead,
    ReadBook,
)
from aegis.news import (
    CandleClosed,
    FeedStarted,
    HistoryRead,
    ReadHistory,
)
from aegis.vitals import ArmingRead, ReadVitals
from supervisors.runtime import SeededRuntime
from tests.actors.ensemble import Ensemble, closed
from tests.domain.kit import (
    BTC_USDT,
    POLICY,
    START,
    TAG,
    entry,
    exit_of,
    halt,
    instrument,
    orphan,
)
from tests.stage import Stage

ME = names.STRATEGY


class Oracle:
    """Says what a test told it, candle by candle; notes what it saw."""

    def __init__(self, *says: object, warmup: int = 0) -> None:
        self.warmup = warmup
        self.seen: list[Candle] = []
        self._says = list(says)

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        self.seen.append(candle)
        said = self._says.pop(0) if self._says else None
        if isinstance(said, Exception):
            raise said
        return said  # type: ignore[return-value]


class Metronome(Oracle):
    period_s = 1

    def on_timer(self, *, is_holding: bool) -> Signal | None:
        return None if is_holding else Signal.ENTER


class Scene(Ensemble):
    def begin(self, strategy: Strategy) -> Scene:
        """Launch it, with its book, instruments and an empty history; not armed yet."""
        self.launch(lambda: strategy)
        self.wait_heard(names.POSITION_STORE, ReadBook)
        self.show_book(ME)
        self.tell(ME, PastRead(taught={}, lives=()))
        self.tell(ME, InstrumentsKnown(instruments=(instrument(),)))
        return self

    def launch(self, make: Callable[[], Strategy]) -> None:
        plan = Plan(
            name="oracle",
            symbols=(BTC_USDT,),
            sizing=Sizing(method="notional", value=Decimal(100)),
            policy=POLICY,
            spread_bps=Decimal(2),
            entries_max=2,
        )
        build = partial(
            StrategyRunner,
            make=make,
            plan=plan,
            tag=TAG,
            fresh_s=30.0,
        )
        self.stage.launch(ME, build)

    def warm(self, *candles: CandleClosed) -> Scene:
        history = tuple(message.candle for message in candles)
        until = history[-1].close_at if history else START
        page = HistoryRead(symbol=BTC_USDT, after=None, candles=history, until=until, is_last=True)
        self.tell(ME, page)
        return self

    def armed(self, strategy: Strategy) -> Scene:
        self.begin(strategy).warm()
        self.publish(ME, reconciled(1))
        self.publish(ME, diagnosed(1))
        (arm,) = self.wait_command(ArmStrategy)
        self.answer(ME, arm, self.publish(ME, arm))
        return self

    def intends(self, number: int = 1) -> list[IntendOrder]:
        return self.wait_command(IntendOrder, number)

    def intended(self) -> list[IntendOrder]:
        """Return its intents, once all that was told has been handled."""
        self.settle(ME)
        return self.commands(IntendOrder)


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return Scene(stage)


def reconciled(generation: int, *, is_dry_run: bool = False) -> CompleteReconciliation:
    return CompleteReconciliation(
        generation=Generation(generation),
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=(),
        is_dry_run=is_dry_run,
    )


def diagnosed(generation: int) -> CompleteDiagnosis:
    return CompleteDiagnosis(generation=Generation(generation), trigger="start", checks=())


# Arming ---------------------------------------------------------------------------------------


def test_it_arms_after_reconciliation_and_diagnosis(scene: Scene) -> None:
    scene.begin(Oracle()).warm()
    scene.publish(ME, reconciled(1))
    scene.publish(ME, diagnosed(1))

    (arm,) = scene.wait_command(ArmStrategy)
    assert (arm.generation, arm.strategy) == (1, "oracle")


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(reconciled(1), id="no diagnosis"),
        pytest.param(diagnosed(1), id="no reconciliation"),
    ],
)
def test_one_of_the_two_is_not_enough(
    scene: Scene, command: CompleteReconciliation | CompleteDiagnosis
) -> None:
    scene.begin(Oracle()).warm()
    scene.publish(ME, command)
    scene.settle(ME)

    assert scene.commands(ArmStrategy) == []


@pytest.mark.parametrize(
    "completed",
    [
        pytest.param(reconciled(7), id="another generation"),
        pytest.param(reconciled(1, is_dry_run=True), id="a dry run"),
    ],
)
def test_only_a_real_reconciliation_of_its_own_generation_counts(
    scene: Scene, completed: CompleteReconciliation
) -> None:
    scene.begin(Oracle()).warm()
    scene.publish(ME, diagnosed(1))
    scene.publish(ME, completed)
    scene.settle(ME)

    assert scene.commands(ArmStrategy) == []


def test_it_arms_at_once_where_both_were_done_before_it_came(scene: Scene) -> None:
    scene.launch(Oracle)
    scene.wait_heard(names.POSITION_STORE, ReadBook)
    scene.tell(ME, InstrumentsKnown(instruments=(instrument(),)))
    scene.show_book(ME, reconciled=1, diagnosed=1)
    scene.tell(ME, PastRead(taught={}, lives=()))
    scene.warm()

    scene.wait_command(ArmStrategy)


def test_it_does_not_arm_before_it_has_its_history(scene: Scene) -> None:
    scene.begin(Oracle())
    scene.publish(ME, reconciled(1))
    scene.publish(ME, diagnosed(1))
    scene.settle(ME)

    assert scene.commands(ArmStrategy) == []


def test_disarmed_it_intends_nothing(scene: Scene) -> None:
    scene.begin(Oracle(Signal.ENTER)).warm().tell(ME, closed(0))

    assert scene.intended() == []


def test_a_history_that_does_not_come_is_asked_for_again(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    scene.begin(Oracle())
    scene.wait_heard(names.MARKET_FEED, ReadHistory)
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(HISTORY_AFTER_S)

    assert len(scene.heard(names.MARKET_FEED, ReadHistory)) == 2


# Candles --------------------------------------------------------------------------------------


def test_history_and_candles_are_seen_once_each_and_in_order(scene: Scene) -> None:
    oracle = Oracle()
    scene.begin(oracle)
    for number in (3, 4):
        scene.tell(ME, closed(number))  # while the history is on its way
    scene.warm(*(closed(number) for number in range(4)))
    scene.tell(ME, closed(5))
    scene.tell(ME, closed(5))
    scene.settle(ME)

    assert oracle.seen == [closed(number).candle for number in range(6)]


def test_the_first_candle_after_a_gap_decides_nothing(scene: Scene) -> None:
    scene.armed(Oracle(None, Signal.ENTER)).tell(ME, closed(0))
    scene.tell(ME, closed(5, has_gap=True))

    assert scene.intended() == []


def test_a_gap_that_nobody_told_of_is_noticed(scene: Scene) -> None:
    scene.armed(Oracle(None, Signal.ENTER)).tell(ME, closed(0))
    scene.tell(ME, closed(5))

    assert scene.intended() == []


def test_a_signal_before_the_warm_up_is_over_means_nothing(scene: Scene) -> None:
    scene.armed(Oracle(Signal.ENTER, Signal.ENTER, warmup=2))
    scene.tell(ME, closed(0))
    scene.tell(ME, closed(1))

    assert scene.intended() == []


# Intents --------------------------------------------------------------------------------------


def test_an_entry_is_sized_at_the_close_and_decided_at_its_instant(scene: Scene) -> None:
    scene.armed(Oracle(Signal.ENTER)).tell(ME, closed(0, "50"))

    (intent,) = scene.intends()
    order, opening = intent.order, intent.opening
    assert (order.role, order.side) == (Role.ENTRY, Side.BUY)
    assert (order.amount, order.decision_price) == (Decimal(2), Decimal(50))
    assert opening is not None
    assert (opening.policy, opening.created_by) == (POLICY, "strategy")


def test_the_same_candle_gives_the_same_ids_in_another_life(stage: Stage) -> None:
    ids = []
    for _ in range(2):
        scene = Scene(Stage(stage.runtime))
        scene.armed(Oracle(Signal.ENTER)).tell(ME, closed(0))
        (intent,) = scene.intends()
        ids.append((intent.order.client_order_id, intent.order.position_id))

    assert ids[0] == ids[1]


def test_an_entry_too_small_to_be_sold_again_is_refused(scene: Scene) -> None:
    scene.armed(Oracle(Signal.ENTER)).tell(ME, closed(0, "1000000"))
    scene.stage.wait_for(lambda: "EntryRefused" in scene.stage.events())

    assert scene.intended() == []


@pytest.mark.parametrize(
    "known", [(), (instrument(is_active=False),)], ids=["not listed", "inactive"]
)
def test_a_symbol_that_is_not_traded_takes_no_entries(
    scene: Scene, known: tuple[Instrument, ...]
) -> None:
    scene.armed(Oracle(Signal.ENTER))
    scene.tell(ME, InstrumentsKnown(instruments=known))
    scene.tell(ME, closed(0))
    scene.stage.wait_for(lambda: "EntryRefused" in scene.stage.events())

    assert scene.intended() == []


def test_a_halt_takes_no_entries(scene: Scene) -> None:
    scene.armed(Oracle(Signal.ENTER))
    scene.publish(ME, halt())
    scene.tell(ME, closed(0))

    assert scene.intended() == []


def test_what_is_held_is_left_whole(scene: Scene) -> None:
    scene.desk.holding()
    scene.armed(Oracle(Signal.LEAVE)).tell(ME, closed(0))

    (intent,) = scene.intends()
    assert (intent.order.reason, intent.order.amount) == ("strategy", Decimal(1))
    assert intent.opening is None


def test_what_others_may_have_sold_is_not_left(scene: Scene) -> None:
    scene.desk.holding()
    scene.armed(Oracle(Signal.LEAVE))
    doubt = orphan("o", of=scene.desk.position())
    scene.publish(ME, msgspec.structs.replace(reconciled(2), discrepancies=(doubt,)))
    scene.tell(ME, closed(0))

    assert scene.intended() == []


def test_a_halt_lets_it_leave(scene: Scene) -> None:
    scene.desk.holding()
    scene.armed(Oracle(Signal.LEAVE))
    scene.publish(ME, halt())
    scene.tell(ME, closed(0))

    scene.intends()


def test_an_exit_under_way_is_not_asked_for_again(scene: Scene) -> None:
    scene.desk.holding()
    scene.desk.accepted(exit_of(scene.desk.position()))
    scene.armed(Oracle(Signal.LEAVE)).tell(ME, closed(0))

    assert scene.intended() == []


@pytest.mark.parametrize("signal", [Signal.ENTER, Signal.LEAVE])
def test_a_signal_that_fits_nothing_held_is_nothing(scene: Scene, signal: Signal) -> None:
    if signal is Signal.ENTER:
        scene.desk.holding()
    scene.armed(Oracle(signal)).tell(ME, closed(0))

    assert scene.intended() == []


def test_a_timed_strategy_decides_between_the_candles(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    scene.armed(Metronome()).tell(ME, closed(0))
    assert isinstance(seeded_stage.runtime, SeededRuntime)
    seeded_stage.runtime.run_for(1)

    scene.intends()


# Its end --------------------------------------------------------------------------------------


def test_a_disarmed_strategy_calls_off_the_entry_that_still_fills(scene: Scene) -> None:
    order = scene.desk.accepted(entry())
    scene.armed(Oracle(None))
    scene.stage.directory.stop(ME, 1)

    (cancel,) = scene.wait_command(RequestCancel)
    assert cancel.client_order_id == order.client_order_id


def test_a_disarmed_strategy_lets_an_exit_go_on(scene: Scene) -> None:
    scene.desk.holding()
    scene.desk.accepted(exit_of(scene.desk.position()))
    scene.armed(Oracle(None))
    scene.stage.directory.stop(ME, 1)
    scene.stage.wait_for(lambda: "StrategyDisarmed" in scene.stage.events())

    assert scene.commands(RequestCancel) == []


# Its strategy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [RuntimeError("broken"), "buy", 1, SystemExit("bye")])
def test_whatever_its_strategy_does_ends_this_incarnation(scene: Scene, said: object) -> None:
    scene.armed(Oracle(said)).tell(ME, closed(0))

    scene.stage.wait_for(lambda: "ActorDied" in scene.stage.events())


def test_a_plain_word_that_is_a_signal_is_understood(scene: Scene) -> None:
    scene.armed(Oracle("enter")).tell(ME, closed(0))

    scene.intends()


def test_a_strategy_that_cannot_be_made_is_a_failed_start(scene: Scene) -> None:
    def make() -> Strategy:
        raise RuntimeError("no")

    scene.launch(make)

    scene.stage.wait_for(lambda: "ActorStartFailed" in scene.stage.events())


def test_it_says_what_it_waits_for_until_it_is_armed(stage: Stage) -> None:
    scene = Scene(stage)
    told: list[str] = []

    def hear() -> ArmingRead:
        scene.tell(ME, ReadVitals(token=len(told), reply_to=names.COMMAND_LISTENER))
        answer = scene.wait_heard(names.COMMAND_LISTENER, ArmingRead, len(told) + 1)[-1]
        assert answer.token == len(told)
        told.append(answer.waits_for)
        return answer

    scene.launch(Oracle)
    scene.wait_heard(names.POSITION_STORE, ReadBook)
    scene.show_book(ME)
    scene.tell(ME, PastRead(taught={}, lives=()))
    hear()
    scene.publish(ME, reconciled(1))
    hear()
    scene.publish(ME, diagnosed(1))
    hear()
    scene.tell(ME, InstrumentsKnown(instruments=(instrument(),)))
    hear()
    scene.warm()
    assert not hear().is_armed
    (arm,) = scene.wait_command(ArmStrategy)
    scene.answer(ME, arm, scene.publish(ME, arm))

    assert hear().is_armed
    assert told == [
        "the reconciliation with the exchange",
        "the diagnosis",
        "the exchange to say what can be traded",
        "the market's history",
        "the store's word",
        "",
    ]


def test_it_says_that_the_exchange_lists_no_such_symbol(stage: Stage) -> None:
    scene = Scene(stage)
    scene.launch(Oracle)
    scene.wait_heard(names.POSITION_STORE, ReadBook)
    scene.show_book(ME)
    scene.tell(ME, PastRead(taught={}, lives=()))
    scene.publish(ME, reconciled(1))
    scene.publish(ME, diagnosed(1))
    scene.tell(ME, InstrumentsKnown(instruments=()))
    scene.tell(ME, ReadVitals(token=1, reply_to=names.COMMAND_LISTENER))

    (arming,) = scene.wait_heard(names.COMMAND_LISTENER, ArmingRead)
    assert arming.waits_for == "candles of BTC/USDT, which the exchange does not list"


# The past -------------------------------------------------------------------------------------


class Raising(Oracle):
    """Raises whenever it is shown a candle at 13."""

    def on_candle(self, candle: Candle, *, is_holding: bool) -> Signal | None:
        said = super().on_candle(candle, is_holding=is_holding)
        if candle.close == 13:
            raise RuntimeError("thirteen")
        return said


def page(*candles: CandleClosed, after: Instant | None, is_last: bool) -> HistoryRead:
    shown = tuple(message.candle for message in candles)
    until = shown[-1].close_at
    return HistoryRead(symbol=BTC_USDT, after=after, candles=shown, until=until, is_last=is_last)


def taught(since: Instant, armed_at: Instant) -> PastRead:
    return PastRead(taught={BTC_USDT: Taught(since=since, armed_at=armed_at)}, lives=())


def come_back(scene: Scene, strategy: Strategy, past: PastRead) -> None:
    """Launch it over a log that knows it, reconciled and diagnosed."""
    scene.launch(lambda: strategy)
    scene.wait_heard(names.POSITION_STORE, ReadBook)
    scene.show_book(ME, reconciled=1, diagnosed=1)
    scene.tell(ME, InstrumentsKnown(instruments=(instrument(),)))
    scene.tell(ME, past)


def arm(scene: Scene) -> ArmStrategy:
    (wanted,) = scene.wait_command(ArmStrategy)
    scene.answer(ME, wanted, scene.publish(ME, wanted))
    return wanted


def test_it_reads_on_from_where_the_log_says_that_all_began(scene: Scene) -> None:
    come_back(scene, Oracle(), taught(START, START))

    (wanted,) = scene.wait_heard(names.MARKET_FEED, ReadHistory)
    assert wanted.after == START


def test_it_is_shown_page_after_page_and_arms_after_the_last(scene: Scene) -> None:
    oracle = Oracle()
    come_back(scene, oracle, taught(START, START))
    scene.tell(ME, page(closed(0), closed(1), after=START, is_last=False))
    _, second = scene.wait_heard(names.MARKET_FEED, ReadHistory, 2)
    assert scene.commands(ArmStrategy) == []
    scene.tell(ME, page(closed(2), after=second.after, is_last=True))

    assert arm(scene).taught_since == {BTC_USDT: START}
    assert oracle.seen == [closed(number).candle for number in range(3)]


def test_a_page_that_comes_twice_is_shown_once(scene: Scene) -> None:
    oracle = Oracle()
    come_back(scene, oracle, taught(START, START))
    for _ in range(2):
        scene.tell(ME, page(closed(0), closed(1), after=START, is_last=False))
    scene.settle(ME)

    assert oracle.seen == [closed(0).candle, closed(1).candle]
    assert len(scene.heard(names.MARKET_FEED, ReadHistory)) == 2


def test_what_it_raised_at_then_does_not_end_it_again(scene: Scene) -> None:
    come_back(scene, Raising(), taught(START, START))
    scene.tell(ME, page(closed(0), closed(1, "13"), closed(2), after=START, is_last=True))

    arm(scene)
    assert "StrategyRaisedAgain" in scene.stage.events()


def test_the_newest_candle_of_the_past_decides_if_it_is_fresh(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    come_back(scene, Oracle(None, Signal.ENTER), taught(START, START))
    scene.tell(ME, page(closed(0), closed(1), after=START, is_last=True))
    arm(scene)

    (intent,) = scene.intends()
    assert intent.order.decision_price == 100


def test_an_earlier_candle_of_the_past_decides_nothing(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    come_back(scene, Oracle(Signal.ENTER, None), taught(START, START))
    scene.tell(ME, page(closed(0), closed(1), after=START, is_last=True))
    arm(scene)

    assert scene.intended() == []


def test_a_close_long_ago_is_nothing_to_enter_on(scene: Scene) -> None:
    """The clock of the threads says today, and the candle closed years ago."""
    seen = Oracle(Signal.ENTER)
    come_back(scene, seen, taught(START, START))
    advance(scene, 3600)
    scene.tell(ME, page(closed(0), after=START, is_last=True))
    arm(scene)
    scene.stage.wait_for(lambda: "EntryRefused" in scene.stage.events())

    assert scene.intended() == []


def test_a_close_long_ago_is_still_a_reason_to_leave(scene: Scene) -> None:
    scene.desk.holding()
    come_back(scene, Oracle(Signal.LEAVE), taught(START, START))
    advance(scene, 3600)
    scene.tell(ME, page(closed(0), after=START, is_last=True))
    arm(scene)

    scene.intends()


def advance(scene: Scene, market_s: int) -> None:
    """Let time pass where it stands still otherwise."""
    if isinstance(scene.stage.runtime, SeededRuntime):
        scene.stage.runtime.run_for(market_s)


def test_a_lesson_from_before_the_first_arming_is_never_traded_on(seeded_stage: Stage) -> None:
    scene = Scene(seeded_stage)
    come_back(scene, Oracle(Signal.ENTER), taught(START, closed(0).candle.close_at))
    scene.tell(ME, page(closed(0), after=START, is_last=True))
    arm(scene)

    assert scene.intended() == []


def test_a_feed_that_begins_anew_is_asked_for_what_was_missed(scene: Scene) -> None:
    oracle = Oracle()
    scene.armed(oracle).tell(ME, closed(0))
    scene.tell(ME, FeedStarted())
    wanted = scene.wait_heard(names.MARKET_FEED, ReadHistory, 2)[-1]
    assert wanted.after == closed(0).candle.close_at
    scene.tell(ME, closed(2))
    scene.tell(ME, page(closed(1), after=wanted.after, is_last=True))
    scene.settle(ME)

    assert oracle.seen == [closed(number).candle for number in range(3)]


def test_a_candle_that_somebody_lost_is_shown_before_the_one_behind_it(
    seeded_stage: Stage,
) -> None:
    scene = Scene(seeded_stage)
    oracle = Oracle(None, None, Signal.ENTER)
    scene.armed(oracle).tell(ME, closed(0))
    scene.tell(ME, closed(2))
    wanted = scene.wait_heard(names.MARKET_FEED, ReadHistory, 2)[-1]
    scene.tell(ME, page(closed(1), closed(2), after=wanted.after, is_last=True))

    scene.intends()
    assert oracle.seen == [closed(number).candle for number in range(3)]
