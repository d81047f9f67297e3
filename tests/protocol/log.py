"""The durable log as a value: the real book behind the real `decide`, each state made once.

Two logs with the same key are one. Whenever two books meet there, `WHEN` is all that may differ:
when something was said, and how high the equity was, which neither `step` nor `decide` reads here.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import asdict, replace

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.commands import Command, IntendOrder, RecordFills, Refusal, StartBalances
from aegis.domain.decisions import decide
from aegis.domain.events import Recorded
from aegis.domain.findings import View, fill_of
from aegis.domain.order import Order
from aegis.domain.position import Position
from aegis.domain.reconcile import plan
from aegis.domain.venue import VenueAccount
from tests.domain.kit import BTC, NO_LIMITS, START, TAG, USDT, Desk, accept, entry, stop_at_exchange
from tests.protocol.venue import QUOTE_FIRST, There, Venue, instant

Key = tuple[object, ...]


def heals(log: Log, venue: Venue, now: int, age_s: int) -> tuple[Command, ...]:
    """Return what a reconciliation would do after a look at the account of some seconds ago.

    A balance is always of now: what trades do not show yet, it shows.
    """
    shown = tuple(each.as_of(now - age_s) for each in venue.orders)
    name = (log.key, venue, shown)
    if name not in _HEALED:
        _HEALED[name] = heals_of(
            log, venue.account(START, now=now, orders_at=now, trades_at=now - age_s)
        )
    return _HEALED[name]


def heals_of(log: Log, account: VenueAccount) -> tuple[Command, ...]:
    booked = {trade_id for order in log.book.orders.values() for trade_id in order.trade_ids}
    fills = {
        (trade.symbol, trade.trade_id): fill_of(trade)
        for trade in account.trades
        if trade.trade_id in booked
    }
    view = View(account=account, fills=fills, tag=TAG)
    findings = plan(log.book, view, limits=NO_LIMITS, now=account.as_of)
    return tuple(command for finding in findings for command in finding.heal)


class Log:
    """Never changed; `execute` returns the log with what a command made true."""

    def __init__(self, book: Book, key: Key) -> None:
        self.book = book
        self.key = key
        submitted = [each.submitted_at or START for each in book.orders.values()]
        self.submitted_at = max(submitted, default=START)  # the last one
        self._hash = hash(key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Log) and (self is other or self.key == other.key)

    def execute(
        self, command: Command, now: int
    ) -> tuple[Log, tuple[Recorded, ...], Refusal | None]:
        """Decide a command, and record what it makes true."""
        name = (self.key, now, _name_of(command))
        known = _DECIDED.get(name)
        if known is None:
            known = _DECIDED[name] = self._decide(command, now)
        return known

    def _decide(
        self, command: Command, now: int
    ) -> tuple[Log, tuple[Recorded, ...], Refusal | None]:
        decision = decide(self.book, command, now=instant(now), limits=NO_LIMITS)
        if isinstance(decision, Refusal) or not decision:
            return self, (), decision if isinstance(decision, Refusal) else None
        book = self.book.copy()
        records = tuple(book.record(each, by="", at=instant(now)) for each in decision)
        return log_of(book), records, None


def log_of(book: Book) -> Log:
    """Return the one log that a book's state stands for."""
    key = _key_of(book)
    known = _LOGS.setdefault(key, Log(book, key))
    assert _rest_of(book) == _rest_of(known.book), f"Expected one log for {key}"
    return known


def empty_log() -> Log:
    desk = Desk(NO_LIMITS, keeps=True)
    desk.does(StartBalances(balances={USDT: Decimal(QUOTE_FIRST)}))
    return log_of(desk.book)


def holding_log(there: There, owned: int, dust: int = 0) -> Log:
    """Return the log of an account that has entered a position beside coins and dust of before."""
    desk = Desk(NO_LIMITS, keeps=True)
    coins = {BTC: Decimal(owned + dust), USDT: Decimal(QUOTE_FIRST)}
    desk.does(StartBalances(balances=coins))
    if dust:
        desk.book.account = replace(desk.book.account, dust={BTC: Decimal(dust)})
    order = desk.submitted(entry(str(there.amount)))
    assert order.client_order_id == there.client_order_id, there
    desk.does(accept(order, f"x-{there.number}"))
    fills = tuple(map(fill_of, there.told_trades()))
    desk.does(RecordFills(client_order_id=order.client_order_id, fills=fills))
    return log_of(desk.book)


def protected_log(entered: There, stop: There, *, owned: int) -> Log:
    """Return the same log with a stop that rests at the exchange for all that is held."""
    desk = Desk(NO_LIMITS, keeps=True)
    desk.book = holding_log(entered, owned).book.copy()
    desk.orders, desk.positions = dict(desk.book.orders), dict(desk.book.positions)
    order = desk.submitted(stop_at_exchange(desk.position()))
    assert order.client_order_id == stop.client_order_id, stop
    desk.does(accept(order, f"x-{stop.number}"))
    return log_of(desk.book)


_LOGS: dict[Key, Log] = {}
_HEALED: dict[Key, tuple[Command, ...]] = {}
_DECIDED: dict[Key, tuple[Log, tuple[Recorded, ...], Refusal | None]] = {}


WHEN = {
    *("intended_at", "unknown_at", "ended_at", "end_reason", "opened_at", "closed_at"),
    *("close_reason", "version", "entries_submitted_at", "last_closed_at", "peak_equity"),
}


def _rest_of(book: Book) -> list[dict[str, object]]:
    values = (*book.orders.values(), *book.positions.values(), book.account)
    return [
        {name: value for name, value in asdict(each).items() if name not in WHEN} for each in values
    ]


def forget_all() -> None:
    """Forget what was decided, and by what rules."""
    _DECIDED.clear()
    _HEALED.clear()


def _name_of(command: Command) -> object:
    if isinstance(command, IntendOrder):
        order = command.order
        return ("intend", order.client_order_id, order.amount)
    return command


def _key_of(book: Book) -> Key:
    return (
        tuple(map(_order_key, book.orders.values())),
        tuple(map(_position_key, book.positions.values())),
        _account_key(book.account),
    )


def _order_key(order: Order) -> Key:
    return (
        order.client_order_id,
        order.state,
        order.amount,
        order.trade_ids,
        order.exchange_order_id,
        order.submitted_at,
    )


def _position_key(position: Position) -> Key:
    return (
        position.position_id,
        position.status,
        position.amount,
        position.exits_ended,
        position.leaving,
        position.is_unpriced,
    )


def _account_key(account: Account) -> Key:
    return (
        account.trading_state,
        account.blocked,
        account.orphans,
        tuple(sorted(account.unresolved.items())),
        tuple(sorted(account.balances.items())),
        tuple(sorted(account.dust.items())),
    )
