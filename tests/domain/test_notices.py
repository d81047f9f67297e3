"""What people are told, word for word, and what they are spared."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest

from aegis.domain.account import Account, TradingState
from aegis.domain.book import Book
from aegis.domain.events import (
    EVENT_TYPES,
    Event,
    OrderOutcomeUnknown,
    PositionClosed,
    ReconciliationCompleted,
    TradingStateChanged,
)
from aegis.domain.ids import Generation
from aegis.domain.notices import About, notice_of
from tests.domain.kit import Desk
from tests.domain.test_events import diagnosed, every_event, found, full, reconciled, recorded

LIVE = About(runs="live, exchange, BTC/USDT, ema_cross")
PAPER = About(label="PAPER", runs="paper, simulated, BTC/USDT, ema_cross")


def told(event: Event, book: Book | None = None, about: About = LIVE) -> str | None:
    return notice_of(recorded(event), book or Book(), about)


def stories(desk: Desk) -> Iterator[str]:
    return filter(None, (notice_of(each, desk.book, LIVE) for each in desk.log))


def at_start(event: ReconciliationCompleted, generation: int = 1) -> ReconciliationCompleted:
    return msgspec.structs.replace(event, trigger="start", generation=Generation(generation))


def by_interval(event: ReconciliationCompleted) -> ReconciliationCompleted:
    return msgspec.structs.replace(event, trigger="interval")


@every_event
def test_an_event_is_news_in_a_sentence_or_none(event: Event) -> None:
    sentence = told(event)
    assert sentence is None or sentence.strip() == sentence != ""


@pytest.mark.parametrize(
    "name",
    [
        *("PositionOpened", "PositionClosed", "PositionUnpriced", "OrderOutcomeUnknown"),
        *("OrderNeedsHuman", "OrderNotPlaced", "TradingStateChanged", "ExternalChangeSeen"),
        *("ReconciliationCompleted", "AlarmRaised", "PositionTransferred", "PositionRepriced"),
    ],
)
def test_people_are_told_of(name: str) -> None:
    quiet = {"is_dry_run": False} if name == "ReconciliationCompleted" else {}
    assert told(msgspec.structs.replace(full(EVENT_TYPES[name]), **quiet))


@pytest.mark.parametrize(
    "name", ["OrderIntended", "OrderFilled", "PositionMarked", "PositionVoided", "StrategyArmed"]
)
def test_people_are_not_told_of(name: str) -> None:
    assert told(full(EVENT_TYPES[name])) is None


@every_event
def test_money_that_is_not_real_says_so_in_every_notice(event: Event) -> None:
    plain, labelled = told(event), told(event, about=About(label="PAPER"))
    assert labelled == (None if plain is None else f"[PAPER] {told(event, about=About())}")


def test_an_opening_and_a_close_are_told_with_their_figures() -> None:
    desk = Desk()
    desk.holding("1", "100")
    desk.left("97.50")
    assert list(stories(desk)) == [
        "\U0001f4c8 Position opened: BTC/USDT at 100, stop 98, target 104",
        "Position closed: BTC/USDT, P&L -2.50 USDT, stop loss",
    ]


@pytest.mark.parametrize(
    ("pnl", "expected"),
    [
        ("1.239", "+1.24 USDT (+0.62 %)"),
        ("-0.0004", "-0.0004 USDT (-0.00 %)"),
        ("0", "0 USDT (+0.00 %)"),
    ],
)
def test_what_a_position_made_is_told_with_its_sign_and_its_share(pnl: str, expected: str) -> None:
    desk = Desk()
    desk.holding("2", "100")
    (position,) = desk.book.alive_positions()
    closed = PositionClosed(symbol=position.symbol, pnl=Decimal(pnl), reason="take_profit")
    told_of = notice_of(recorded(closed, position.position_id), desk.book, LIVE)
    assert told_of == f"Position closed: BTC/USDT, P&L {expected}, take profit"


def test_an_order_without_an_answer_is_named_as_people_know_it() -> None:
    desk = Desk()
    desk.holding("1", "100")
    (order,) = desk.book.orders.values()
    event = OrderOutcomeUnknown(client_order_id=order.client_order_id, reason="time-out")
    warning = "\u26a0\ufe0f No answer to buy BTC/USDT"
    expected = f"{warning} {order.client_order_id[:8]}; looking it up (time-out)"
    assert told(event, desk.book) == expected


def test_a_halt_warns_and_gives_its_reason_or_else_its_cause() -> None:
    event = TradingStateChanged(
        state=TradingState.REDUCING, cause="drawdown", reason="", is_flattening=False, equity=None
    )
    assert told(event) == "\u26a0\ufe0f Trading is REDUCING: drawdown"
    resumed = msgspec.structs.replace(event, state=TradingState.ACTIVE, reason="by hand")
    assert told(resumed) == "Trading is ACTIVE: by hand"


# A start ----------------------------------------------------------------------------------


def test_the_first_reconciliation_tells_of_the_start() -> None:
    desk = Desk()
    desk.holding("1", "100")
    assert told(at_start(reconciled()), desk.book, PAPER) == (
        "[PAPER] AEGIS started: paper, simulated, BTC/USDT, ema_cross; 1 position open"
    )


def test_a_start_with_entries_halted_says_so() -> None:
    book = Book()
    book.account = Account(trading_state=TradingState.REDUCING, cause="drawdown")
    assert str(told(at_start(reconciled()), book)).endswith(
        "0 positions open; entries halted: drawdown"
    )


def test_a_start_tells_what_it_mended_and_what_is_left() -> None:
    event = at_start(reconciled(found(is_healed=True), found(is_healed=True)))
    _, sync = str(told(event)).split("\n")
    assert sync == "\u26a0\ufe0f Startup sync: 2 issues auto-fixed"
    event = at_start(reconciled(found(is_healed=True), found(is_healed=False)))
    _, sync = str(told(event)).split("\n")
    assert sync == "\u26a0\ufe0f Startup sync: 1 issue auto-fixed, 1 left for you"


def test_a_part_that_starts_again_is_no_start() -> None:
    assert told(at_start(reconciled(), generation=2)) is None
    again = at_start(reconciled(found(is_healed=True)), generation=2)
    assert told(again) == "\u26a0\ufe0f Startup sync: 1 issue auto-fixed"


def test_a_reconciliation_that_found_nothing_or_only_looked_is_no_news() -> None:
    assert told(by_interval(reconciled())) is None
    assert told(at_start(reconciled(found(is_healed=False), is_dry_run=True))) is None


def test_a_reconciliation_is_told_with_what_is_left() -> None:
    event = reconciled(found(is_healed=True), found(is_healed=False), found(is_healed=False))
    warning = "\u26a0\ufe0f Reconciliation: 1 issue auto-fixed, 2 left for you"
    assert told(by_interval(event)) == warning


def test_a_diagnosis_is_news_when_it_found_something() -> None:
    assert told(diagnosed("ok", "ok")) is None
    assert told(diagnosed("ok", "fixed")) == ("\U0001f527 Self-healing: 1 fix applied (c-fixed)")
    assert told(diagnosed("fixed", "finding", "failed")) == (
        "\U0001f527 Self-healing: 1 fix applied (c-fixed), "
        "2 findings left for you (c-finding, c-failed)"
    )
    stale = msgspec.structs.replace(diagnosed("finding").checks[0], is_news=False)
    assert told(msgspec.structs.replace(diagnosed("ok"), checks=(stale,))) is None
    assert told(diagnosed("ok", "finding")) == (
        "\u26a0\ufe0f Self-diagnosis: 1 finding left for you (c-finding)"
    )
