"""What the command line and the dashboard see of a store: plain values, read-only.

Figures are exact and written as text; no REAL column is read here. Whatever a store that does
not reach its mark would answer is wrong, so it answers nothing (`StoreCorrupt`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from pathlib import Path

import apsw
import msgspec

from aegis.domain.account import Account
from aegis.domain.events import Recorded
from aegis.domain.ids import Coin, EventId, ExchangeOrderId, PositionId, Symbol, coins_of
from aegis.domain.money import text_of_written, total
from aegis.domain.order import UNSETTLED, OrderState, Role
from aegis.domain.unsold import Unsold, unsold_of
from aegis.store.errors import NoStore
from aegis.store.housekeeping import CallsNoted, last_calls
from aegis.store.identity import StoredIdentity, read_stored_identity
from aegis.store.loading import find_account, orders_of, quote_of
from aegis.store.lock import holder_of
from aegis.store.outbox import Backlog, backlogs
from aegis.store.records import head_of, recorded_of, stored_events_of
from aegis.store.snapshot import check_mark, snapshot_of

_POSITION_COLUMNS = """
SELECT position_id, symbol, side, status, entry_price_exact AS entry_price,
       amount_exact AS amount, cost_exact AS cost, current_price_exact AS current_price,
       stop_price_exact AS stop_price, take_profit_price_exact AS take_profit_price,
       trailing_stop_pct_exact AS trailing_stop_pct, pnl_exact AS pnl, pnl_pct_exact AS pnl_pct,
       fees_exact AS fees, opened_at, closed_at, exchange_order_id, created_by, notes, unpriced,
       version
FROM positions
"""

# Each question has a statement of its own: one that takes both would scan for either.
_OF_ORDER = "SELECT position_id FROM positions WHERE symbol = ? AND exchange_order_id = ?"

_IS_PAST = "SELECT count(*) FROM position_events WHERE event_id = ? AND hash = ?"

_POSITIONS = _POSITION_COLUMNS + "WHERE position_id <> 'system' ORDER BY opened_at, position_id"

_POSITIONS_OF_STATUS = (
    _POSITION_COLUMNS
    + "WHERE position_id <> 'system' AND status = ? ORDER BY opened_at, position_id"
)

_ALIVE = (
    _POSITION_COLUMNS
    + "WHERE status IN ('OPENING', 'OPEN', 'CLOSING') ORDER BY opened_at, position_id"
)

_LEFT_ONCE = """
SELECT DISTINCT position_id FROM positions JOIN orders USING (position_id)
WHERE status IN ('OPENING', 'OPEN', 'CLOSING') AND role = 'exit'
"""
"""Alive, and somebody wanted out: few. To read each order of ten thousand takes 0.3 s."""

_POSITION = _POSITION_COLUMNS + "WHERE position_id <> 'system' AND position_id = ?"

_FILL_COLUMNS = """
SELECT fills.symbol, trade_id, fills.client_order_id, orders.position_id, orders.role,
       fills.side, fills.amount_exact AS amount, fills.price_exact AS price, fee_exact AS fee,
       fee_currency, liquidity, filled_at, event_id
FROM fills JOIN orders ON orders.client_order_id = fills.client_order_id
"""

_FILLS = _FILL_COLUMNS + "ORDER BY event_id"

_FILLS_OF = _FILL_COLUMNS + "WHERE orders.position_id = ? ORDER BY event_id"

_RECONCILIATION = """
SELECT timestamp, exchange_positions, local_positions, discrepancies, status
FROM reconciliations ORDER BY reconciliation_id DESC LIMIT 1
"""

_DIAGNOSIS = """
WITH last AS (
    SELECT check_id, event_id FROM system_health
    WHERE check_id > (SELECT max(check_id) FROM system_health) - ? AND event_id IS NOT NULL
    ORDER BY check_id DESC LIMIT 1
)
SELECT timestamp, check_type, status, details FROM system_health AS health, last
WHERE health.check_id > last.check_id - ? AND health.event_id = last.event_id
ORDER BY health.check_id
"""

CHECKS_MAX = 1_000
"""So many rows hold a diagnosis, which has some twenty checks."""

CALLS_SINCE_MAX = 10_000
"""Rows about calls since the last diagnosis: as many as a month has."""

_COUNTS = """
SELECT (SELECT count(*) FROM notifications WHERE state = 'pending'),
       (SELECT count(*) FROM quarantine)
"""

_LAST_TIMESTAMP = "SELECT timestamp FROM position_events ORDER BY event_id DESC LIMIT 1"

# What wants a person comes first, then what has no answer.
_ORDERS = """
SELECT client_order_id, position_id, symbol, state, role, side, type, amount_exact AS amount,
       filled_exact AS filled, decision_price_exact AS decision_price, exchange_order_id, reason,
       intended_at, submitted_at, unknown_at
FROM orders WHERE state NOT IN ('FILLED', 'CANCELED', 'REJECTED', 'EXPIRED', 'NOT_PLACED')
ORDER BY state = 'NEEDS_HUMAN' DESC, state = 'UNKNOWN' DESC, intended_at, client_order_id
"""

_FIGURES = frozenset({
    "entry_price", "amount", "cost", "current_price", "stop_price", "take_profit_price",
    "trailing_stop_pct", "pnl", "pnl_pct", "fees", "price", "fee",
    "filled", "decision_price",
})  # fmt: skip

_RESULTS = """
SELECT pnl_exact, fees_exact FROM positions WHERE status = 'CLOSED' AND unpriced = 0
"""

View = dict[str, object]
"""One row for people and for JSON, by column."""


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The store at a glance. `writer_pid` is None when nobody runs, 0 when it is not told."""

    path: str
    identity: StoredIdentity
    writer_pid: int | None
    events: int
    head_hash: str
    last_event_at: str | None
    account: Account
    positions: tuple[View, ...]
    orders: tuple[View, ...]  # those that have not ended
    orders_active: int
    orders_unsettled: int
    notices_pending: int
    outbox: tuple[Backlog, ...]
    quarantined: int
    last_reconciliation: View | None
    last_diagnosis: tuple[View, ...]
    last_calls: CallsNoted | None
    unsold: tuple[Unsold, ...] = ()

    @property
    def stops_at_exchange(self) -> int:
        """How many positions a stop guards that rests at the exchange."""
        return sum(
            order["role"] == Role.PROTECTIVE and order["state"] == OrderState.OPEN
            for order in self.orders
        )


def read_status(path: Path) -> StoreStatus:
    """Return the store at a glance, with its alive positions and its orders under way."""
    with trusted(path) as db:
        head = head_of(db)
        pending, quarantined = _counts(db)
        reconciled = _views(db, _RECONCILIATION, ())
        orders, positions = _views(db, _ORDERS, ()), _views(db, _ALIVE, ())
        account = find_account(db)
        return StoreStatus(
            path=str(path),
            identity=_identity(db, path),
            writer_pid=holder_of(path),
            events=head.event_id,
            head_hash=head.hash,
            last_event_at=_last_event_at(db),
            account=account,
            positions=positions,
            orders=orders,
            orders_active=len(orders),
            orders_unsettled=sum(order["state"] in UNSETTLED for order in orders),
            notices_pending=pending,
            outbox=backlogs(db),
            quarantined=quarantined,
            last_reconciliation=reconciled[0] if reconciled else None,
            last_diagnosis=_views(db, _DIAGNOSIS, (CALLS_SINCE_MAX, CHECKS_MAX)),
            last_calls=last_calls(db),
            unsold=tuple(_unsold(db, positions, account)),
        )


def _unsold(db: apsw.Connection, positions: Sequence[View], account: Account) -> Iterator[Unsold]:
    """Yield which of the alive positions cannot be sold, by their own orders."""
    tried = {position_id for (position_id,) in db.execute(_LEFT_ONCE)}
    for view in positions:
        if view["position_id"] not in tried:
            continue
        orders = orders_of(db, PositionId(str(view["position_id"])))
        base, _ = coins_of(Symbol(str(view["symbol"])))
        found = unsold_of(reversed(orders), base, account)
        if found is not None:
            yield found


def find_entered_by(path: Path, symbol: Symbol, order: ExchangeOrderId) -> PositionId | None:
    """Return the position that an order of the exchange began, whatever became of it."""
    with trusted(path) as db:
        found = db.execute(_OF_ORDER, (symbol, order)).get
    return None if found is None else PositionId(str(found))


def is_past(path: Path, event_id: EventId, event_hash: str) -> bool:
    """Say whether a store has come by an event of this hash: a restore may have left it."""
    with trusted(path) as db:
        return bool(db.execute(_IS_PAST, (event_id, event_hash)).get)


def read_calls(path: Path) -> CallsNoted | None:
    """Return how the last calls to the exchange fared; None where none were made lately."""
    with trusted(path) as db:
        return last_calls(db)


def read_outbox(path: Path) -> tuple[Backlog, ...]:
    """Return what waits to be told, by channel; a channel for which nothing waits is not named."""
    with trusted(path) as db:
        return backlogs(db)


def read_identity(path: Path) -> StoredIdentity:
    """Return what the store was made for, and its present incarnation."""
    with trusted(path) as db:
        return _identity(db, path)


def read_positions(path: Path, status: str | None = None) -> tuple[View, ...]:
    """Return positions in the order of their opening; of one status, or all."""
    with trusted(path) as db:
        if status is None:
            return _views(db, _POSITIONS, ())
        return _views(db, _POSITIONS_OF_STATUS, (status,))


def read_alive(path: Path) -> tuple[View, ...]:
    """Return the positions that hold, or may come to hold, something; eldest first."""
    with trusted(path) as db:
        return _views(db, _ALIVE, ())


def read_position(path: Path, position_id: str) -> View | None:
    """Return one position, whatever became of it."""
    with trusted(path) as db:
        found = _views(db, _POSITION, (position_id,))
    return found[0] if found else None


def read_events_of(path: Path, position_id: PositionId) -> tuple[Recorded, ...]:
    """Return all events of one position, eldest first."""
    with trusted(path) as db:
        return tuple(recorded_of(stored) for stored in stored_events_of(db, position_id))


def read_quote(path: Path) -> Coin | None:
    """Return the coin in which a store's positions are priced; None before the first."""
    with trusted(path) as db:
        return quote_of(db)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """What all closed and priced trades of a store add up to, in the quote coin."""

    trades: int
    pnl: Decimal
    fees: Decimal


def read_totals(path: Path) -> Totals:
    """Return what the closed trades add up to; quick, for a process that has to end."""
    with trusted(path) as db:
        rows = db.execute(_RESULTS).fetchall()
    return Totals(
        trades=len(rows),
        pnl=total(Decimal(str(pnl)) for pnl, _ in rows),
        fees=total(Decimal(str(fees)) for _, fees in rows),
    )


def read_fills(path: Path, position_id: str | None = None) -> tuple[View, ...]:
    """Return trades in the order in which they were booked; of one position, or all."""
    with trusted(path) as db:
        if position_id is None:
            return _views(db, _FILLS, ())
        return _views(db, _FILLS_OF, (position_id,))


@contextmanager
def trusted(path: Path) -> Iterator[apsw.Connection]:
    """Yield a read-only view of a store that reaches its mark."""
    with snapshot_of(path, "read") as snapshot:
        if snapshot.mark.mark is not None:
            check_mark(snapshot.db, snapshot.mark.mark)
        yield snapshot.db


def exact_view(view: View) -> View:
    """Return a row with its figures as Decimals, for programs."""
    return {
        name: Decimal(str(cell)) if name in _FIGURES and cell is not None else cell
        for name, cell in view.items()
    }


def _identity(db: apsw.Connection, path: Path) -> StoredIdentity:
    stored = read_stored_identity(db)
    if stored is None:
        raise NoStore(path)
    return stored


def _views(
    db: apsw.Connection, question: str, bindings: Sequence[str | int | None]
) -> tuple[View, ...]:
    cursor = db.execute(question, bindings)
    first = next(cursor, None)
    if first is None:
        return ()
    names = tuple(str(name) for name, *_ in cursor.get_description())
    views: tuple[View, ...] = tuple(
        dict(zip(names, row, strict=True)) for row in chain((first,), cursor)
    )
    figures = _FIGURES.intersection(names)
    for view in views:
        for name in figures:
            if view[name] is not None:
                view[name] = text_of_written(str(view[name]))
    return views


def _counts(db: apsw.Connection) -> tuple[int, int]:
    return msgspec.convert(db.execute(_COUNTS).fetchone(), tuple[int, int])


def _last_event_at(db: apsw.Connection) -> str | None:
    row = db.execute(_LAST_TIMESTAMP).fetchone()
    return None if row is None else str(row[0])
