"""Which events people are told of, and in which words: for a phone, so few and short.

What is told needs somebody's attention (it begins with a warning sign), or is what they opened
the phone for: a position, a start. Everything else is in the log. Money that is not real says so.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.events import (
    AlarmRaised,
    DiagnosisCompleted,
    ExternalChangeSeen,
    OrderAccepted,
    OrderIntended,
    OrderNeedsHuman,
    OrderNotPlaced,
    OrderOutcomeUnknown,
    OrderSubmitted,
    PositionClosed,
    PositionImported,
    PositionMarked,
    PositionOpened,
    PositionRepriced,
    PositionTransferred,
    PositionUnpriced,
    ReconciliationCompleted,
    Recorded,
    TradingStateChanged,
)
from aegis.domain.ids import ClientOrderId, Symbol
from aegis.domain.money import HUNDRED, ROUNDED, ZERO, distance, ratio, text, times
from aegis.domain.restores import RecoveryCompleted, StoreRestored

WARNING = "\u26a0\ufe0f"
OPENED = "\U0001f4c8"
MENDED = "\U0001f527"

CENT = Decimal("0.01")
ID_CHARS = 8
"""Enough of an order's id to find it by."""


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What every notice knows of the run: a label for money that is not real, and what runs."""

    label: str = ""
    runs: str = ""


def notice_of(recorded: Recorded, book: Book, about: About) -> str | None:
    """Return the notice for people about an event, or None when it is not news."""
    sentence = _sentence(recorded, book, about)
    if sentence is None or not about.label:
        return sentence
    return f"[{about.label}] {sentence}"


def _sentence(recorded: Recorded, book: Book, about: About) -> str | None:
    event = recorded.event
    match event:
        case PositionMarked() | OrderIntended() | OrderSubmitted() | OrderAccepted():
            return None  # no news, and first, as they come most often
        case PositionOpened():
            return _opened(event)
        case PositionImported():
            held = f"{text(event.amount)} {event.symbol} at {text(event.entry_price)}"
            return f"{OPENED} Position imported: {held}, {_levels(event)}"
        case PositionClosed():
            return _closed(recorded, event, book)
        case PositionUnpriced():
            gone = f"{event.symbol} is gone from the exchange without a price"
            return f"{WARNING} {gone}: {event.reason}"
        case PositionTransferred():
            gone = f"{text(event.amount)} {event.coin} of {event.symbol}"
            return f"{WARNING} {gone} went elsewhere, unsold"
        case PositionRepriced():
            sold = f"{event.symbol}, closed unpriced, was sold at {text(event.price)}"
            return f"{sold}: {_profit(event.pnl, event.symbol)}"
        case OrderOutcomeUnknown():
            order = _order(event.client_order_id, book)
            return f"{WARNING} No answer to {order}; looking it up ({event.reason})"
        case OrderNeedsHuman():
            return f"{WARNING} Needs you: {_order(event.client_order_id, book)}: {event.reason}"
        case OrderNotPlaced():
            return f"Not placed: {_order(event.client_order_id, book)}: {event.reason}"
        case TradingStateChanged():
            sign = "" if event.state is TradingState.ACTIVE else f"{WARNING} "
            return f"{sign}Trading is {event.state}: {event.reason or event.cause}"
        case ExternalChangeSeen():
            change = f"{event.coin} changed by {text(event.amount)}"
            return f"{WARNING} Not ours: {change} ({event.note})"
        case ReconciliationCompleted():
            return _reconciled(event, book, about)
        case DiagnosisCompleted():
            return _diagnosed(event)
        case AlarmRaised():
            return f"{WARNING} {event.text}"
        case StoreRestored():
            return f"{WARNING} The store was restored from {event.backup}"
        case RecoveryCompleted():
            booked = f"{_counted(event.orders, 'forgotten order')} booked"
            return f"{WARNING} {booked}" + (
                f", {len(event.left)} left for you" if event.left else ""
            )
        case _:
            return None


def _opened(event: PositionOpened) -> str:
    at = f"{event.symbol} at {text(event.price)}"
    return f"{OPENED} Position opened: {at}, {_levels(event)}"


def _levels(event: PositionOpened | PositionImported) -> str:
    stop = "no stop" if event.stop_price is None else f"stop {text(event.stop_price)}"
    target = "" if event.take_profit_price is None else f", target {text(event.take_profit_price)}"
    return f"{stop}{target}"


def _closed(recorded: Recorded, event: PositionClosed, book: Book) -> str:
    position = book.positions.get(recorded.position_id)
    paid = None if position is None or position.paid == 0 else position.paid
    share = "" if paid is None else f" ({_cents(ratio(times(event.pnl, HUNDRED), paid))} %)"
    reason = event.reason.replace("_", " ")
    return f"Position closed: {event.symbol}, {_profit(event.pnl, event.symbol)}{share}, {reason}"


def _reconciled(event: ReconciliationCompleted, book: Book, about: About) -> str | None:
    """Tell of a start, which is the first of its process, and of differences at any time."""
    if event.is_dry_run:
        return None
    is_start = event.trigger == "start"
    healed = sum(found.is_healed for found in event.discrepancies)
    left = len(event.discrepancies) - healed
    differences = None
    if event.discrepancies:
        name = "Startup sync" if is_start else "Reconciliation"
        rest = f", {left} left for you" if left else ""
        differences = f"{WARNING} {name}: {_counted(healed, 'issue')} auto-fixed{rest}"
    if is_start and event.generation == 1:
        started = _started(book, about)
        return started if differences is None else f"{started}\n{differences}"
    return differences


def _started(book: Book, about: About) -> str:
    opened = _counted(len(book.alive_positions()), "position")
    account = book.account
    is_halted = account.trading_state is not TradingState.ACTIVE
    halted = f"; entries halted: {account.reason or account.cause}" if is_halted else ""
    return f"AEGIS started: {about.runs}; {opened} open{halted}"


def _diagnosed(event: DiagnosisCompleted) -> str | None:
    news = [check for check in event.checks if check.is_news]
    fixed = [check.check for check in news if check.status == "fixed"]
    left = [check.check for check in news if check.status not in {"ok", "fixed"}]
    rest = f"{_counted(len(left), 'finding')} left for you ({', '.join(left)})"
    if fixed:
        mended = f"{_counted(len(fixed), 'fix', 'es')} applied ({', '.join(fixed)})"
        return f"{MENDED} Self-healing: {mended}" + (f", {rest}" if left else "")
    return f"{WARNING} Self-diagnosis: {rest}" if left else None


def _order(client_order_id: ClientOrderId, book: Book) -> str:
    """Name an order by what it wants, and by the beginning of its id."""
    order = book.orders.get(client_order_id)
    what = "order" if order is None else f"{order.side} {order.symbol}"
    return f"{what} {client_order_id[:ID_CHARS]}"


def _profit(pnl: Decimal, symbol: Symbol) -> str:
    """Write a result in cents of the quote coin, or in full where it is less than one."""
    figure = text(pnl) if distance(pnl, ZERO) < CENT else _cents(pnl)
    return f"P&L {figure} {symbol.partition('/')[2]}".rstrip()


def _cents(value: Decimal) -> str:
    return f"{value.quantize(CENT, context=ROUNDED):+f}"


def _counted(count: int, noun: str, plural: str = "s") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}{plural}"
