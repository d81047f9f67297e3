"""What a person can ask for, as commands, and how the answer reads: what was, what is, and why.

Pure; the same words from a running AEGIS and from one that was started for this alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from aegis.domain.account import Account, TradingState
from aegis.domain.book import Book
from aegis.domain.commands import ChangeTradingState, Refusal, ResolveOrder, ResolvePosition
from aegis.domain.events import (
    Discrepancy,
    OrderFilled,
    PositionClosed,
    PositionRepriced,
    PositionTransferred,
    PositionUnpriced,
    Recorded,
    TradingStateChanged,
)
from aegis.domain.foreign import named
from aegis.domain.ids import Coin
from aegis.domain.money import minus, text, total
from aegis.domain.order import OrderState
from aegis.domain.position import Position
from aegis.domain.risk import equity_of

STEERING = ("halt", "resume", "flatten")
"""Words that change the trading state."""

UNREACHED, DENIED = "unreached", "key_denied"
"""Why an exchange could not be asked: nobody answered, or it did not take the key."""

Answer = tuple[bool, str]
"""Whether it was done, and what there is to say."""


def change_for(word: str, book: Book, quote_coin: Coin) -> ChangeTradingState:
    """Return the change of the trading state that a person's word means now."""
    assert word in STEERING, f"Expected one of {STEERING}, was {word!r}"
    if word == "resume":
        return ChangeTradingState(
            state=TradingState.ACTIVE,
            cause="",
            reason="resumed by the operator",
            equity=equity_of(book, quote_coin),
        )
    is_flattening = word == "flatten"
    return ChangeTradingState(
        state=TradingState.REDUCING,
        cause="flatten" if is_flattening else "operator",
        reason="flatten by the operator" if is_flattening else "halted by the operator",
        is_flattening=is_flattening,
    )


def told_change(
    word: str,
    before: Account,
    records: Sequence[Recorded],
    refusal: Refusal | None,
    *,
    hold: str | None = None,
    unsold: Sequence[str] = (),
) -> Answer:
    """Return the answer to a change of the trading state.

    `hold` says why the exchange may take nothing now, `unsold` what could not be sold before; who
    leaves everything should know.
    """
    was = before.trading_state
    why = before.reason or before.cause
    is_said = refusal is not None and refusal.text == why
    stands = f"{was} ({why})" if why and not is_said else str(was)
    if refusal is not None:
        return False, f"still {stands}: {refusal.text}"
    changes = [r.event for r in records if isinstance(r.event, TradingStateChanged)]
    if word == "flatten":
        new = f"{was} -> {changes[-1].state} ({word}): {changes[-1].reason}" if changes else ""
        told = [new or f"{stands} already, and it goes on", *unsold]
        if hold is not None:
            told.append(f"what cannot be sent now is sent when it can: {hold}")
        return True, "; ".join(told)
    if not changes:
        return True, f"{stands} already, nothing changed"
    told_new = f"{was} -> {changes[-1].state} ({word}): {changes[-1].reason}"
    if word == "resume" and before.is_flattening:
        told_new += "; the flatten is called off, and what it had not left yet stays open"
    return True, told_new


def told_resolution(
    command: ResolvePosition, before: Book, records: Sequence[Recorded], refusal: Refusal | None
) -> Answer:
    """Return the answer to a person's word on a position."""
    position = named(before, command.name)
    if refusal is not None:
        return False, refusal.text
    assert position is not None, f"Expected a position {command.name}, as it was resolved"
    name = f"{position.symbol} (position {position.position_id})"
    return True, f"{name}: {_held(position)} -> {_after(position, records)} (resolve)"


def told_order_resolution(command: ResolveOrder, before: Book, refusal: Refusal | None) -> Answer:
    """Return the answer to a person's word on an order."""
    if refusal is not None:
        return False, refusal.text
    order = before.orders.get(command.client_order_id)
    assert order is not None, f"Expected an order {command.client_order_id}, as it was resolved"
    what = f"order {order.client_order_id} ({order.side} {text(order.amount)} {order.symbol})"
    return True, f"{what}: {order.state} -> {OrderState.NOT_PLACED} (resolve)"


def _held(position: Position) -> str:
    if position.is_unpriced:
        return "CLOSED without a price"
    return f"{position.status} {text(position.amount)} {position.instrument.base}"


def _after(position: Position, records: Sequence[Recorded]) -> str:
    events = [recorded.event for recorded in records]
    for event in events:
        match event:
            case PositionClosed():
                return f"CLOSED, P&L {text(event.pnl)}"
            case PositionRepriced():
                return f"CLOSED at {text(event.price)}, P&L {text(event.pnl)}"
            case PositionUnpriced():
                return "CLOSED, neither gain nor loss"
            case _:
                continue
    gone = [event.fill.amount for event in events if isinstance(event, OrderFilled)]
    gone += [event.amount for event in events if isinstance(event, PositionTransferred)]
    left = minus(position.amount, total(gone))
    return f"OPEN {text(left)} {position.instrument.base}"


def told_first_look(exchange: str, balances: Mapping[Coin, Decimal]) -> str:
    """Return what an account shows that no store knows yet: its coins, by their names."""
    coins = ", ".join(f"{text(balances[coin])} {coin}" for coin in sorted(balances)) or "no coins"
    return f"no store yet; {exchange} takes the key, and the account has {coins}"


def told_unread(reason: str) -> tuple[str, str]:
    """Return why an account cannot be read now, as a word and as what to say of it."""
    word = DENIED if reason.startswith(DENIED) else UNREACHED
    return word, f"not compared, since the account cannot be read: {reason}"


def told_late(after_s: int, *, is_word: bool) -> Answer:
    """Return the answer where a reconciliation takes long; what a person said is then let go."""
    if is_word:
        what = "nothing changed: what you say is laid beside the exchange first, and that takes"
        return False, f"{what} more than {after_s} s now; say it again"
    goes_on = "it goes on, and run.py status shows its end"
    return False, f"not done yet after {after_s} s: the exchange answers slowly; {goes_on}"


def told_reconciliation(found: Sequence[Discrepancy], *, is_dry_run: bool) -> Answer:
    """Return the answer to `reconcile`: how much differs, then a line for each difference."""
    healed = sum(each.is_healed for each in found)
    what = "nothing changed" if is_dry_run or not healed else f"{healed} healed"
    lines = [f"{len(found)} {'discrepancy' if len(found) == 1 else 'discrepancies'}, {what}"]
    lines += [
        f"{each.kind}{f' {each.symbol}' if each.symbol else ''} {each.subject}: "
        f"expected {each.expected}, found {each.found}; {each.action}"
        for each in found
    ]
    return is_dry_run or healed == len(found), "\n".join(lines)
