"""What concerns the whole account: trading state, the day, balances, completed rounds.

Invariants:
1. REDUCING by the daily limit ends with the day, every other only by a person's `resume`.
2. `resume` is refused while an outcome is unknown, an order is an orphan, the exchange differs in
   what only a person can resolve, or the day has lost more than it may.
3. A flatten under way ends when it is flat or resumed, and no halt ends it sooner.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from aegis.domain.account import CANARY, Account, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import (
    ChangeTradingState,
    CompleteDiagnosis,
    CompleteReconciliation,
    RecordExternalChange,
    RecordPeak,
    Refusal,
    StartBalances,
    StartDay,
)
from aegis.domain.events import (
    BalancesStarted,
    DayStarted,
    DiagnosisCompleted,
    EquityPeaked,
    ExternalChangeSeen,
    Proposed,
    ReconciliationCompleted,
    TradingStateChanged,
)
from aegis.domain.foreign import ORPHANS_DO, named_orphans, told_missing, told_orphans
from aegis.domain.money import FEE_DECIMALS_MAX, ZERO, is_figure
from aegis.domain.order import OrderState
from aegis.domain.proposals import NOTHING_NEW, Decision, proposed_of_account
from aegis.domain.risk import Limits, equity_of, loss_breach


def change_trading_state(book: Book, command: ChangeTradingState, limits: Limits) -> Decision:
    """Return the change where it is one, and where nothing stronger holds trading back."""
    if command.state is TradingState.ACTIVE:
        refusal = _not_resumable(book) or _lost_today(book, limits)
        if refusal is not None:
            return refusal
    return _state_changed(book, command)


def halted(book: Book, cause: str, reason: str) -> tuple[Proposed, ...]:
    """Return the end of entries that comes with another fact; nothing where they have ended."""
    halt = ChangeTradingState(state=TradingState.REDUCING, cause=cause, reason=reason)
    changed = _state_changed(book, halt)
    assert not isinstance(changed, Refusal), f"Expected a halt to be taken, was {changed}"
    return changed


def _state_changed(book: Book, command: ChangeTradingState) -> Decision:
    """Return a change that nobody has to agree to, where it is one."""
    account = book.account
    if command.equity is not None and not command.equity.is_finite():
        return _bad_figure(command.equity)
    if _is_weaker(account, command):
        return NOTHING_NEW
    if _is_latched(account, command):
        command = replace(command, is_flattening=True)
    wanted = (command.state, command.cause, command.is_flattening)
    if (account.trading_state, account.cause, account.is_flattening) == wanted:
        return NOTHING_NEW
    return proposed_of_account(
        TradingStateChanged(
            state=command.state,
            cause=command.cause,
            reason=command.reason,
            is_flattening=command.is_flattening,
            equity=command.equity,
        )
    )


WEAK_CAUSES = ("daily_loss", "drawdown", "orphan", "disk", "key_denied", CANARY)
"""Causes of a halt that is wanted anew as long as they last: they replace no other."""


def _is_weaker(account: Account, command: ChangeTradingState) -> bool:
    """Say whether what holds trading now ends no sooner than what is wanted would."""
    is_held = account.trading_state is TradingState.REDUCING and account.cause != "daily_loss"
    return is_held and command.cause in WEAK_CAUSES


def _is_latched(account: Account, command: ChangeTradingState) -> bool:
    """Say whether a flatten under way goes on: only its own end and a `resume` end it."""
    is_end = command.state is TradingState.ACTIVE or command.cause == "flatten"
    return account.is_flattening and not is_end


def _not_resumable(book: Book) -> Refusal | None:
    lost = [
        order.client_order_id
        for order in book.active_orders()
        if order.state in (OrderState.UNKNOWN, OrderState.NEEDS_HUMAN)
    ]
    if lost:
        return Refusal(
            code="unknown_outcome",
            text=f"the outcome of {', '.join(lost)} is unknown; a running AEGIS looks it up: wait, "
            "or start it where none runs",
            mends_with_time=True,
        )
    if book.account.orphans:
        return Refusal(
            code="orphan",
            text=f"{named_orphans(book.account.orphans)} not known here: {ORPHANS_DO}",
        )
    if book.account.restored_at is not None:
        return Refusal(
            code="restored",
            text="the store was restored and not compared with the exchange since; run reconcile",
            mends_with_time=True,
        )
    return _unresolved(book)


def _lost_today(book: Book, limits: Limits) -> Refusal | None:
    """Return the day's loss where it is beyond its limit: a `resume` would not last a candle."""
    breach = loss_breach(book, equity_of(book, limits.quote_coin), limits)
    if breach is None or breach.code != "daily_loss":
        return None
    text = "the new day ends it; to go on today set risk.daily_loss_max above that loss"
    return replace(breach, text=text)


def _unresolved(book: Book) -> Refusal | None:
    account = book.account
    if not account.blocked:
        return None
    told = [
        told_missing(position, account.unresolved[position.position_id])
        for position in book.alive_positions()
        if position.position_id in account.unresolved
    ]
    named = {
        position.symbol
        for position in book.alive_positions()
        if position.position_id in account.unresolved
    }
    others = [symbol for symbol in account.blocked if symbol not in named]
    if others:
        told.append(f"{', '.join(others)} differs from the exchange; run reconcile to see in what")
    return Refusal(code="unresolved", text="; ".join(told))


def start_day(book: Book, command: StartDay) -> Decision:
    """Return the new day, and the end of a halt that was for the old one."""
    if not command.equity.is_finite():
        return _bad_figure(command.equity)
    began = book.account.day_started_at
    if began is not None and command.day_started_at <= began:
        return NOTHING_NEW
    started = proposed_of_account(
        DayStarted(day_started_at=command.day_started_at, equity=command.equity)
    )
    if book.account.cause != "daily_loss":
        return started
    resumed = TradingStateChanged(
        state=TradingState.ACTIVE,
        cause="",
        reason="a new day began",
        is_flattening=False,
        equity=None,
    )
    return (*started, *proposed_of_account(resumed))


def _bad_figure(figure: Decimal) -> Refusal:
    return Refusal(code="bad_figure", text=f"expected a finite figure, was {figure}")


def complete_reconciliation(book: Book, command: CompleteReconciliation) -> Decision:
    """Return the round's record, and a halt where it found orphans."""
    completed = proposed_of_account(
        ReconciliationCompleted(
            generation=command.generation,
            trigger=command.trigger,
            exchange_positions=command.exchange_positions,
            local_positions=command.local_positions,
            discrepancies=command.discrepancies,
            is_dry_run=command.is_dry_run,
            as_of=command.as_of,
        )
    )
    orphans = [found.subject for found in command.discrepancies if found.kind == "orphan"]
    if command.is_dry_run or not orphans:
        return completed
    return (*completed, *halted(book, "orphan", told_orphans(orphans)))


def note_fact(
    book: Book,
    command: StartBalances | RecordExternalChange | RecordPeak | CompleteDiagnosis,
    limits: Limits,
) -> Decision:
    """Return a fact about the account where it is news."""
    match command:
        case StartBalances():
            if book.account.has_balances:
                return NOTHING_NEW
            for figure in command.balances.values():
                if not is_figure(figure, FEE_DECIMALS_MAX):
                    return _bad_figure(figure)
            return proposed_of_account(BalancesStarted(balances=command.balances))
        case RecordExternalChange():
            if not is_figure(command.amount, FEE_DECIMALS_MAX):
                return _bad_figure(command.amount)
            expected = book.account.balances.get(command.coin, ZERO)
            if command.before is not None and command.before != expected:
                return NOTHING_NEW
            return proposed_of_account(
                ExternalChangeSeen(
                    kind=command.kind,
                    coin=command.coin,
                    amount=command.amount,
                    reference=command.reference,
                    note=command.note,
                    counts_as_equity=command.coin == limits.quote_coin,
                )
            )
        case RecordPeak():
            if not command.equity.is_finite():
                return _bad_figure(command.equity)
            if command.equity <= book.account.peak_equity:
                return NOTHING_NEW
            return proposed_of_account(EquityPeaked(equity=command.equity))
        case CompleteDiagnosis():
            return proposed_of_account(
                DiagnosisCompleted(
                    generation=command.generation,
                    trigger=command.trigger,
                    checks=command.checks,
                )
            )
