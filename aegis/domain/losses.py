"""What a close makes of day and losses: a day begins, a limit is hit, or a height is new. Pure."""

from __future__ import annotations

from aegis.domain.account import TradingState
from aegis.domain.book import Book
from aegis.domain.commands import ChangeTradingState, RecordPeak, StartDay
from aegis.domain.guard import is_peak_due
from aegis.domain.ids import Instant
from aegis.domain.risk import Limits, equity_of, loss_breach


def after_close(
    book: Book, limits: Limits, day: Instant
) -> StartDay | ChangeTradingState | RecordPeak | None:
    """Return what is to be recorded at a close, within the day that began at an instant."""
    account = book.account
    if not account.has_balances:
        return None
    equity, began = equity_of(book, limits.quote_coin), account.day_started_at
    if began is None or day > began:  # a day start that was moved back begins no day again
        return StartDay(day_started_at=day, equity=equity)
    breach = loss_breach(book, equity, limits)
    if breach is not None and account.trading_state is TradingState.ACTIVE:
        return ChangeTradingState(
            state=TradingState.REDUCING, cause=breach.code, reason=breach.text
        )
    return RecordPeak(equity=equity) if is_peak_due(account.peak_equity, equity) else None
