"""Trading state, the day, balances, and what a completed round leaves behind."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from aegis.domain.account import CANARY, TradingState
from aegis.domain.commands import (
    ArmStrategy,
    AskForHuman,
    Command,
    CompleteDiagnosis,
    CompleteReconciliation,
    RecordExternalChange,
    RecordPeak,
    StartBalances,
    StartDay,
)
from aegis.domain.events import (
    CheckResult,
    DayStarted,
    DiagnosisCompleted,
    Discrepancy,
    EquityPeaked,
    ExternalChangeSeen,
    ReconciliationCompleted,
    StrategyArmed,
    TradingStateChanged,
)
from aegis.domain.ids import Generation, Instant
from aegis.domain.order import OrderStep
from tests.domain.kit import BTC, START, USDT, Desk, end, entry, halt, resume, seconds

DAY = seconds(86_400)
TOMORROW = Instant(START + DAY)


def start_day(at: Instant = TOMORROW, equity: str = "9000") -> StartDay:
    return StartDay(day_started_at=at, equity=Decimal(equity))


def state_of(desk: Desk) -> tuple[TradingState, str, bool]:
    account = desk.book.account
    return account.trading_state, account.cause, account.is_flattening


ACTIVE = (TradingState.ACTIVE, "", False)


def held_by(cause: str, *, is_flattening: bool = False) -> tuple[TradingState, str, bool]:
    return TradingState.REDUCING, cause, is_flattening


def reconciliation(*kinds: str, is_dry_run: bool = False, is_healed: bool = False) -> Command:
    found = tuple(
        Discrepancy(
            kind=kind,
            symbol=None,
            subject=f"order {kind}",
            expected="",
            found="",
            action="",
            is_healed=is_healed,
        )
        for kind in kinds
    )
    return CompleteReconciliation(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=0,
        discrepancies=found,
        is_dry_run=is_dry_run,
    )


# Trading state ----------------------------------------------------------------------------


def test_a_halt_stands_until_a_resume() -> None:
    desk = Desk()
    desk.halted()
    assert state_of(desk) == held_by("operator")
    desk.does(resume())
    assert state_of(desk) == ACTIVE


def test_the_same_halt_twice_is_one() -> None:
    desk = Desk()
    desk.halted()
    assert desk.does(halt()) == ()
    assert desk.does(halt("operator")) == ()


def test_a_resume_of_what_is_active_is_no_news() -> None:
    assert Desk().does(resume()) == ()


def test_a_resume_is_refused_while_an_outcome_is_unknown() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    desk.halted()
    refusal = desk.refuses(resume())
    assert (refusal.code, refusal.mends_with_time) == ("unknown_outcome", True)
    assert order.client_order_id in refusal.text
    desk.does(end(order, OrderStep.PROVE_ABSENT))
    desk.does(resume())


def test_a_resume_is_refused_while_an_order_needs_a_person() -> None:
    desk = Desk()
    order = desk.unknown(entry("1"))
    desk.does(AskForHuman(client_order_id=order.client_order_id, reason="no barrier"))
    desk.halted()
    assert desk.refuses(resume()).code == "unknown_outcome"


def test_an_orphan_halts_and_a_resume_is_refused_until_it_is_gone() -> None:
    desk = Desk()
    completed, halted = desk.does(reconciliation("orphan"))
    assert isinstance(completed, ReconciliationCompleted)
    assert isinstance(halted, TradingStateChanged)
    assert state_of(desk) == held_by("orphan")
    assert desk.refuses(resume()).code == "orphan"
    desk.does(reconciliation())
    assert state_of(desk) == held_by("orphan")
    desk.does(resume())


def test_a_dry_run_halts_nothing() -> None:
    desk = Desk()
    assert len(desk.does(reconciliation("orphan", is_dry_run=True))) == 1
    assert state_of(desk) == ACTIVE


def test_an_orphan_seen_again_halts_once() -> None:
    desk = Desk()
    desk.does(reconciliation("orphan"))
    assert len(desk.does(reconciliation("orphan"))) == 1


def test_a_drawdown_is_measured_anew_from_the_equity_at_the_resume() -> None:
    desk = Desk().funded()
    desk.halted("drawdown")
    desk.does(resume("7000"))
    assert desk.book.account.peak_equity == 7000


def test_a_halt_by_the_daily_limit_ends_with_the_day() -> None:
    desk = Desk().funded()
    desk.halted("daily_loss")
    started, resumed = desk.does(start_day())
    assert isinstance(started, DayStarted)
    assert isinstance(resumed, TradingStateChanged)
    assert state_of(desk) == ACTIVE


@pytest.mark.parametrize("cause", ["operator", "drawdown", "orphan", "strategy", "flatten"])
def test_every_other_halt_outlives_the_day(cause: str) -> None:
    desk = Desk().funded()
    desk.halted(cause)
    assert len(desk.does(start_day())) == 1
    assert state_of(desk) == held_by(cause)


@pytest.mark.parametrize("cause", ["operator", "drawdown", "orphan", "strategy", "flatten"])
def test_a_stronger_halt_over_a_daily_loss_sticks(cause: str) -> None:
    desk = Desk().funded()
    desk.halted("daily_loss")
    desk.halted(cause)
    desk.does(start_day())
    assert state_of(desk) == held_by(cause)


@pytest.mark.parametrize("cause", ["operator", "drawdown", "orphan", "strategy", "flatten"])
def test_a_daily_loss_does_not_weaken_what_holds_trading_already(cause: str) -> None:
    desk = Desk().funded()
    desk.halted(cause)
    assert desk.does(halt("daily_loss")) == ()
    assert state_of(desk) == held_by(cause)


@pytest.mark.parametrize("cause", ["operator", "drawdown", "orphan", "strategy", "flatten"])
def test_a_canary_that_is_over_spares_no_entry_that_another_halt_calls_off(cause: str) -> None:
    desk = Desk().funded()
    desk.halted(cause)
    assert desk.does(halt(CANARY)) == ()
    assert desk.book.account.calls_off_entries


def test_a_flatten_under_way_outlasts_every_halt() -> None:
    desk = Desk()
    desk.does(halt("flatten", is_flattening=True))
    for cause in ("operator", "strategy", "daily_loss", "drawdown", "orphan"):
        desk.does(halt(cause))
        assert desk.book.account.is_flattening
    desk.does(reconciliation("orphan"))
    assert desk.book.account.is_flattening


def test_a_flatten_ends_when_it_is_flat_and_stays_halted() -> None:
    desk = Desk()
    desk.does(halt("flatten", is_flattening=True))
    desk.does(halt("flatten"))
    assert state_of(desk) == held_by("flatten")


def test_a_flatten_ends_when_a_person_resumes() -> None:
    desk = Desk()
    desk.does(halt("flatten", is_flattening=True))
    desk.does(resume())
    assert state_of(desk) == ACTIVE


# The day ----------------------------------------------------------------------------------


def test_a_day_starts_once() -> None:
    desk = Desk()
    assert desk.does(start_day()) == (DayStarted(day_started_at=TOMORROW, equity=Decimal(9000)),)
    assert desk.does(start_day(equity="1")) == ()


def test_a_day_that_is_over_does_not_start_again() -> None:
    desk = Desk()
    desk.does(start_day())
    assert desk.does(start_day(START)) == ()
    assert desk.book.account.day_started_at == TOMORROW


# Facts ------------------------------------------------------------------------------------


def test_balances_start_once() -> None:
    desk = Desk()
    desk.does(StartBalances(balances={USDT: Decimal(5)}))
    assert desk.does(StartBalances(balances={USDT: Decimal(6)})) == ()
    assert desk.book.account.balances == {USDT: Decimal(5)}


@pytest.mark.parametrize(("equity", "is_news"), [("101", True), ("100", False), ("99", False)])
def test_a_peak_is_higher_than_the_one_before(equity: str, *, is_news: bool) -> None:
    desk = Desk()
    assert desk.does(RecordPeak(equity=Decimal(100))) == (EquityPeaked(equity=Decimal(100)),)
    assert bool(desk.does(RecordPeak(equity=Decimal(equity)))) is is_news


def change(amount: str, before: str | None = None, coin: str = "USDT") -> RecordExternalChange:
    return RecordExternalChange(
        kind="balance",
        coin=USDT if coin == "USDT" else BTC,
        amount=Decimal(amount),
        reference="",
        note="",
        before=None if before is None else Decimal(before),
    )


@pytest.mark.parametrize(("coin", "is_equity"), [("USDT", True), ("BTC", False)])
def test_a_change_from_outside_is_recorded_and_told_from_a_result(
    coin: str, *, is_equity: bool
) -> None:
    desk = Desk().funded()
    (event,) = desk.does(change("-7", coin=coin))
    assert isinstance(event, ExternalChangeSeen)
    assert event.counts_as_equity is is_equity


def test_a_change_is_news_only_against_the_balance_that_it_was_seen_against() -> None:
    desk = Desk().funded("100")
    desk.does(change("-7", before="100"))
    assert desk.does(change("-7", before="100")) == ()
    assert desk.book.account.balances == {USDT: Decimal(93)}


@pytest.mark.parametrize("figure", ["NaN", "sNaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "make",
    [
        lambda figure: StartBalances(balances={USDT: figure}),
        lambda figure: StartDay(day_started_at=START, equity=figure),
        lambda figure: RecordPeak(equity=figure),
        lambda figure: msgspec.structs.replace(change("1"), amount=figure),
        lambda figure: msgspec.structs.replace(resume(), equity=figure),
    ],
)
def test_what_is_no_figure_never_reaches_the_account(make: object, figure: str) -> None:
    assert callable(make)
    assert Desk().refuses(make(Decimal(figure))).code == "bad_figure"


def test_a_diagnosis_and_an_arming_are_recorded_each_time() -> None:
    desk = Desk()
    checks = (CheckResult(check="chain", status="ok", details=""),)
    diagnosis = CompleteDiagnosis(generation=Generation(1), trigger="start", checks=checks)
    arming = ArmStrategy(generation=Generation(1), strategy="ema_cross")
    for _ in range(2):
        assert [type(e) for e in desk.does(diagnosis)] == [DiagnosisCompleted]
        assert [type(e) for e in desk.does(arming)] == [StrategyArmed]
