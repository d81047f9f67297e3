"""How the account follows from an event of anybody's."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import Account
from aegis.domain.events import (
    BalancesStarted,
    DayStarted,
    Discrepancy,
    DustSetAside,
    EquityPeaked,
    ExternalChangeSeen,
    OrderFilled,
    OrderSubmitted,
    PositionClosed,
    PositionImported,
    PositionMarked,
    PositionTransferred,
    PositionUnpriced,
    ReconciliationCompleted,
    TradingStateChanged,
)
from aegis.domain.fold.coins import with_coin, with_coins
from aegis.domain.fold.parts import beyond, brought, own_part
from aegis.domain.fold.positions import cost_of
from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant, PositionId, is_derivative
from aegis.domain.money import ZERO, minus, negative, plus, times
from aegis.domain.order import Order, Role, Side
from aegis.domain.position import Position, worth
from aegis.domain.restores import RecoveryCompleted, StoreRestored

replace = msgspec.structs.replace

RATE_WINDOW_NS = 60 * NANOS_PER_SECOND


def evolve_account(
    account: Account,
    event: object,
    at: Instant,
    position: Position | None,
    order: Order | None,
) -> Account:
    """Return the account after one event of anybody's."""
    match event:
        case PositionMarked():  # first, as they come most often
            return account
        case BalancesStarted():
            return replace(account, balances=dict(event.balances), has_balances=True)
        case OrderFilled():
            assert position is not None, f"A fill of no position: {event}"
            assert order is not None, f"A fill of no order: {event}"
            return _filled(account, position, event, order)
        case ExternalChangeSeen():
            return _transferred(account, event)
        case PositionImported():
            assert position is not None
            return _with(account, position, event)
        case PositionTransferred():
            assert position is not None
            return _without(account, position, event)
        case DustSetAside():
            return replace(account, dust=with_coin(account.dust, event.coin, event.amount))
        case OrderSubmitted() if order is not None and order.adds:
            recent = [t for t in account.entries_submitted_at if t > at - RATE_WINDOW_NS]
            return replace(account, entries_submitted_at=(*recent, at))
        case PositionClosed() | PositionUnpriced():
            assert position is not None
            return _closed(account, position, event, at)
        case DayStarted():
            return replace(
                account,
                day_started_at=event.day_started_at,
                day_start_equity=event.equity,
                peak_equity=max(account.peak_equity, event.equity),
            )
        case EquityPeaked():
            return replace(account, peak_equity=event.equity)
        case TradingStateChanged():
            return replace(
                account,
                trading_state=event.state,
                cause=event.cause,
                reason=event.reason,
                is_flattening=event.is_flattening,
                peak_equity=account.peak_equity if event.equity is None else event.equity,
            )
        case StoreRestored():
            return replace(account, restored_at=at)
        case RecoveryCompleted():
            return replace(account, restored_at=None, looked_at=at)  # a person has, up to now
        case ReconciliationCompleted() if not event.is_dry_run:
            return _reconciled(account, event, at)
        case _:
            return account


def _filled(account: Account, position: Position, event: OrderFilled, order: Order) -> Account:
    """Return the account after a fill of a position as it was before.

    What coins of the owner's brought is no gain: loss limits go on from what is there now.
    """
    after = replace(
        account,
        balances=_after_fill(account, position, event, order),
        dust=_dust_after(account, position, event, order),
    )
    if event.not_ours > 0:
        after = _raised(after, brought(event, position.instrument.quote))
        after = replace(after, dust=_dust_there(after, position.instrument.base))
    return _resolved(after, position) if order.role is Role.FORCED else after


def _closed(
    account: Account, position: Position, event: PositionClosed | PositionUnpriced, at: Instant
) -> Account:
    is_word = isinstance(event, PositionUnpriced)
    after = _resolved(account, position) if is_word else _unasked(account, position)
    return replace(after, last_closed_at={**account.last_closed_at, event.symbol: at})


def _reconciled(account: Account, event: ReconciliationCompleted, at: Instant) -> Account:
    """Return the account after a comparison.

    What nobody knows here, as what a restored store has forgotten, stays in sight until a person
    has settled it: the next look begins where this one began.
    """
    open_ends = [found for found in event.discrepancies if not found.is_healed]
    orphans = tuple(f.subject for f in open_ends if f.kind == "orphan")
    looked = replace(account, reconciled_at=at, looked_at=event.as_of, restored_at=None)
    return replace(
        account if orphans else looked,
        blocked=tuple(sorted({f.symbol for f in open_ends if f.symbol is not None})),
        orphans=orphans,
        unresolved={
            f.position_id: f.missing
            for f in open_ends
            if f.position_id is not None and f.missing is not None
        },
        locks=_locks(event.discrepancies),
        doubted=_doubted(open_ends) or msgspec.UNSET,
    )


def _doubted(open_ends: list[Discrepancy]) -> tuple[PositionId, ...]:
    orphans = (each for each in open_ends if each.kind == "orphan")
    return tuple(sorted({each.position_id for each in orphans if each.position_id is not None}))


def _locks(
    found: tuple[Discrepancy, ...],
) -> dict[Coin, tuple[str, ...]] | msgspec.UnsetType:
    """Return which orders of others keep which coins; nothing where none does."""
    locks: dict[Coin, tuple[str, ...]] = {}
    for each in found:
        if each.locks is not msgspec.UNSET:
            locks[each.locks] = (*locks.get(each.locks, ()), each.subject)
    return locks or msgspec.UNSET


def _transferred(account: Account, event: ExternalChangeSeen) -> Account:
    """Return the account after a transfer: loss limits go on from what is there now."""
    after = replace(account, balances=with_coin(account.balances, event.coin, event.amount))
    return _raised(after, event.amount) if event.counts_as_equity else after


def _raised(account: Account, transferred: Decimal) -> Account:
    """Return the account whose loss limits count from an equity that was moved, not made."""
    return replace(
        account,
        day_start_equity=plus(account.day_start_equity, transferred),
        peak_equity=max(ZERO, plus(account.peak_equity, transferred)),
    )


def _with(account: Account, position: Position, event: PositionImported) -> Account:
    """Return the account with coins that came in; loss limits go on from what is there now.

    A derivative brings no coins, and is worth what it has gained.
    """
    balances = account.balances
    value = worth(event.symbol, event.amount, times(event.amount, event.entry_price), event.price)
    if not is_derivative(event.symbol):
        balances = with_coin(balances, position.instrument.base, event.amount)
    return replace(
        account,
        balances=balances,
        day_start_equity=plus(account.day_start_equity, value),
        peak_equity=plus(account.peak_equity, value),
    )


def _without(account: Account, position: Position, event: PositionTransferred) -> Account:
    """Return the account without coins that left it; loss limits go on from what is there now."""
    return replace(
        _resolved(account, position),
        balances=with_coin(account.balances, event.coin, negative(event.amount)),
        day_start_equity=minus(account.day_start_equity, event.value),
        peak_equity=max(ZERO, minus(account.peak_equity, event.value)),
    )


def _resolved(account: Account, position: Position) -> Account:
    """Return the account with a position's question answered: its symbol takes entries again."""
    if position.position_id not in account.unresolved:
        return account
    blocked = tuple(symbol for symbol in account.blocked if symbol != position.symbol)
    return replace(_unasked(account, position), blocked=blocked)


def _unasked(account: Account, position: Position) -> Account:
    """Return the account without a position's question; the next reconciliation unblocks."""
    open_ends = account.unresolved
    left = {key: missing for key, missing in open_ends.items() if key != position.position_id}
    return account if left == open_ends else replace(account, unresolved=left)


def _dust_after(
    account: Account, position: Position, event: OrderFilled, order: Order
) -> dict[Coin, Decimal]:
    """Return the dust after a fill of a position as it was before: what was sold beyond it."""
    sold, coin = beyond(position, order, own_part(event)), position.instrument.base
    if sold == 0:
        return account.dust
    left = minus(account.dust.get(coin, ZERO), sold)
    assert left >= 0, f"Sold {sold} {coin} beyond {position.amount} and all dust: {event}"
    return with_coin(account.dust, coin, negative(sold))


def _dust_there(account: Account, coin: Coin) -> dict[Coin, Decimal]:
    """Return the dust where a sale may have taken of it: no more than there is of the coin."""
    over = minus(account.dust.get(coin, ZERO), max(ZERO, account.balances.get(coin, ZERO)))
    return with_coin(account.dust, coin, negative(over)) if over > 0 else account.dust


def _after_fill(
    account: Account, position: Position, event: OrderFilled, order: Order
) -> dict[Coin, Decimal]:
    """Return the balances after a fill of a position as it was before.

    Spot swaps two coins; of a derivative, what its exit gained comes in quote, and nothing else.
    """
    fill, cost = event.fill, times(event.fill.amount, event.fill.price)
    paid = (fill.fee_currency, negative(fill.fee))
    if is_derivative(position.symbol):
        gain = ZERO if order.adds else minus(cost, cost_of(position, fill.amount))
        return with_coins(account.balances, ((position.instrument.quote, gain), paid))
    is_buy = event.side is Side.BUY
    base = fill.amount if is_buy else negative(fill.amount)
    quote = negative(cost) if is_buy else cost
    return with_coins(
        account.balances,
        (
            (position.instrument.base, base),
            (position.instrument.quote, quote),
            paid,
        ),
    )
