from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from aegis.dialogue import NO_ROOM, OrderPlaced, RequestRefused
from aegis.domain.ids import NANOS_PER_SECOND, Coin, ExchangeOrderId, Instant, TradeId
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.paper_ledger import (
    Change,
    LedgerError,
    LedgerMismatchError,
    LedgerMovedError,
    open_ledger,
    read_ledger,
)
from aegis.exchange.paper_matching import PaperOrder
from tests.exchange.paper_kit import BTC, BTC_USDT, START, USDT, USUAL, Table
from tests.paper_hand import Hand, Unable

ROOT = Path(__file__).parents[2]

KILLED_AFTER_ITS_EFFECT = """
import os, signal, sys
from pathlib import Path
from aegis.domain.order import Side
from aegis.exchange.paper_ledger import PaperLedger
from tests.exchange.paper_kit import Table

table = Table(Path(sys.argv[1]))
table.tick("100", volume="0.25")
write = PaperLedger.write

def write_and_die(ledger, change):
    write(ledger, change)
    os.kill(os.getpid(), signal.SIGKILL)

PaperLedger.write = write_and_die
table.place(Side.SELL, "1")
"""


def test_a_new_ledger_has_the_start_balances(tmp_path: Path) -> None:
    view = Table(tmp_path, usdt="12.50", btc="0.1").view()
    assert view.balances == view.start_balances == {USDT: Decimal("12.5"), BTC: Decimal("0.1")}
    assert (view.orders, view.trades) == ((), ())


def test_a_ledger_that_exists_keeps_its_balances(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    open_ledger(path, {USDT: Decimal(5)}).close()
    open_ledger(path, {USDT: Decimal(99), BTC: Decimal(1)}).close()
    assert read_ledger(path).balances == {USDT: Decimal(5)}


def test_a_restart_keeps_everything(tmp_path: Path) -> None:
    table = Table(tmp_path, USUAL)
    table.tick("100", volume="3")
    sold, resting = table.place(Side.SELL, "0.5"), table.limit(Side.BUY, "1", "90")
    view, account = table.view(), table.account()
    known = [table.found(each) for each in (sold, resting)]
    table.reopen()
    assert table.view() == view
    assert table.account() == account
    assert [table.found(each) for each in (sold, resting)] == known


def test_a_half_filled_order_goes_on_after_a_restart(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.tick("100", volume="0.4")
    sold = table.place(Side.SELL, "1")
    table.reopen()
    table.tick("101")
    assert table.fills(sold) == [("0.4", "100"), ("0.6", "101")]


def test_a_kill_between_effect_and_answer_leaves_the_whole_effect(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED_AFTER_ITS_EFFECT, str(tmp_path)]
    died = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT)), check=False
    )
    assert died.returncode == -signal.SIGKILL
    table = Table(tmp_path)
    assert table.fills("order-1") == [("0.25", "100")]
    assert table.account().balances == {BTC: Decimal("0.75"), USDT: Decimal(10025)}
    table.tick("100")
    assert table.found("order-1")[0].status is VenueOrderStatus.FILLED


def test_trades_are_never_booked_before_the_last_one(tmp_path: Path) -> None:
    table = Table(tmp_path)
    for _ in range(4):
        table.tick("100")
    table.place(Side.SELL, "0.1")
    late = table.ledger.last_instant
    again = Table(tmp_path)  # whose clock begins anew
    again._ids = 1
    again.tick("100")
    again.place(Side.SELL, "0.1")
    assert [trade.at for trade in again.view().trades] == [late, late]
    assert again.ledger.last_instant == late


def test_a_figure_is_kept_to_its_last_digit(tmp_path: Path) -> None:
    held = Decimal("123456789012345.123456789012345678901234567890")
    open_ledger(tmp_path / "ledger", {USDT: held}).close()
    assert read_ledger(tmp_path / "ledger").balances[USDT] == held


def test_records_that_are_not_ours_have_no_client_id(tmp_path: Path) -> None:
    table = Table(tmp_path)
    foreign = VenueOrder(
        exchange_order_id=ExchangeOrderId("x-foreign"), client_order_id=None, symbol=BTC_USDT,
        side=Side.SELL, type=OrderType.LIMIT, amount=Decimal("0.1"), price=Decimal(500),
        filled=Decimal(0), status=VenueOrderStatus.OPEN, reason="", created_at=Instant(5),
    )  # fmt: skip
    trade = VenueTrade(
        trade_id=TradeId("t-foreign"), exchange_order_id=foreign.exchange_order_id,
        client_order_id=None, symbol=BTC_USDT, side=Side.SELL, amount=Decimal("0.1"),
        price=Decimal(500), fee=Decimal(0), fee_currency=USDT, liquidity="maker", at=Instant(5),
    )  # fmt: skip
    kept = PaperOrder(order=foreign, trigger_price=None, reserved=Decimal("0.1"), reserved_coin=BTC)
    table.ledger.write(Change(at=Instant(5), orders=(kept,), trades=(trade,)))
    account = table.account()
    assert (account.open_orders, account.trades) == ((foreign,), (trade,))


def test_a_change_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.tick("100")
    table.place(Side.SELL, "0.1")
    before = table.view()
    (trade,) = before.trades
    torn = Change(at=Instant(1), trades=(trade,), balances={USDT: Decimal(0)})
    with pytest.raises(LedgerError, match="UNIQUE"):
        table.ledger.write(torn)
    assert table.view() == before


def test_a_ledger_of_another_market_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    open_ledger(path, {}, "simulated:1").close()
    with pytest.raises(LedgerMismatchError, match="market: expected 'simulated:2'"):
        open_ledger(path, {}, "simulated:2")


def test_another_sqlite_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(LedgerMismatchError, match="another SQLite database"):
        open_ledger(path, {})


def test_the_ledger_of_another_owner_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    open_ledger(path, {}, owner="one").close()

    with pytest.raises(LedgerMismatchError, match="ledger belongs to another store"):
        open_ledger(path, {}, owner="two")
    open_ledger(path, {}, owner="one").close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b"not a database, " * 100)
    with pytest.raises(LedgerError, match="ledger: expected a paper ledger"):
        open_ledger(path, {})


@pytest.mark.parametrize("name", ["nowhere", "no/such/folder"])
def test_reading_a_ledger_never_creates_one(tmp_path: Path, name: str) -> None:
    with pytest.raises(LedgerError, match="unable to open"):
        read_ledger(tmp_path / name)
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_a_start_balance_that_is_no_amount_is_refused(tmp_path: Path, amount: str) -> None:
    with pytest.raises(LedgerError, match="start balance"):
        open_ledger(tmp_path / "ledger", {Coin("USDT"): Decimal(amount)})
    assert not (tmp_path / "ledger").exists()


def test_the_ledger_is_synced_in_full(tmp_path: Path) -> None:
    connection = Table(tmp_path).ledger._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_only_a_ledger_that_nobody_keeps_is_not_synced(tmp_path: Path) -> None:
    with closing(open_ledger(tmp_path / "ledger", {}, is_kept=False)) as ledger:
        assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (0,)


def test_a_ledger_that_was_created_empty_by_a_kill_is_filled(tmp_path: Path) -> None:
    (tmp_path / "ledger").touch()
    open_ledger(tmp_path / "ledger", {USDT: Decimal(5)}).close()
    assert read_ledger(tmp_path / "ledger").balances == {USDT: Decimal(5)}


def break_writes(table: Table) -> None:
    """Let each insert into the trades fail, as a full disk would."""
    table.ledger._connection.execute(
        "CREATE TEMP TRIGGER broken BEFORE INSERT ON trades BEGIN SELECT RAISE(ABORT, 'full'); END"
    )


def mend_writes(table: Table) -> None:
    table.ledger._connection.execute("DROP TRIGGER temp.broken")


def test_a_broken_ledger_stops_the_trading_and_not_the_market(tmp_path: Path) -> None:
    table = Table(tmp_path)
    sold = table.place(Side.SELL, "1")
    break_writes(table)
    table.tick("100")
    assert "full" in table.exchange.trouble
    assert table.fills(sold) == []
    mend_writes(table)
    table.tick("101")
    assert table.exchange.trouble == ""
    assert table.fills(sold) == [("1", "101")]


def test_a_request_that_cannot_be_written_raises_and_leaves_nothing(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.tick("100")
    before = table.view()
    break_writes(table)
    request = table.order(Side.SELL, "1")
    with pytest.raises(LedgerError, match="full"):
        table.ask(request)
    mend_writes(table)
    assert table.view() == before
    assert isinstance(table.ask(request), OrderPlaced)
    assert table.fills(request.client_order_id) == [("1", "100")]


def test_an_order_that_a_full_disk_keeps_out_is_refused_and_may_come_again(tmp_path: Path) -> None:
    table = Table(tmp_path, btc="100")
    pages = table.ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    limit = table.ledger._connection.execute("PRAGMA max_page_count").fetchone()[0]
    table.ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    asked = (table.order(Side.SELL, "0.01") for _ in range(100))
    refused, answer = next(
        (each, said) for each in asked if isinstance(said := table.ask(each), RequestRefused)
    )
    assert (answer.code, "disk is full" in answer.reason) == (NO_ROOM, True)
    table.ledger._connection.execute(f"PRAGMA max_page_count = {limit}")
    assert refused.client_order_id not in {each.client_order_id for each in table.view().orders}
    assert isinstance(table.ask(refused), OrderPlaced)


def test_a_commit_that_came_true_after_all_is_known_at_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(tmp_path)
    table.tick("100")
    write = table.ledger.write

    def write_and_deny(change: Change) -> None:
        write(change)
        raise LedgerError("the disk said no, and had written")

    monkeypatch.setattr(table.ledger, "write", write_and_deny)
    with pytest.raises(LedgerError):
        table.ask(table.order(Side.SELL, "0.75"))
    monkeypatch.undo()
    answer = table.ask(table.order(Side.SELL, "0.75"))
    assert isinstance(answer, RequestRefused)
    assert answer.code == "insufficient_funds"


def test_ticks_and_requests_from_different_threads_come_one_after_another(
    tmp_path: Path,
) -> None:
    table = Table(tmp_path, USUAL, btc="100")
    table.tick("100", volume="5")
    never_late = Instant(START + 86_400 * NANOS_PER_SECOND)
    requests = [table.order(Side.SELL, "1", sent_at=never_late) for _ in range(30)]
    with ThreadPoolExecutor(4) as threads:
        answers = [threads.submit(table.ask, request) for request in requests]
        for price in range(100, 160):
            table.tick(str(price), volume="5")
        placed = [answer.result() for answer in answers]
    table.tick("100", volume="1000")
    view = table.view()
    assert all(isinstance(answer, OrderPlaced) for answer in placed)
    assert {order.status for order in view.orders} == {VenueOrderStatus.FILLED}
    assert view.balances[BTC] == 70
    assert len({trade.trade_id for trade in view.trades}) == len(view.trades)


# Somebody else at the ledger ----------------------------------------------------------------


def test_what_somebody_else_writes_is_known_at_the_next_request(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.tick("100", volume="1000")
    table.place(Side.SELL, "0.1")
    hand_of(table).transfer("USDT", Decimal(500))
    assert table.account().balances[USDT] == Decimal(10510)
    table.place(Side.BUY, "105")
    assert table.account().balances[USDT] == Decimal(10)


def test_a_change_worked_out_before_somebody_else_s_is_not_written(tmp_path: Path) -> None:
    table = Table(tmp_path)
    version = table.ledger.version
    hand_of(table).transfer("USDT", Decimal(5))
    with pytest.raises(LedgerMovedError):
        table.ledger.write(Change(at=START, balances={USDT: Decimal(1)}, version=version))
    assert table.view().balances[USDT] == Decimal(10005)


def test_an_order_and_a_hand_at_the_same_moment_both_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(tmp_path)
    table.tick("100")
    hand, write = hand_of(table), table.ledger.write
    pending = [lambda: hand.transfer("USDT", Decimal(7))]

    def interrupted(change: Change) -> None:
        while pending:
            pending.pop()()
        write(change)

    monkeypatch.setattr(table.ledger, "write", interrupted)
    sold = table.place(Side.SELL, "1")
    assert table.fills(sold) == [("1", "100")]
    assert table.view().balances == {BTC: Decimal(0), USDT: Decimal(10107)}


def test_two_hands_at_once_lose_nothing(tmp_path: Path) -> None:
    table = Table(tmp_path)
    hand = hand_of(table)
    with ThreadPoolExecutor(4) as people:
        list(people.map(lambda _: hand.transfer("USDT", Decimal(1)), range(40)))
    assert table.view().balances[USDT] == Decimal(10040)


def test_an_order_cancelled_by_hand_frees_what_it_reserved(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.tick("100")
    resting = table.limit(Side.BUY, "100", "90")
    hand_of(table).cancel(resting)
    assert table.found(resting)[0].status is VenueOrderStatus.CANCELED
    table.place(Side.BUY, "100")


def test_what_an_order_reserves_is_not_the_owner_s_to_take(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.tick("100")
    table.limit(Side.BUY, "100", "90")
    with pytest.raises(Unable, match="expected 2000 USDT free, was 1000"):
        hand_of(table).transfer("USDT", Decimal(-2000))


def hand_of(table: Table) -> Hand:
    return Hand(table.path, table.rules, "test", table.clock.now())
