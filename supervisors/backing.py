"""Backups as the system has them made, and what the diagnosis says of them.

Invariant: what was tried last is known to whoever asks, until something newer is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from aegis.archive.apart import make_apart
from aegis.archive.errors import ArchiveError
from aegis.archive.making import Made, make_backup
from aegis.archive.settings import archive_of
from aegis.archive.shelf import Archive, newest_in
from aegis.archive.words import Order
from aegis.clock import wall_text
from aegis.config.model import Config
from aegis.domain.ids import Instant
from aegis.domain.judgement import Judgement, judged
from aegis.exchange.paper_ledger import LedgerError
from aegis.store.errors import StoreFailed

MIGRATION = "migration"

OVERDUE_INTERVALS = 2
"""One may be under way, or have failed and be tried again; two are none."""


def back_up_before_migration(config: Config) -> None:
    """Keep a store as an older AEGIS left it; whoever opens it goes no further without that."""
    try:
        make_backup(archive_of(config), MIGRATION, wall_text())
    except (ArchiveError, LedgerError, OSError) as error:
        text = f"no backup could be made before its tables change, so nothing was changed: {error}"
        raise StoreFailed("migrate", text) from error


class Backing:
    """Makes backups of one life. `since` is the market's instant at which it began."""

    def __init__(
        self,
        archive: Archive,
        wall_text: Callable[[], str],
        since: Instant,
        make: Callable[[Order], Made] = make_apart,
    ) -> None:
        self._archive = archive
        self._wall_text = wall_text
        self._since = since
        self._make = make
        self._fault = ""

    def make(self, trigger: str) -> Made:
        """Make a backup, on whatever thread waits for it; raises what says why it cannot be."""
        order = Order(archive=self._archive, trigger=trigger, made_at=self._wall_text())
        try:
            made = self._make(order)
        except ArchiveError:
            self._fault = "the last one could not be made; the log says why"
            raise
        self._fault = "the last one has no copy in backup.copy_to" if made.copy_fault else ""
        return made

    def judge(self, now: Instant) -> Judgement:
        """Return whether there is a good backup that is young enough."""
        return judged("backup", list(self._faults(now)))

    def _faults(self, now: Instant) -> Iterator[str]:
        if self._fault:
            yield self._fault
        newest = newest_in(Path(self._archive.folder), self._archive.store_path.name)
        at = self._since if newest is None else max(newest.manifest.last_event_at, self._since)
        if now - at > OVERDUE_INTERVALS * self._archive.interval_ns:
            yield "there is none" if newest is None else f"{newest.folder.name} is the last one"
