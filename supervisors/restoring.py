"""A restore as an errand: what is put back is signed before it takes the store's place.

Signed means: a new incarnation, the fact of the restore, and entries halted, all in the store
before anybody can start with it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from aegis.archive.choosing import Chosen, choose
from aegis.archive.restoring import Replaced, Restored, restore
from aegis.archive.settings import archive_of
from aegis.clock import draw_hex
from aegis.config.model import Config
from aegis.control import Answer
from aegis.domain.commands import RecordRestore, Refusal
from aegis.domain.events import name_of
from aegis.domain.ids import Incarnation, Instant
from aegis.domain.narrate import describe
from aegis.domain.notices import notice_of
from aegis.ports import Log, Messenger
from aegis.store.clerk import Clerk
from aegis.store.copying import begin_life
from aegis.store.journal import Store
from supervisors.quick import INCARNATION_DIGITS
from supervisors.settings import about_of, identity_of, limits_of

OPERATOR = "operator"

Progress = Callable[[int, int], None]


def no_progress(_done: int, _total: int) -> None:
    """Show nothing."""


def restore_life(
    config: Config, word: str, messengers: tuple[Messenger, ...], log: Log, progress: Progress
) -> Answer:
    """Put back what a person names, and say what to do next."""
    archive = archive_of(config)
    restored = restore(
        archive,
        identity_of(config),
        partial(choose, archive, word, progress),
        _Signature(config=config, messengers=messengers, log=log).put,
        progress,
    )
    return Answer(is_done=True, text="\n".join(_told(restored)))


class _Signature(msgspec.Struct, frozen=True, kw_only=True):
    config: Config
    messengers: tuple[Messenger, ...]
    log: Log

    def put(self, copy: Path, chosen: Chosen, replaced: Replaced) -> None:
        """Write down in a copy what it will be: a new life of the store, from a backup."""
        config = self.config
        incarnation = Incarnation(draw_hex(INCARNATION_DIGITS))
        begin_life(copy, incarnation)
        store = Store.open(
            copy,
            identity_of(config),
            draw_incarnation=lambda: incarnation,
            now=chosen.contents.last_at,
            channels=tuple(each.channel for each in self.messengers),
            notice_of=partial(notice_of, about=about_of(config)),
        )
        try:
            clerk = Clerk(store, limits_of(config), by=OPERATOR)
            records = clerk.execute(_command(chosen, replaced, incarnation), now=Instant(0))
            assert not isinstance(records, Refusal), f"Expected it to be noted: {records}"
        finally:
            store.close()
        for recorded in records:
            level, fields = describe(recorded)
            self.log(name_of(recorded.event), level=level, **fields)


def _command(chosen: Chosen, replaced: Replaced, incarnation: Incarnation) -> RecordRestore:
    return RecordRestore(
        backup=chosen.name,
        events=chosen.contents.head.event_id,
        head_hash=chosen.contents.head.hash,
        replaced=replaced.folder,
        replaced_events=replaced.events,
        incarnation=incarnation,
    )


def _told(restored: Restored) -> list[str]:
    lines = [f"passed over: {each}" for each in restored.passed_over]
    lines.append(f"restored {restored.name}: {restored.events} events")
    replaced = restored.replaced
    if replaced.folder:
        reach = "" if replaced.events is None else f", which had reached event {replaced.events}"
        lines.append(f"kept aside in {replaced.folder}: the store that was{reach}")
    if restored.is_account_kept is not None:
        which = "stays as it is" if restored.is_account_kept else "was put back as well"
        lines.append(f"the exchange's record {which}")
    lines += [
        "entries are halted; next: run.py reconcile, where it finds orders of ours run.py recover,",
        "and then run.py resume",
    ]
    return lines
