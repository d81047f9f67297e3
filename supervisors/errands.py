"""What a person asks of an AEGIS that does not run: done under the store's lock, then it is over.

`halt`, `resume`, `resolve` and `import` only write; `reconcile`, `diagnose` and `flatten` start the
tree without Strategy.

Invariants:
1. The lock decides: where somebody has the store, `StoreBusy` is raised and nothing is done.
2. What was written when it is killed stands; the next start, or the same errand, goes on from it.
3. A dry run happens on a copy: the store and the paper account stay as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from aegis.clock import draw_hex
from aegis.config.model import Config
from aegis.control import Answer, Ask
from aegis.domain.account import CANARY
from aegis.domain.answers import (
    change_for,
    told_change,
    told_first_look,
    told_order_resolution,
    told_resolution,
)
from aegis.domain.book import Book
from aegis.domain.commands import Command, Refusal, ResolvePosition
from aegis.domain.coverage import lack_of
from aegis.domain.events import Recorded, name_of
from aegis.domain.foreign import named
from aegis.domain.ids import Coin, Instant, PositionId
from aegis.domain.money import text
from aegis.domain.narrate import describe
from aegis.domain.notices import notice_of
from aegis.exchange.live.canary import told_over
from aegis.exchange.paper_ledger import read_ledger
from aegis.log import logger as log_file
from aegis.ports import Log
from aegis.store.clerk import Clerk
from aegis.store.journal import Store
from aegis.store.lock import take_lock
from aegis.store.mark import mark_path
from supervisors.backing import back_up_before_migration
from supervisors.channels import messengers_of
from supervisors.desks import clients_of
from supervisors.importing import take_over, told_import
from supervisors.outing import OPERATOR, Bag, Outing, is_at_exchange
from supervisors.preflight import refuse_other_quote, refuse_stray_ledger
from supervisors.quick import INCARNATION_DIGITS
from supervisors.recovering import Recovery
from supervisors.restoring import Progress, no_progress, restore_life
from supervisors.settings import about_of, identity_of, ledger_path, limits_of

WRITTEN = frozenset({"halt", "resume", "resolve", "import"})
"""What only writes; nothing is started for it."""


def act(
    config: Config,
    *,
    folder: Path,
    log: log_file.Log,
    ask: Ask,
    progress: Progress = no_progress,
    on_selling: Callable[[], None] = lambda: None,
) -> Answer:
    """Do what a person asks, and return the answer; raises what opening raises.

    `progress` hears of the pages of a restore; `on_selling` is called once a flatten is in the
    books, where the exchange is then asked and it takes its time.
    """
    messengers = messengers_of(config, log)
    bag = Bag(config=config, folder=folder, log=log, messengers=messengers, ask=ask)
    if ask.command == "restore":
        return restore_life(config, ask.backup, messengers, log, progress)
    do = _write if ask.command in WRITTEN else _go
    balances: Mapping[Coin, Decimal] = {}
    if ask.command not in WRITTEN and is_at_exchange(config, ask):
        if ask.command == "flatten":
            bag = msgspec.structs.replace(bag, on_selling=on_selling)
        if ask.command != "flatten" or config.mode != "live":  # getting out waits for no answer
            balances = _expect_reachable(config, log)
    if not ask.is_dry_run:
        return do(bag)
    is_first_look = not config.store.path.exists()
    with _copy_of(config) as copied:
        answer = do(msgspec.structs.replace(bag, config=copied, log=_unheard))
    if not is_first_look:
        return answer
    told = told_first_look(config.exchange.name, balances)
    return msgspec.structs.replace(answer, text=f"{told}\n{answer.text}")


def _go(bag: Bag) -> Answer:
    """Do what takes the tree: all of it, or to compare before and after."""
    if bag.ask.command != "recover":
        return Outing(bag).done()
    compare = msgspec.structs.replace(bag, ask=Ask(command="reconcile"))
    recovery = Recovery(
        config=bag.config,
        messengers=bag.messengers,
        log=bag.log,
        reconcile=lambda: Outing(compare).done(),
    )
    return recovery.find() if bag.ask.is_dry_run else recovery.book()


def _expect_reachable(config: Config, log: Log) -> Mapping[Coin, Decimal]:
    from supervisors.reach import expect_reachable

    clients = clients_of(config, log)
    assert clients is not None, f"Expected an exchange to ask, was {config.market.source}"
    return expect_reachable(config, clients)


def _unheard(_event: str, /, **_fields: object) -> None:
    """Say nothing: what happens to a copy has not happened."""


# Under the lock ------------------------------------------------------------------------------


def _write(bag: Bag) -> Answer:
    """Decide and write events; nothing else is started."""
    config, ask = bag.config, bag.ask
    refuse_stray_ledger(config.store.path, ledger_path(config))
    store = Store.open(
        config.store.path,
        identity_of(config),
        draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
        now=Instant(0),
        channels=tuple(each.channel for each in bag.messengers),
        notice_of=partial(notice_of, about=about_of(config)),
        backup=partial(back_up_before_migration, config),
    )
    try:
        refuse_other_quote(store, config.exchange.symbols)
        clerk = Clerk(store, limits_of(config), by=OPERATOR)
        if ask.incoming:
            return _import(bag, store, clerk)
        if ask.resolve is not None:
            return _resolve(bag, store, clerk, ask.resolve)
        if ask.resolve_order is not None:
            book = store.book.copy()
            _, refusal = _execute(bag, clerk, ask.resolve_order)
            return _answer(told_order_resolution(ask.resolve_order, book, refusal))
        before = store.book.account
        if ask.command == "resume" and (over := _canary_over(config, store)) is not None:
            return _answer(told_change("resume", before, (), over))
        command = change_for(ask.command, store.book, config.exchange.quote)
        done = _execute(bag, clerk, command)
        return _answer(told_change(ask.command, before, *done))
    finally:
        store.close()


def _canary_over(config: Config, store: Store) -> Refusal | None:
    """Return why a `resume` would not last past the next entry, or None."""
    orders_max = config.live.canary_orders
    if config.mode != "live" or orders_max == 0 or store.entries_sent() < orders_max:
        return None
    return Refusal(code=CANARY, text=told_over(orders_max))


def _import(bag: Bag, store: Store, clerk: Clerk) -> Answer:
    imported = take_over(bag.config, store, clerk, bag.ask.incoming)
    _tell(bag, imported.records)
    return _answer(told_import(imported, is_dry_run=bag.ask.is_dry_run))


def _resolve(bag: Bag, store: Store, clerk: Clerk, word: ResolvePosition) -> Answer:
    clerk.recall(PositionId(word.name))  # a word may concern the price of what has closed
    before = store.book.copy()
    covered = _covered(bag.config, before, word)
    done = ((), covered) if covered else _execute(bag, clerk, word)
    return _answer(told_resolution(word, before, *done))


def _covered(config: Config, book: Book, word: ResolvePosition) -> Refusal | None:
    """Return the refusal of a word on coins that the exchange has again, or None."""
    position = named(book, word.name)
    if position is None or position.position_id not in book.account.unresolved:
        return None
    if config.mode == "live":
        return None  # nobody is asked: the next reconciliation says what the exchange has
    lack = lack_of(book, read_ledger(ledger_path(config)).balances, position)
    if lack > 0:
        return None
    return Refusal(
        code="not_unresolved",
        text=f"{position.symbol}: the exchange has {text(position.amount)} "
        f"{position.instrument.base} of position {position.position_id} again; run reconcile",
    )


def _execute(
    bag: Bag, clerk: Clerk, command: Command
) -> tuple[tuple[Recorded, ...], Refusal | None]:
    done = clerk.execute(command, now=Instant(0))  # at the last stored instant
    if isinstance(done, Refusal):
        return (), done
    _tell(bag, done)
    return done, None


def _tell(bag: Bag, records: Iterable[Recorded]) -> None:
    for recorded in records:
        level, fields = describe(recorded)
        bag.log(name_of(recorded.event), level=level, **fields)


def _answer(told: tuple[bool, str]) -> Answer:
    is_done, words = told
    return Answer(is_done=is_done, text=words)


# A copy -------------------------------------------------------------------------------------


@contextmanager
def _copy_of(config: Config) -> Iterator[Config]:
    """Yield the configuration of a copy of the store and the account, made under the lock."""
    path = config.store.path
    lock = take_lock(path) if path.exists() else None  # else there is nothing to be changed
    try:
        with TemporaryDirectory(prefix="aegis-dry-run-") as folder:
            for file in _files_of(config):
                if file.exists():
                    shutil.copyfile(file, Path(folder) / file.name)
            store = config.store.model_copy(update={"path": Path(folder) / path.name})
            yield config.model_copy(update={"store": store})
    finally:
        if lock is not None:
            lock.release()


def _files_of(config: Config) -> tuple[Path, ...]:
    """Return what a life is on disk: databases with their WALs, and the mark."""
    databases = (config.store.path, ledger_path(config))
    wals = tuple(each.with_name(each.name + "-wal") for each in databases)
    return (*databases, *wals, mark_path(config.store.path))
