"""How each mend is done to an open store; told apart here, done by the journal and its files."""

from __future__ import annotations

from typing import assert_never

from aegis.domain.ids import Instant
from aegis.domain.mends import (
    EmptyWal,
    FreeReserve,
    MakeReserve,
    Mend,
    RebuildRows,
    RewriteMark,
    SetAside,
    TrimOld,
)
from aegis.store.journal import Store
from aegis.store.reserve import free_reserve, make_reserve


def mend(store: Store, wanted: Mend, now: Instant) -> None:
    """Do one mend; a second time there is nothing left to do."""
    match wanted:
        case SetAside(orphans=orphans):
            for orphan in orphans:
                store.quarantine(orphan.event_id, orphan.reason, now)
        case RewriteMark():
            store.rewrite_mark()
        case EmptyWal():
            store.empty_wal()
        case TrimOld(before=before):
            store.trim(before)
        case FreeReserve():
            free_reserve(store.path)
        case MakeReserve():
            make_reserve(store.path)
        case RebuildRows():
            store.rebuild()
        case _:
            assert_never(wanted)
