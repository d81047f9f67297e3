"""Proof that store and account of one backup belong together, and that a backup is still whole."""

from __future__ import annotations

from pathlib import Path

from aegis.archive.errors import ArchiveError
from aegis.archive.shelf import Backup, expect_same_bytes
from aegis.exchange.paper_ledger import LedgerError, prove_ledger
from aegis.store.copying import Contents, booked_trades, look_at, prove_log


def prove_account(account: Path, store: Path, contents: Contents) -> None:
    """Raise `LedgerError` unless an account is whole, this store's, and not older than the store.

    It may know more: that is what a restored store has to be told.
    """
    market = contents.identity.identity.market
    view = prove_ledger(account, market, contents.birth)
    known = {(trade.symbol, trade.trade_id) for trade in view.trades}
    missing = sorted(booked_trades(store) - known)
    if missing:
        symbol, trade_id = missing[0]
        text = f"{account}: expected the trades that the store has booked, {symbol} {trade_id}"
        raise LedgerError(f"{text} is missing: it is older than the store")


def prove_backup(backup: Backup) -> Contents:
    """Return what a backup holds; raises unless it can be trusted.

    Its bytes are those that were proved whole when it was made, so the rows are not asked again;
    pages and chain are: 1 s at 100,000 events.
    """
    if backup.fault:
        raise ArchiveError(f"{backup.folder}: {backup.fault}")
    expect_same_bytes(backup)
    contents = look_at(backup.database)
    prove_log(backup.database, contents.head)
    return contents
