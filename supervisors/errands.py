"""What a person asks of an AEGIS that does not run: done under the store's lock, then it is over.

`halt`, `resume`, `resolve` and `import` only write. `reconcile`, `diagnose` and `flatten` start the
tree without Strategy, at the last stored instant, on one thread; the market stands still there.

Invariants:
1. The lock decides: where somebody has the store, `StoreBusy` is raised and nothing is done.
2. What was written when it is killed stands; the next start, or the same errand, goes on from it.
3. A dry run happens on a copy: the store and the paper account stay as they are.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty
from tempfile import TemporaryDirectory

import msgspec

from actors import names
from aegis.clock import ManualClock, draw_hex
from aegis.config.model import Config
from aegis.control import Answer, Ask
from aegis.domain.answers import change_for, told_change, told_resolution
from aegis.domain.book import Book
from aegis.domain.commands import Command, Refusal, ResolvePosition
from aegis.domain.coverage import lack_of
from aegis.domain.events import Recorded, name_of
from aegis.domain.foreign import named
from aegis.domain.ids import NANOS_PER_SECOND, Instant, PositionId
from aegis.domain.money import text
from aegis.domain.narrate import describe
from aegis.domain.notices import notice_of
from aegis.domain.order import OrderState
from aegis.exchange.paper_ledger import read_ledger
from aegis.log import logger as log_file
from aegis.messages import ControlReply, ControlRequest
from aegis.ports import Log, Messenger
from aegis.store.clerk import Clerk
from aegis.store.journal import Store
from aegis.store.lock import take_lock
from aegis.store.mark import mark_path
from supervisors.backing import back_up_before_migration
from supervisors.channels import messengers_of
from supervisors.importing import take_over, told_import
from supervisors.preflight import refuse_other_quote, refuse_stray_ledger
from supervisors.quick import INCARNATION_DIGITS
from supervisors.recovering import Recovery
from supervisors.restoring import Progress, no_progress, restore_life
from supervisors.runtime import SeededRuntime
from supervisors.settings import about_of, identity_of, ledger_path, limits_of
from supervisors.system import System
from supervisors.tree import TRADING, Errand

ERRAND_S_MAX = 120
"""Market seconds that an errand may take; the exchange on paper answers within one."""

OPERATOR = "operator"

WRITTEN = frozenset({"halt", "resume", "resolve", "import"})
"""What only writes; nothing is started for it."""

RECONCILING, FLATTENING = 1, 2
"""Tokens of the two questions that an errand may ask."""


class _Bag(msgspec.Struct, frozen=True, kw_only=True):
    """What an errand takes along. Its notices wait in the outbox for who runs next."""

    config: Config
    folder: Path
    log: Log
    messengers: tuple[Messenger, ...]
    ask: Ask


def act(
    config: Config,
    *,
    folder: Path,
    log: log_file.Log,
    ask: Ask,
    progress: Progress = no_progress,
) -> Answer:
    """Do what a person asks, and return the answer; raises what opening raises.

    `progress` hears of the pages of a restore.
    """
    messengers = messengers_of(config, log)
    bag = _Bag(config=config, folder=folder, log=log, messengers=messengers, ask=ask)
    if ask.command == "restore":
        return restore_life(config, ask.backup, messengers, log, progress)
    do = _write if ask.command in WRITTEN else _go
    if not ask.is_dry_run:
        return do(bag)
    with _copy_of(config) as copied:
        return do(msgspec.structs.replace(bag, config=copied, log=_unheard))


def _go(bag: _Bag) -> Answer:
    """Do what takes the tree: all of it, or to compare before and after."""
    if bag.ask.command != "recover":
        return _Outing(bag).done()
    compare = msgspec.structs.replace(bag, ask=Ask(command="reconcile"))
    recovery = Recovery(
        config=bag.config,
        messengers=bag.messengers,
        log=bag.log,
        reconcile=lambda: _Outing(compare).done(),
    )
    return recovery.find() if bag.ask.is_dry_run else recovery.book()


def _unheard(_event: str, /, **_fields: object) -> None:
    """Say nothing: what happens to a copy has not happened."""


# Under the lock ------------------------------------------------------------------------------


def _write(bag: _Bag) -> Answer:
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
        before = store.book.account
        command = change_for(ask.command, store.book, config.exchange.quote)
        done = _execute(bag, clerk, command)
        return _answer(told_change(ask.command, before, *done))
    finally:
        store.close()


def _import(bag: _Bag, store: Store, clerk: Clerk) -> Answer:
    imported = take_over(bag.config, store, clerk, bag.ask.incoming)
    _tell(bag, imported.records)
    return _answer(told_import(imported, is_dry_run=bag.ask.is_dry_run))


def _resolve(bag: _Bag, store: Store, clerk: Clerk, word: ResolvePosition) -> Answer:
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
    lack = lack_of(book, read_ledger(ledger_path(config)).balances, position)
    if lack > 0:
        return None
    return Refusal(
        code="not_unresolved",
        text=f"{position.symbol}: the exchange has {text(position.amount)} "
        f"{position.instrument.base} of position {position.position_id} again; run reconcile",
    )


def _execute(
    bag: _Bag, clerk: Clerk, command: Command
) -> tuple[tuple[Recorded, ...], Refusal | None]:
    done = clerk.execute(command, now=Instant(0))  # at the last stored instant
    if isinstance(done, Refusal):
        return (), done
    _tell(bag, done)
    return done, None


def _tell(bag: _Bag, records: Iterable[Recorded]) -> None:
    for recorded in records:
        level, fields = describe(recorded)
        bag.log(name_of(recorded.event), level=level, **fields)


def _answer(told: tuple[bool, str]) -> Answer:
    is_done, words = told
    return Answer(is_done=is_done, text=words)


# With the tree -------------------------------------------------------------------------------


class _Port:
    """The control port of an errand: it asks once, and keeps what it is told."""

    def __init__(self) -> None:
        self.hear: Callable[[ControlRequest], None] | None = None
        self.replies: dict[int, ControlReply] = {}

    def open(self, hear: Callable[[ControlRequest], None]) -> None:
        self.hear = hear

    def answer(self, reply: ControlReply) -> None:
        self.replies[reply.token] = reply

    def close(self) -> None:
        self.hear = None


class _Outing:
    """One life of the tree, for one question."""

    def __init__(self, bag: _Bag) -> None:
        self._config, self._ask, self._log = bag.config, bag.ask, bag.log
        self._port = _Port()
        self._is_flat = False
        self._runtime: SeededRuntime
        self._system = System(
            bag.config,
            folder=bag.folder,
            runtime_of=self._runtime_at,
            log=self._hear_log,
            control=self._port,
            messengers=bag.messengers,
            draw_incarnation=lambda: draw_hex(INCARNATION_DIGITS),
            errand=_errand_of(bag.ask),
        )

    def _runtime_at(self, start: Instant) -> SeededRuntime:
        self._runtime = SeededRuntime(ManualClock(start), self._config.market.seed)
        return self._runtime

    def done(self) -> Answer:
        """Go out, come back, and return the answer."""
        system = self._system
        system.start(seed=self._config.market.seed)
        try:
            return self._answered()
        finally:
            system.stop()
            self._run_while(system.verdicts.empty)
            system.close()

    def _answered(self) -> Answer:
        reply = self._reply_to(RECONCILING)
        if self._ask.command == "reconcile":
            self._run_while(self._is_any_lost)
        if reply is None or self._ask.command != "flatten":
            return self._told(reply)
        assert self._port.hear is not None, "Expected a listener, it has answered"
        self._port.hear(ControlRequest(token=FLATTENING, command="flatten"))
        reply = self._reply_to(FLATTENING)
        if reply is None or not reply.is_done:
            return self._told(reply)
        self._run_while(lambda: not self._is_flat)
        left = self._left_open()
        lines = [reply.text, *(left or [self._system.book().account.reason])]
        return Answer(is_done=not left, text="\n".join(lines))

    def _is_any_lost(self) -> bool:
        """Say whether the outcome of an order is unknown still, and may be known soon."""
        lost = (OrderState.SUBMITTING, OrderState.UNKNOWN)
        return any(order.state in lost for order in self._system.book().active_orders())

    def _left_open(self) -> list[str]:
        book = self._system.book()
        return [
            f"still open: {position.symbol} {text(position.amount)} "
            f"(position {position.position_id}, {position.status}); "
            "it is left when AEGIS runs and a price comes"
            for position in book.alive_positions()
        ]

    def _reply_to(self, token: int) -> ControlReply | None:
        self._run_while(lambda: token not in self._port.replies)
        return self._port.replies.get(token)

    def _told(self, reply: ControlReply | None) -> Answer:
        if reply is not None:
            return Answer(is_done=reply.is_done, text=reply.text, checks=reply.checks)
        with suppress(Empty):
            verdict = self._system.verdicts.get_nowait()
            self._system.verdicts.put(verdict)
            return Answer(is_done=False, text=f"AEGIS ended before it was done: {verdict.reason}")
        return Answer(is_done=False, text=f"not done within {ERRAND_S_MAX} s")

    def _run_while(self, is_wanted: Callable[[], bool]) -> None:
        """Let everybody work while something is wanted, a bounded time."""
        runtime, verdicts = self._runtime, self._system.verdicts
        end = runtime.clock.now() + ERRAND_S_MAX * NANOS_PER_SECOND
        runtime.run_while(lambda: is_wanted() and verdicts.empty() and runtime.clock.now() < end)

    def _hear_log(self, event: str, /, **fields: object) -> None:
        if event == "TradingStateChanged" and fields.get("cause") == "flatten":
            self._is_flat = fields.get("is_flattening") is False
        self._log(event, **fields)


def _errand_of(ask: Ask) -> Errand:
    """Return how the tree begins: with the question that was asked, where it is about that."""
    reconcile, diagnose = TRADING.reconcile, TRADING.diagnose
    asked = {"is_dry_run": ask.is_dry_run, "reply_to": names.COMMAND_LISTENER, "token": RECONCILING}
    if ask.command == "diagnose":
        diagnose = msgspec.structs.replace(diagnose, **asked)
    else:
        reconcile = msgspec.structs.replace(reconcile, **asked)
    return Errand(reconcile=reconcile, diagnose=diagnose, has_prices=ask.command == "flatten")


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
