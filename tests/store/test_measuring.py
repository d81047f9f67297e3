"""What statistics read of a store, against the same reckoned from other rows, with fractions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from aegis.domain.commands import (
    AcceptOrder,
    EndOrder,
    LoseSight,
    RecordExternalChange,
    RecordFills,
    StartBalances,
)
from aegis.domain.ids import ExchangeOrderId
from aegis.domain.instants import instant_of
from aegis.domain.money import ZERO
from aegis.domain.order import OrderStep
from aegis.domain.risk import equity_of
from aegis.domain.statistics.summary import Summary, summarize
from aegis.store.files import wal_path
from aegis.store.journal import Store
from aegis.store.measuring import read_measures
from tests.domain.kit import decimals
from tests.store.histories import START, SYMBOLS, USDT, History, open_store
from tests.store.reckoned import Reckoned, expect_equal

SEEDS = range(1, 7)
COMMANDS = 600


def lived(path: Path, seed: int) -> History:
    """Make a closed store with a long lawful history in it."""
    store = open_store(path)
    history = History(seed, store.book)
    balances = StartBalances(balances=dict(zip((USDT,), decimals(10_000), strict=True)))
    store.commit(history.execute(balances), history.book)
    store.commit(history.happen(COMMANDS), history.book)
    store.close()
    return history


@pytest.fixture(params=SEEDS)
def life(request: pytest.FixtureRequest, path: Path) -> tuple[Summary, Reckoned]:
    lived(path, request.param)
    found = read_measures(path, USDT)
    return summarize(found.closed, alive=found.alive, path=found.path), Reckoned(path)


def test_the_figures_are_those_of_the_fills(life: tuple[Summary, Reckoned]) -> None:
    expect_equal(*life)


def test_the_parts_add_up_to_the_whole(life: tuple[Summary, Reckoned]) -> None:
    summary, reckoned = life
    for parts in (summary.by_day, summary.by_reason, summary.by_symbol, summary.by_strategy):
        assert sum(part.trades for part in parts) == summary.trades
        assert sum(Fraction(part.pnl) for part in parts) == sum(
            reckoned.pnl[position] for position in reckoned.closed
        )


def test_these_lives_have_seen_what_is_hard(tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        path = tmp_path / str(seed) / "aegis.db"
        lived(path, seed)
        seen += Reckoned(path).seen()
    expected = {"a partial fill", "a fee in base", "a fee in a third coin", "a further entry"}
    assert expected | {"dust", "a gain", "a loss"} <= set(seen)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_path_ends_at_the_equity_of_the_limits(path: Path, seed: int) -> None:
    history = lived(path, seed)
    found = read_measures(path, USDT)
    assert found.path is not None
    assert found.path.last == equity_of(history.book, USDT)
    assert found.path.end_at == found.end_at
    assert [p.position_id for p in found.alive] == sorted(
        (p.position_id for p in history.book.alive_positions()),
        key=lambda key: (history.book.positions[key].opened_at, key),
    )


def test_an_order_that_appears_after_all_is_followed(store: Store) -> None:
    """Its position was voided, and forgotten by whoever forgets too early."""
    history = History(1, store.book)
    intent = history.entry(SYMBOLS[0])
    order = intent.order
    key = order.client_order_id
    balances = dict(zip((USDT,), decimals(10_000), strict=True))
    for command in (
        StartBalances(balances=balances),
        intent,
        history.submit(order),
        LoseSight(client_order_id=key, reason="timed out"),
        EndOrder(client_order_id=key, step=OrderStep.PROVE_ABSENT, filled=ZERO, reason="absent"),
        AcceptOrder(client_order_id=key, exchange_order_id=ExchangeOrderId("x1")),
        RecordFills(client_order_id=key, fills=(history.fill(order, order.amount),)),
    ):
        records = history.execute(command)
        assert records, command
        store.commit(records, history.book)
    found = read_measures(store.path, USDT)
    assert found.path is not None
    assert found.path.last == equity_of(history.book, USDT)


def test_what_closed_before_since_is_left_out(filled: Callable[..., Path]) -> None:
    path = filled(2, 600)
    everything = read_measures(path, USDT)
    assert len(everything.closed) > 2
    since = everything.closed[1].closed_at
    assert since is not None
    later = read_measures(path, USDT, since=since)
    assert later.closed == everything.closed[1:]
    assert (later.begin_at, later.end_at) == (since, everything.end_at)
    assert later.alive == everything.alive


def test_since_after_everything_is_an_empty_time(filled: Callable[..., Path]) -> None:
    far = instant_of("2100-01-01T00:00:00.000000000Z")
    found = read_measures(filled(), USDT, since=far)
    assert (found.closed, found.reconciliations) == ((), 0)
    assert found.begin_at == found.end_at == far


def test_an_empty_store_has_neither_beginning_nor_path(store: Store) -> None:
    found = read_measures(store.path, USDT)
    assert (found.begin_at, found.end_at, found.path) == (None, None, None)
    assert (found.closed, found.alive, found.events) == ((), (), 0)


def test_the_size_is_that_of_the_database_and_its_log(store: Store) -> None:
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    assert wal_path(store.path).stat().st_size > 0
    expected = store.path.stat().st_size + wal_path(store.path).stat().st_size
    assert read_measures(store.path, USDT).database_bytes == expected


def test_only_reconciliations_that_were_meant_are_counted(path: Path) -> None:
    store = open_store(path)
    history = History(3, store.book)
    meant = 0
    for _ in range(12):
        command: Any = history.reconciliation()
        meant += not command.is_dry_run
        store.commit(history.execute(command), history.book)
    store.close()
    assert 0 < meant < 12
    assert read_measures(path, USDT).reconciliations == meant


def test_progress_reaches_the_end(filled: Callable[..., Path]) -> None:
    told: list[tuple[int, int]] = []
    found = read_measures(filled(), USDT, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (found.events, found.events)


def test_a_look_takes_nothing_from_the_writer(store: Store) -> None:
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    before = read_measures(store.path, USDT).events
    store.commit(history.mark(history.book.alive_positions()[0].position_id), history.book)
    assert read_measures(store.path, USDT).events == before + 1


def test_a_mark_that_was_set_aside_counts_for_nothing(path: Path) -> None:
    store = open_store(path)
    history = History(1, store.book)
    balances = StartBalances(balances=dict(zip((USDT,), decimals(10_000), strict=True)))
    store.commit((*history.execute(balances), *history.open_position()), history.book)
    before = read_measures(path, USDT).path
    (marked,) = history.mark(history.book.alive_positions()[0].position_id)
    store.commit((marked,), history.book)
    assert read_measures(path, USDT).path != before
    store.quarantine(marked.event_id, "not to be believed", START)
    after = read_measures(path, USDT).path
    store.close()
    assert before is not None
    assert after is not None
    assert (after.last, after.drawdown) == (before.last, before.drawdown)


def test_a_transfer_that_was_set_aside_moved_nothing(path: Path) -> None:
    store = open_store(path)
    history = History(1, store.book)
    balances = StartBalances(balances=dict(zip((USDT,), decimals(10_000), strict=True)))
    change = RecordExternalChange(
        kind="transfer", coin=USDT, amount=Decimal(50), reference="r", note=""
    )
    store.commit(history.execute(balances), history.book)
    (moved,) = history.execute(change)
    store.commit((moved,), history.book)
    before = read_measures(path, USDT).path
    store.quarantine(moved.event_id, "not to be believed", START)
    after = read_measures(path, USDT).path
    store.close()
    assert before is not None
    assert after is not None
    assert (before.transferred, after.transferred, after.last) == decimals(50, 0, 10_000)
