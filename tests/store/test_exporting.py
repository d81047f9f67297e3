"""What is taken out of a store: all of it, in order, and its books close whatever happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.ids import Instant
from aegis.store.exporting import exporter_of
from aegis.store.reading import read_fills
from tests.store.histories import START, STEP_NS, History, open_store
from tests.store.tampering import tamper

ALWAYS = Instant(0)


@pytest.fixture(params=[1, 2, 3])
def lived(path: Path, request: pytest.FixtureRequest) -> Path:
    """A store in which random, lawful things have happened."""
    store = open_store(path)
    history = History(request.param, store.book)
    store.commit((*history.open_position(), *history.happen(250)), history.book)
    store.close()
    return path


def test_the_books_close_whatever_has_happened(lived: Path) -> None:
    with exporter_of(lived, ALWAYS, None) as exporter:
        books = exporter.books()
    assert books.differences == ()
    assert books.lines


def test_a_fill_that_is_missing_is_a_difference(lived: Path) -> None:
    tamper(lived, "DELETE FROM fills WHERE event_id = (SELECT max(event_id) FROM fills)")
    with exporter_of(lived, ALWAYS, None) as exporter:
        assert exporter.books().differences


def test_every_row_is_there_once_and_in_order(lived: Path) -> None:
    with exporter_of(lived, ALWAYS, None) as exporter:
        events = [row.event_id for row in exporter.events()]
        fills = [row.trade_id for row in exporter.fills()]
        trades = [trade for trade, _ in exporter.trades()]
        counts = [exporter.count(what) for what in ("events", "fills", "trades")]
    assert events == list(range(1, len(events) + 1))
    assert fills == [view["trade_id"] for view in read_fills(lived)]
    assert counts == [len(events), len(fills), len(trades)]
    assert len(fills) > 5


def test_intervals_share_no_row_and_leave_none_out(lived: Path) -> None:
    middle = Instant(START + 120 * STEP_NS)
    rows = []
    for begin, end in ((ALWAYS, None), (ALWAYS, middle), (middle, None)):
        with exporter_of(lived, begin, end) as exporter:
            rows.append([
                *(row.event_id for row in exporter.events()),
                *(row.trade_id for row in exporter.fills()),
                *(trade.position_id for trade, _ in exporter.trades()),
            ])  # fmt: skip
    whole, early, late = rows
    assert sorted(map(str, whole)) == sorted(map(str, early + late))
    assert early
    assert late


def test_the_closing_of_an_interval_is_the_opening_of_the_next(lived: Path) -> None:
    middle = Instant(START + 120 * STEP_NS)
    with exporter_of(lived, ALWAYS, middle) as exporter:
        early = {line.coin: line.closing for line in exporter.books().lines}
    with exporter_of(lived, middle, None) as exporter:
        late = {line.coin: line.opening for line in exporter.books().lines}
    assert {coin: late[coin] for coin in early} == early


def test_a_trade_comes_with_its_orders(lived: Path) -> None:
    with exporter_of(lived, ALWAYS, None) as exporter:
        for trade, orders in exporter.trades():
            assert {order.position_id for order in orders} <= {trade.position_id}
            assert orders
