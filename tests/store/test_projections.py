from __future__ import annotations

from decimal import Decimal
from typing import TypeVar, get_type_hints

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.account import Account
from aegis.domain.events import (
    CheckResult,
    DiagnosisCompleted,
    Discrepancy,
    ReconciliationCompleted,
    Recorded,
)
from aegis.domain.ids import SYSTEM_POSITION, EventId, ExchangeOrderId, Generation
from aegis.domain.order import Order
from aegis.domain.position import Position
from aegis.store.errors import StoreCorrupt
from aegis.store.migrations import migrations
from aegis.store.projections import (
    Row,
    account_row,
    exact,
    health_rows,
    order_row,
    position_row,
    reconciliation_row,
)
from aegis.store.statements import (
    ORDER_COLUMNS,
    POSITION_COLUMNS,
    SELECT_ORDER,
    SELECT_POSITION,
    UPSERT_ORDER,
    UPSERT_POSITION,
)
from aegis.store.values import account_of, order_of, position_of
from tests.store.histories import START, SYMBOLS, History

Value = TypeVar("Value")

FIGURES = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=None
)
INSTANTS = st.integers(min_value=0, max_value=4 * 10**18)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)

st.register_type_strategy(Decimal, FIGURES)
st.register_type_strategy(int, INSTANTS)
st.register_type_strategy(str, WORDS)


def _every_field(kind: type[Value]) -> st.SearchStrategy[Value]:
    """Give each field a value of its own: one that is read back by its default hides a hole."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: st.from_type(hint) for name, hint in hints.items()})


POSITIONS = _every_field(Position)
ORDERS = _every_field(Order)
ACCOUNTS = _every_field(Account)


def _digits(value: object) -> str:
    """Return a value's own words: 1.5 and 1.50 are equal, and not the same."""
    return repr(value)


@pytest.fixture(scope="module")
def db() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    for migration in migrations():
        made.execute(migration.text).fetchall()
    return made


def _through(db: apsw.Connection, write: str, read: str, row: Row) -> Row:
    db.execute(write, row).fetchall()
    (found,) = db.execute(read, (row[0],)).fetchall()
    return found


@given(POSITIONS)
def test_a_position_is_read_back_to_the_digit(db: apsw.Connection, position: Position) -> None:
    row = _through(db, UPSERT_POSITION, SELECT_POSITION, position_row(position, None))
    assert _digits(position_of(row)) == _digits(position)


@given(ORDERS)
def test_an_order_is_read_back_to_the_digit(db: apsw.Connection, order: Order) -> None:
    db.execute("PRAGMA foreign_keys = OFF").fetchall()
    row = _through(db, UPSERT_ORDER, SELECT_ORDER, order_row(order))
    assert _digits(order_of(row)) == _digits(order)


@given(ACCOUNTS)
def test_an_account_is_read_back_to_the_digit(db: apsw.Connection, account: Account) -> None:
    row = _through(db, UPSERT_POSITION, SELECT_POSITION, account_row(account))
    assert _digits(account_of(row)) == _digits(account)


@given(POSITIONS)
def test_a_stored_row_is_the_row_that_was_made(db: apsw.Connection, position: Position) -> None:
    db.execute("DELETE FROM positions").fetchall()
    made = position_row(position, ExchangeOrderId("x"))
    assert _through(db, UPSERT_POSITION, SELECT_POSITION, made) == made


@given(FIGURES)
def test_a_figure_is_plain_digits_and_the_same(value: Decimal) -> None:
    written = exact(value)
    assert _digits(Decimal(written)) == _digits(value)
    assert "E-" not in written


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_figure_is_a_bug(text: str) -> None:
    with pytest.raises(AssertionError):
        exact(Decimal(text))


@pytest.mark.parametrize(
    ("question", "columns"),
    [(SELECT_POSITION, POSITION_COLUMNS), (SELECT_ORDER, ORDER_COLUMNS)],
)
def test_columns_are_named_in_the_order_in_which_they_are_read(
    question: str, columns: tuple[str, ...]
) -> None:
    named = question.partition("SELECT")[2].partition("FROM")[0]
    assert tuple(name.strip() for name in named.split(",")) == columns


def _position() -> Position:
    history = History(1)
    history.open_position()
    return history.book.alive_positions()[0]


def test_the_first_entrys_exchange_id_stays(db: apsw.Connection) -> None:
    position = _position()
    _through(db, UPSERT_POSITION, SELECT_POSITION, position_row(position, ExchangeOrderId("x1")))
    later = position_row(position, ExchangeOrderId("x2"))
    row = _through(db, UPSERT_POSITION, SELECT_POSITION, later)
    assert row[POSITION_COLUMNS.index("exchange_order_id")] == "x1"


def test_the_entry_price_is_what_was_paid_for_one() -> None:
    position = _position()
    row = position_row(position, None)
    price = Decimal(str(row[POSITION_COLUMNS.index("entry_price_exact")]))
    assert abs(price * position.entered - position.paid) < Decimal("1e-20")


def test_an_unpriced_position_has_no_result() -> None:
    unpriced = Position(
        **{
            **{name: getattr(_position(), name) for name in Position.__struct_fields__},
            "is_unpriced": True,
        }
    )
    row = dict(zip(POSITION_COLUMNS, position_row(unpriced, None), strict=True))
    named = ("pnl", "pnl_pct", "pnl_exact", "pnl_pct_exact")
    assert [row[name] for name in named] == [None] * len(named)


@pytest.mark.parametrize("column", ["status", "metadata", "amount_exact", "opened_at", "version"])
def test_a_spoilt_cell_is_corruption_and_names_the_row(column: str) -> None:
    position = _position()
    row = list(position_row(position, None))
    row[POSITION_COLUMNS.index(column)] = "spoilt"
    with pytest.raises(StoreCorrupt, match=position.position_id):
        position_of(tuple(row))


def _recorded(event: ReconciliationCompleted | DiagnosisCompleted) -> Recorded:
    return Recorded(
        event_id=EventId(7),
        position_id=SYSTEM_POSITION,
        version=1,
        actor="Test",
        at=START,
        event=event,
    )


def _reconciled(*, is_healed: bool, is_dry_run: bool) -> object:
    found = Discrepancy(
        kind="ghost",
        symbol=SYMBOLS[0],
        subject="p",
        expected="1",
        found="0",
        action="closed",
        is_healed=is_healed,
    )
    event = ReconciliationCompleted(
        generation=Generation(1),
        trigger="start",
        exchange_positions=0,
        local_positions=1,
        discrepancies=(found,),
        is_dry_run=is_dry_run,
    )
    return reconciliation_row(_recorded(event), event)[-1]


def test_a_reconciliations_status_says_how_it_ended() -> None:
    assert _reconciled(is_healed=True, is_dry_run=False) == "SUCCESS"
    assert _reconciled(is_healed=False, is_dry_run=False) == "PARTIAL"
    assert _reconciled(is_healed=False, is_dry_run=True) == "DRY_RUN"


def test_a_diagnosis_is_a_row_a_check_and_says_what_it_fixed() -> None:
    event = DiagnosisCompleted(
        generation=Generation(1),
        trigger="start",
        checks=(
            CheckResult(check="chain", status="ok", details=""),
            CheckResult(check="stops", status="fixed", details="set one"),
        ),
    )
    rows = health_rows(_recorded(event), event)
    assert [(row[1], row[4]) for row in rows] == [("chain", 0), ("stops", 1)]
