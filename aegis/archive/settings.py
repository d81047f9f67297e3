"""What the configuration means to backups."""

from __future__ import annotations

from aegis.archive.shelf import Archive
from aegis.config.model import Config
from aegis.domain.ids import NANOS_PER_SECOND
from aegis.exchange.paper_ledger import ledger_beside


def archive_of(config: Config) -> Archive:
    """Return whose backups are kept where; on paper the account is part of a life."""
    backup, store = config.backup, config.store.path
    return Archive(
        store=str(store),
        account=str(ledger_beside(store)) if config.mode != "live" else "",
        folder=str(backup.path),
        copies="" if backup.copy_to is None else str(backup.copy_to),
        keep=backup.keep,
        interval_ns=backup.interval_s * NANOS_PER_SECOND,
    )
