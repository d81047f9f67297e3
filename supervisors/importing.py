"""Positions of another system taken over: into the store, and with their coins into its account.

Invariants:
1. All of them come in, or none: they are one commit.
2. The coins are there before the store says that they are ours. A kill in between leaves coins
   that the books do not know yet; the same import again takes those, and no more.
3. What was imported once is never imported again, whatever became of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal

import msgspec

from aegis.config.model import Config
from aegis.domain.commands import ImportPosition, Refusal, StartBalances
from aegis.domain.decisions import decide
from aegis.domain.events import PositionImported, Recorded
from aegis.domain.guard import quote_of
from aegis.domain.ids import Coin, Instant, Symbol
from aegis.domain.incoming import Incoming, import_of
from aegis.domain.instants import text_of
from aegis.domain.money import ZERO, minus, plus, text, times
from aegis.domain.risk import Limits
from aegis.domain.told import TIMES_OFF_MAX
from aegis.exchange.paper_ledger import Change, PaperLedger
from aegis.exchange.standing import last_tick
from aegis.store.clerk import Clerk
from aegis.store.journal import Store
from supervisors.ground import Ground, ground_of
from supervisors.preflight import open_own_ledger
from supervisors.settings import ledger_path, limits_of


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an import: refusals alone, or what was recorded and deposited.

    `far` are the positions that the market is far from, by what the file says, with its price;
    `passed` those whose stop the market's last price has passed, with that price;
    `early` those whose first day is still to come in the market's own time.
    """

    refusals: tuple[str, ...] = ()
    records: tuple[Recorded, ...] = ()
    deposits: Mapping[Coin, Decimal] = {}
    far: tuple[tuple[Incoming, Decimal], ...] = ()
    passed: tuple[tuple[Incoming, Decimal], ...] = ()
    early: tuple[Incoming, ...] = ()


def take_over(config: Config, store: Store, clerk: Clerk, incoming: Sequence[Incoming]) -> Imported:
    """Bring positions into an open store of paper, all or none.

    They are worth what the market says that the account trades in, where it has a price yet.
    """
    ground = ground_of(config)
    now = store.stamp(Instant(0) if store.last_event_id else ground.begins_at)
    worth = _last_bids(ground, {each.symbol for each in incoming}, now, config.paper.spread_bps)
    far = tuple(_far(incoming, worth))
    incoming = [
        msgspec.structs.replace(each, price=worth.get(each.symbol, each.price)) for each in incoming
    ]
    commands = [import_of(each, store.incarnation, now) for each in incoming]
    for command in commands:
        clerk.recall(command.position_id)
    refusals = tuple(_refusals(store, commands, limits_of(config), now))
    if refusals:
        return Imported(refusals=refusals)
    balances = dict(config.paper.balances)
    path = ledger_path(config)
    with closing(open_own_ledger(path, store, balances, ground.name, is_kept=True)) as ledger:
        clerk.execute(StartBalances(balances=ledger.balances()), now=now)
        deposits = _deposit(ledger, store.book.account.balances, commands, now)
    records = clerk.execute(*commands, now=now)
    assert not isinstance(records, Refusal), f"Expected what was tried to be taken, was {records}"
    return Imported(
        records=records,
        deposits=deposits,
        far=far,
        passed=tuple(_passed(incoming)),
        early=tuple(each for each in incoming if (each.opened_at or now) > now),
    )


def _last_bids(
    ground: Ground, symbols: Collection[Symbol], now: Instant, spread_bps: Decimal
) -> dict[Symbol, Decimal]:
    """Return at what the market could last be sold to, by symbol."""
    ticks = [last_tick(each, now) for each in ground.sources if each.symbol in symbols]
    return {
        tick.symbol: quote_of(tick.price, spread_bps, tick.at).bid
        for tick in ticks
        if tick is not None
    }


def _far(
    incoming: Iterable[Incoming], worth: Mapping[Symbol, Decimal]
) -> Iterator[tuple[Incoming, Decimal]]:
    """Yield what the market here values at another order than the file: it may be another's."""
    for each in incoming:
        here, there = worth.get(each.symbol), each.price or each.entry_price
        if here is not None and max(here, there) > times(min(here, there), TIMES_OFF_MAX):
            yield each, here


def _passed(incoming: Iterable[Incoming]) -> Iterator[tuple[Incoming, Decimal]]:
    for each in incoming:
        if each.price is not None and each.stop is not None and each.price <= each.stop:
            yield each, each.price


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
    lines += [_told_far(incoming, worth) for incoming, worth in imported.far]
    lines += [_told_passed(incoming, worth) for incoming, worth in imported.passed]
    lines += [_told_early(incoming) for incoming in imported.early]
    return True, "\n".join(lines)


def _line(recorded: Recorded) -> str:
    event = recorded.event
    assert isinstance(event, PositionImported), f"Expected an import, was {recorded}"
    return f"{event.symbol}: position {recorded.position_id}"


def _told_far(incoming: Incoming, worth: Decimal) -> str:
    told = text(incoming.price or incoming.entry_price)
    return (
        f"{incoming.symbol}: its market here stands at {text(worth)}, far from the {told} of the "
        "file: it counts as worth that, and its stop and target may be passed at once; a simulated "
        "market has prices of its own"
    )


def _told_passed(incoming: Incoming, worth: Decimal) -> str:
    assert incoming.stop is not None, f"Expected a stop that was passed, was {incoming}"
    return (
        f"{incoming.symbol}: its market stands at {text(worth)}, at or below its stop of "
        f"{text(incoming.stop)}: it is left as soon as AEGIS runs"
    )


def _told_early(incoming: Incoming) -> str:
    assert incoming.opened_at is not None, f"Expected a first day, was {incoming}"
    return (
        f"{incoming.symbol}: opened at {text_of(incoming.opened_at)}, which is still to come where "
        "this market's time is: its first day here is that of the import"
    )
