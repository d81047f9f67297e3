"""What must be true of store, ledger and configuration together before anything runs.

Each fault is one line, and leaves every file as it was. It must never mend: two files that do
not belong together are for a person to sort out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from aegis.config.values import quote_of
from aegis.domain.book import Book
from aegis.domain.ids import Coin, EventId, Symbol
from aegis.domain.money import ZERO, minus, plus
from aegis.exchange.paper_ledger import (
    PaperLedger,
    foreign_ledger,
    missing_ledger,
    open_ledger,
)
from aegis.store.errors import StoreCorrupt, StoreForeign, StoreUnguarded
from aegis.store.journal import Store
from aegis.store.mark import mark_path


def refuse_stray_ledger(store: Path, ledger: Path) -> None:
    """Refuse to make a new store beside the exchange's record of another."""
    if ledger.exists() and not store.exists() and not mark_path(store).exists():
        raise foreign_ledger(ledger)


def refuse_other_markets(store: Store, symbols: tuple[Symbol, ...]) -> None:
    """Refuse symbols that do not go with what a store traded, or holds."""
    refuse_other_quote(store, symbols)
    _refuse_unguarded(store.book, symbols)


def refuse_other_quote(store: Store, symbols: tuple[Symbol, ...]) -> None:
    """Refuse symbols priced in another coin than what a store traded: its sums would be none."""
    known, wanted = store.quote(), quote_of(symbols[0])
    if known not in (None, wanted):
        raise StoreForeign("quote coin", wanted, str(known))


def refuse_vanished(path: Path, committed: EventId) -> None:
    """Refuse to make a new store where this process had one."""
    if not path.exists():
        text = f"{path} had reached event {committed} and was removed while in use"
        raise StoreCorrupt("files", text)


def shrunken_store(store: Store, committed: EventId) -> StoreCorrupt:
    """Return what there is to say of a store that lost what this process has written."""
    text = f"the log ends at event {store.recovered_events}, this process had written {committed}"
    return StoreCorrupt("files", text)


def open_own_ledger(
    path: Path, store: Store, balances: Mapping[Coin, Decimal], market: str, *, is_kept: bool
) -> PaperLedger:
    """Open the ledger that belongs to a store; one that never met its exchange gets a new one.

    It begins with the coins of what the store holds already, as a person told of it, but for those
    that an exchange was told to lack: what became of these is a question, and stays one.
    """
    is_new = not store.book.account.has_balances
    begins_with, lacking = dict(balances), store.book.account.unresolved
    for position in store.book.alive_positions() if is_new else ():
        base = position.instrument.base
        there = minus(position.amount, lacking.get(position.position_id, ZERO))
        begins_with[base] = plus(begins_with.get(base, ZERO), max(ZERO, there))
    ledger = open_ledger(
        path, begins_with, market, owner=store.birth, may_create=is_new, is_kept=is_kept
    )
    has_orders = ledger.next_order_number() > 1
    # Two runs of one seed draw one incarnation, so what they lived through is compared too.
    if is_new and has_orders:
        ledger.close()
        raise foreign_ledger(path)
    if store.has_fills() and not has_orders:
        ledger.close()
        raise missing_ledger(path, "an empty one")
    return ledger


def _refuse_unguarded(book: Book, symbols: tuple[Symbol, ...]) -> None:
    """Refuse what is held, or under way, in a symbol that no candle and no stop would reach."""
    for position in book.alive_positions():
        if position.symbol not in symbols:
            raise StoreUnguarded(position.symbol, f"is held (position {position.position_id})")
    for order in book.active_orders():
        if order.symbol not in symbols:
            raise StoreUnguarded(order.symbol, f"has an active order ({order.client_order_id})")
