"""Positions of another system taken over: into the store, and with their coins into its account.

Invariants:
1. All of them come in, or none: they are one commit.
2. The coins are there before the store says that they are ours. A kill in between leaves coins
   that the books do not know yet; the same import again takes those, and no more.
3. What was imported once is never imported again, whatever became of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal

import msgspec

from aegis.config.model import Config
from aegis.domain.commands import ImportPosition, Refusal, StartBalances
from aegis.domain.decisions import decide
from aegis.domain.events import Recorded
from aegis.domain.ids import Coin, Instant
from aegis.domain.incoming import Incoming, import_of
from aegis.domain.money import ZERO, minus, plus, text
from aegis.domain.risk import Limits
from aegis.exchange.paper_ledger import Change, PaperLedger
from aegis.store.clerk import Clerk
from aegis.store.journal import Store
from supervisors.ground import ground_of
from supervisors.preflight import open_own_ledger
from supervisors.settings import ledger_path, limits_of


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import: refusals alone, or what was recorded and deposited."""

    refusals: tuple[str, ...] = ()
    records: tuple[Recorded, ...] = ()
    deposits: Mapping[Coin, Decimal] = {}


def take_over(
    config: Config, store: Store, clerk: Clerk, incoming: Sequence[Incoming], market: str
) -> Imported:
    """Bring positions into an open store of paper, all or none."""
    now = store.stamp(Instant(0) if store.last_event_id else ground_of(config).begins_at)
    commands = [import_of(each, store.incarnation, now) for each in incoming]
    for command in commands:
        clerk.recall(command.position_id)
    refusals = tuple(_refusals(store, commands, limits_of(config), now))
    if refusals:
        return Imported(refusals=refusals)
    balances = dict(config.paper.balances)
    path = ledger_path(config)
    with closing(open_own_ledger(path, store, balances, market, is_kept=True)) as ledger:
        clerk.execute(StartBalances(balances=ledger.balances()), now=now)
        deposits = _deposit(ledger, store.book.account.balances, commands, now)
    records = clerk.execute(*commands, now=now)
    assert not isinstance(records, Refusal), f"Expected what was tried to be taken, was {records}"
    return Imported(records=records, deposits=deposits)


def _refusals(
    store: Store, commands: Sequence[ImportPosition], limits: Limits, now: Instant
) -> Iterator[str]:
    """Yield why each cannot come in, tried one after the other on a copy of the book."""
    book = store.book.copy()
    for command in commands:
        known = book.positions.get(command.position_id)
        decision = decide(book, command, now=now, limits=limits)
        if known is not None:
            was = f"was imported already: position {known.position_id}, {known.status}"
            yield f"{command.reference}: {known.symbol} {was}"
        elif isinstance(decision, Refusal):
            yield f"{command.reference}: {decision.text}"
        else:
            for proposed in decision:
                book.record(proposed, by="", at=now)


def _deposit(
    ledger: PaperLedger,
    known: Mapping[Coin, Decimal],
    commands: Sequence[ImportPosition],
    now: Instant,
) -> dict[Coin, Decimal]:
    """Let the coins of positions come into the account; those that it has unknown count."""
    held, version = ledger.balances(), ledger.version
    wanted: dict[Coin, Decimal] = {}
    for command in commands:
        base = command.opening.instrument.base
        wanted[base] = plus(wanted.get(base, ZERO), command.amount)
    deposits = {}
    for coin, amount in wanted.items():
        unknown = max(ZERO, minus(held.get(coin, ZERO), known.get(coin, ZERO)))
        lacking = max(ZERO, minus(amount, unknown))
        if lacking > 0:
            deposits[coin] = lacking
    after = {coin: plus(held.get(coin, ZERO), amount) for coin, amount in deposits.items()}
    if after:
        at = max(now, ledger.last_instant)
        ledger.write(Change(at=at, version=version, balances=after))
    return deposits


def told_import(imported: Imported, *, is_dry_run: bool) -> tuple[bool, str]:
    """Return whether all came in, or would, and the lines for people."""
    if imported.refusals:
        return False, "\n".join(imported.refusals)
    count = len(imported.records)
    positions = "1 position" if count == 1 else f"{count} positions"
    lines = [f"{'would import' if is_dry_run else 'imported'} {positions}"]
    if not is_dry_run:
        lines += [_line(recorded) for recorded in imported.records]
    coins = ", ".join(f"{text(amount)} {coin}" for coin, amount in imported.deposits.items())
    if coins:
        came = "would come" if is_dry_run else "came"
        lines.append(f"into the paper account {came}: {coins}")
    return True, "\n".join(lines)


def _line(recorded: Recorded) -> str:
    event = recorded.event
    symbol = getattr(event, "symbol", "")
    return f"{symbol}: position {recorded.position_id}"
