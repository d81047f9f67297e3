"""The library, as a script or a notebook uses it: ten operations over one store."""

from __future__ import annotations

import doctest
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis.clock import ManualClock
from aegis.domain.commands import StartBalances
from aegis.domain.ids import Instant, PositionId
from aegis.domain.instants import text_of
from aegis.store import PositionStateManager, Refused
from aegis.store.copying import booked_trades
from aegis.store.errors import NoStore, StoreBusy, StoreFailed, StoreForked
from aegis.store.hand import AS_CONFIGURED
from aegis.store.identity import Identity
from aegis.store.inspector import Inspector
from aegis.store.migrations import migrations
from aegis.store.reading import read_identity, read_status
from aegis.store.verify import verify
from supervisors.settings import identity_of
from tests.domain.kit import ETH_USDT, START, USDT, seconds
from tests.simulation.world import config_of
from tests.store.histories import History, open_store
from tests.store.looking import read_history
from tests.store.tampering import tamper
from tests.store.test_lock import in_a_fork

OPERATIONS = (
    "open_position", "update_position", "close_position", "get_open_positions", "get_position",
    "get_position_history", "reconcile_with_exchange", "self_diagnose", "get_statistics",
    "register_listener",
)  # fmt: skip
BTC = "BTC/USDT"
GIVEN: dict[str, Any] = {"symbol": BTC, "side": "long", "entry_price": "100", "amount": "2"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def manager(path: Path, clock: ManualClock) -> Iterator[PositionStateManager]:
    made(path)
    with PositionStateManager(path, clock=clock) as opened:
        yield opened


def made(path: Path) -> None:
    """Make a store in which nothing has happened yet."""
    open_store(path, identity=AS_CONFIGURED).close()


def opened(manager: PositionStateManager, symbol: str = BTC, **more: Any) -> str:
    return manager.open_position(symbol, "long", "100", "2", **more)


def types(manager: PositionStateManager, position: str) -> list[object]:
    return [event["event_type"] for event in manager.get_position_history(position)]


def refusal(work: Callable[[], object]) -> Refused:
    with pytest.raises(Refused) as caught:
        work()
    assert "\n" not in caught.value.text
    return caught.value


def sale(amount: str = "2", price: str = "110", **changes: object) -> dict[str, object]:
    return {
        "id": "t-77",
        "order": "x-5",
        "symbol": BTC,
        "side": "sell",
        "amount": amount,
        "price": price,
        "timestamp": (START + seconds(60)) // 1_000_000,
        "fee": {"cost": "0.22", "currency": "USDT"},
        **changes,
    }


# What it is -------------------------------------------------------------------------------


def test_it_has_the_ten_operations_and_no_other() -> None:
    public = {name for name in vars(PositionStateManager) if not name.startswith("_")}
    assert public == {*OPERATIONS, "close"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_says_what_it_does_with_an_example_that_runs(
    manager: PositionStateManager, name: str
) -> None:
    operation = getattr(PositionStateManager, name)
    text = inspect.getdoc(operation)
    assert text
    found = doctest.DocTestParser().get_doctest(text, {"manager": manager}, name, None, 0)
    assert found.examples
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert runner.run(found).failed == 0


def test_a_new_store_is_made_for_what_the_settings_defaults_mean(tmp_path: Path) -> None:
    assert identity_of(config_of(tmp_path)) == AS_CONFIGURED


def test_a_new_store_is_made_for_whom_it_is_told(path: Path) -> None:
    mine = Identity(mode="paper", exchange="kraken", account="mine", market="simulated:7")
    with PositionStateManager(path, identity=mine) as manager:
        opened(manager)
    assert read_identity(path).identity == mine


@pytest.mark.parametrize("given", ["", ".", "/", None, 5], ids=str)
def test_what_is_no_file_s_name_is_refused(given: Any) -> None:
    refusal(lambda: PositionStateManager(given))


def test_two_lines_make_a_store_in_the_usual_place(tmp_path: Path) -> None:
    lines = (
        "from aegis.store import PositionStateManager\n"
        "PositionStateManager().open_position('BTC/USDT', 'long', 100, 2)"
    )
    root = Path(__file__).parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=tmp_path, env=environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert verify(tmp_path / "data" / "aegis.db").ok


@pytest.mark.parametrize(
    "ask",
    [
        lambda manager: manager.get_open_positions(),
        lambda manager: manager.get_position("x"),
        lambda manager: manager.get_position_history("x"),
        lambda manager: manager.get_statistics(),
        lambda manager: manager.update_position("x", 1),
        lambda manager: manager.close_position("x", 1),
        lambda manager: manager.reconcile_with_exchange({}),
        lambda manager: manager.self_diagnose(),
    ],
    ids=range(8),
)
def test_where_no_store_is_nothing_is_known_and_nothing_is_made(
    tmp_path: Path, path: Path, ask: Callable[[PositionStateManager], object]
) -> None:
    with (
        PositionStateManager(path) as manager,
        pytest.raises(NoStore, match="the first position that is opened makes one"),
    ):
        ask(manager)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change", [{"amount": "0.000001"}, {"stop_price": "100"}, {"side": "short"}], ids=str
)
def test_a_first_position_that_is_refused_makes_no_store(
    tmp_path: Path, path: Path, change: dict[str, Any]
) -> None:
    with PositionStateManager(path) as manager:
        refusal(lambda: manager.open_position(**{**GIVEN, **change}))
    assert list(tmp_path.iterdir()) == []


def test_of_the_folders_above_a_store_the_last_alone_is_made(tmp_path: Path) -> None:
    with PositionStateManager(tmp_path / "mistyped" / "data" / "aegis.db") as manager:
        assert refusal(lambda: opened(manager)).code == "bad_path"
    assert list(tmp_path.iterdir()) == []
    with PositionStateManager(tmp_path / "data" / "aegis.db") as manager:
        opened(manager)


def test_a_store_that_another_made_in_the_meantime_is_taken_for_what_it_is(path: Path) -> None:
    real = Identity(mode="live", exchange="cryptocom", account="main", market="exchange")
    with PositionStateManager(path) as manager:
        open_store(path, identity=real).close()
        assert manager.get_open_positions() == []
        assert refusal(lambda: opened(manager)).code == "live"


def test_a_store_of_an_older_program_is_left_to_whoever_backs_it_up_first(
    path: Path, clock: ManualClock
) -> None:
    made(path)
    older = len(migrations()) - 1
    tamper(path, f"PRAGMA user_version = {older}")
    with pytest.raises(StoreFailed, match=f"was {older}: start AEGIS once"):
        PositionStateManager(path, clock=clock)


# Opening, updating, closing ----------------------------------------------------------------


def test_a_position_that_was_opened_is_there_with_exact_figures(
    manager: PositionStateManager,
) -> None:
    held = opened(manager, stop_price="95.5", take_profit_price=110, fees="0.2")
    (row,) = manager.get_open_positions()
    assert row == manager.get_position(held)
    figures = {name: row[name] for name in ("entry_price", "amount", "cost", "stop_price", "fees")}
    assert figures == {
        "entry_price": Decimal(100),
        "amount": Decimal(2),
        "cost": Decimal(200),
        "stop_price": Decimal("95.5"),
        "fees": Decimal("0.2"),
    }
    assert (row["status"], row["created_by"], row["side"]) == ("OPEN", "operator", "long")


def test_a_position_opened_without_a_stop_has_none(manager: PositionStateManager) -> None:
    row = manager.get_position(opened(manager))
    assert (row["stop_price"], row["take_profit_price"]) == (None, None)


@pytest.mark.parametrize(
    ("policy", "told"),
    [({"trailing_stop_pct": 2}, {}), ({"stop_price": "90"}, {"stop_price": "950"})],
)
def test_no_stop_follows_a_price_that_is_a_slip_of_the_hand(
    manager: PositionStateManager, policy: dict[str, Any], told: dict[str, Any]
) -> None:
    held = opened(manager, **policy)
    before = manager.get_position(held)
    assert refusal(lambda: manager.update_position(held, "1000", **told)).code == "unlikely"
    assert manager.get_position(held) == before
    assert manager.update_position(held, "200")


def test_a_price_that_no_stop_follows_is_written_down_however_far(
    manager: PositionStateManager,
) -> None:
    held = opened(manager, stop_price="90")
    assert manager.update_position(held, "1000")


def test_a_trailing_stop_begins_below_the_entry_and_follows_the_price(
    manager: PositionStateManager,
) -> None:
    held = opened(manager, trailing_stop_pct=5)
    assert manager.get_position(held)["stop_price"] == Decimal(95)
    assert manager.update_position(held, 120)
    assert manager.get_position(held)["stop_price"] == Decimal(114)


def test_a_price_that_is_known_is_no_news(manager: PositionStateManager) -> None:
    held = opened(manager)
    assert manager.update_position(held, "101")
    assert not manager.update_position(held, "101")
    assert not manager.update_position(held)


def test_a_closed_position_has_its_result_after_fees(manager: PositionStateManager) -> None:
    held = opened(manager, fees="0.2")
    assert manager.close_position(held, "110", "target", fees="0.22")
    row = manager.get_position(held)
    assert (row["status"], row["pnl"], row["notes"]) == ("CLOSED", Decimal("19.58"), "target")
    assert manager.get_open_positions() == []


@pytest.mark.parametrize("price", ["49", "201"])
def test_a_slip_of_the_hand_is_taken_for_no_exit_price(
    manager: PositionStateManager, price: str
) -> None:
    held = opened(manager)
    assert refusal(lambda: manager.close_position(held, price)).code == "unlikely"
    assert manager.update_position(held, price)
    assert manager.close_position(held, price)


def test_an_order_of_the_exchange_is_booked_once(manager: PositionStateManager) -> None:
    held = opened(manager, exchange_order_id="X77")
    manager.close_position(held, 100)
    refused = refusal(lambda: opened(manager, exchange_order_id="X77"))
    assert (refused.code, held in refused.text) == ("known_order", True)
    assert opened(manager, "ETH/USDT", exchange_order_id="X77")
    assert opened(manager, exchange_order_id="X78")


def test_what_is_closed_stays_on_the_disk_alone(manager: PositionStateManager) -> None:
    manager.close_position(opened(manager), 100)
    assert manager._hand.store().book.positions == {}


def test_a_position_is_one_of_its_symbol_until_it_is_closed(manager: PositionStateManager) -> None:
    first = opened(manager)
    assert refusal(lambda: opened(manager)).code == "position_exists"
    manager.close_position(first, 100)
    second = opened(manager)
    assert second != first
    assert [row["position_id"] for row in manager.get_open_positions(BTC)] == [second]


def test_open_positions_of_one_symbol_are_told_apart(manager: PositionStateManager) -> None:
    opened(manager)
    ether = opened(manager, "ETH/USDT")
    assert [row["position_id"] for row in manager.get_open_positions("ETH/USDT")] == [ether]
    assert len(manager.get_open_positions()) == 2


def test_the_history_of_a_position_is_its_events_with_exact_figures(
    manager: PositionStateManager,
) -> None:
    held = opened(manager, stop_price=90)
    manager.update_position(held, "120.50", stop_price="110")
    manager.close_position(held, "119")
    assert types(manager, held) == [
        "OrderIntended", "OrderSubmitted", "OrderAccepted", "OrderFilled", "PositionOpened",
        "PositionMarked", "StopRaised",
        "OrderIntended", "OrderSubmitted", "OrderAccepted", "OrderFilled", "PositionClosed",
    ]  # fmt: skip
    marked = manager.get_position_history(held)[5]
    assert (marked["price"], marked["actor"]) == (Decimal("120.50"), "PositionStateManager")
    assert str(marked["timestamp"]).startswith("2024-01-01T00:00:00")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"entry_price": 100.5}, "float"),
        ({"amount": 0.1}, "float"),
        ({"amount": "two"}, "bad_figure"),
        ({"amount": True}, "bad_figure"),
        ({"amount": None}, "bad_figure"),
        ({"amount": "NaN"}, "bad_figure"),
        ({"amount": "4_0"}, "bad_figure"),
        ({"amount": "-1"}, "bad_figure"),
        ({"amount": "1e400"}, "bad_figure"),
        ({"entry_price": "0"}, "bad_figure"),
        ({"amount": "0.000001"}, "too_small"),
        ({"stop_price": "100"}, "bad_figure"),
        ({"stop_price": "2"}, "bad_figure"),
        ({"take_profit_price": "100000"}, "bad_figure"),
        ({"take_profit_price": "99"}, "bad_figure"),
        ({"trailing_stop_pct": "100"}, "bad_figure"),
        ({"fees": "-1"}, "bad_figure"),
        ({"side": "short"}, "no_shorts"),
        ({"side": "sideways"}, "bad_side"),
        ({"symbol": "BTCUSDT"}, "bad_symbol"),
        ({"symbol": None}, "bad_symbol"),
        ({"reason": ""}, "bad_word"),
        ({"reason": "two\nlines"}, "bad_word"),
        ({"reason": "\ud800"}, "bad_word"),
        ({"reason": "x" * 201}, "bad_word"),
        ({"exchange_order_id": 5}, "bad_word"),
        ({"amount": "\u0663"}, "bad_figure"),
        ({"created_by": 7}, "bad_word"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_in_one_line_and_nothing_is_written(
    manager: PositionStateManager, path: Path, change: dict[str, Any], code: str
) -> None:
    assert refusal(lambda: manager.open_position(**{**GIVEN, **change})).code == code
    assert read_history(path) == ()


def test_a_store_has_one_quote_coin_that_of_its_first_position(
    manager: PositionStateManager,
) -> None:
    manager.close_position(opened(manager), 110)
    said = refusal(lambda: opened(manager, "BTC/EUR"))
    assert said.code == "other_quote"
    assert "priced in USDT" in said.text
    assert manager.get_statistics()["pnl_total"] == Decimal(20)


@pytest.mark.parametrize("amount", ["0." + "1" * 24, 10**5000], ids=["text", "int"])
def test_a_figure_that_is_too_long_is_refused_with_how_long_it_may_be(
    manager: PositionStateManager, amount: str | int
) -> None:
    said = refusal(lambda: manager.open_position(BTC, "long", "100", amount)).text
    assert said.startswith("amount: expected at most 18 digits before the point and 20 after, was")
    assert len(said) < 150


def test_a_float_is_refused_with_what_to_write_instead(manager: PositionStateManager) -> None:
    said = refusal(lambda: manager.open_position(**{**GIVEN, "entry_price": 40000.5})).text
    assert said == 'entry_price: expected an exact figure as "40000.5", was a float'


def test_a_stop_that_is_there_already_is_no_news(manager: PositionStateManager) -> None:
    held = opened(manager, stop_price="90")
    assert not manager.update_position(held, stop_price="90")


def test_a_listener_may_close_the_manager(manager: PositionStateManager, path: Path) -> None:
    manager.register_listener("PositionOpened", lambda _event: manager.close())
    opened(manager)
    assert read_status(path).writer_pid is None


@pytest.mark.parametrize(("stop", "code"), [("89", "lower_stop"), ("130", "bad_figure")])
def test_a_stop_is_only_raised_and_stays_below_the_price(
    manager: PositionStateManager, stop: str, code: str
) -> None:
    held = opened(manager, stop_price="90")
    assert refusal(lambda: manager.update_position(held, "120", stop_price=stop)).code == code
    assert manager.get_position(held)["current_price"] == Decimal(100)


def test_what_is_closed_is_neither_updated_nor_closed_again(manager: PositionStateManager) -> None:
    held = opened(manager)
    manager.close_position(held, 100)
    assert refusal(lambda: manager.close_position(held, 100)).code == "not_open"
    assert refusal(lambda: manager.update_position(held, 100)).code == "not_open"


@pytest.mark.parametrize("key", ["nobody", "system", "", "' OR 1=1 --", "\ud800", None, 7])
def test_an_id_that_no_position_has_is_refused(manager: PositionStateManager, key: Any) -> None:
    opened(manager)
    for work in (
        lambda: manager.get_position(key),
        lambda: manager.get_position_history(key),
        lambda: manager.close_position(key, 1),
        lambda: manager.update_position(key, 1),
    ):
        assert refusal(work).code == "unknown_position"


JUNK = st.one_of(
    st.none(), st.booleans(), st.floats(), st.integers(), st.decimals(), st.text(max_size=6),
    st.sampled_from(["100", "0.05", BTC, "ETH/USDT", "long", "short", "-1", "1e30", "NaN"]),
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.lists(JUNK, min_size=4, max_size=4), stop=JUNK, target=JUNK, more=JUNK)
def test_whatever_a_script_hands_in_is_booked_or_refused(
    manager: PositionStateManager, given: list[Any], stop: Any, target: Any, more: Any
) -> None:
    with suppress(Refused):
        manager.open_position(*given, stop_price=stop, take_profit_price=target, fees=more)
    with suppress(Refused):
        manager.open_position(BTC, "long", given[0], given[1], trailing_stop_pct=more)
    with suppress(Refused, IndexError):
        held = manager.get_open_positions(BTC)[0]["position_id"] if more else given[0]
        manager.update_position(held, given[1], stop_price=given[2])
    with suppress(Refused, IndexError):
        manager.close_position(manager.get_open_positions()[0]["position_id"], more, fees=stop)
    with suppress(Refused):
        manager.reconcile_with_exchange({BTC: more}, [{**sale(), "amount": stop, "id": target}])
    assert manager.get_statistics()["events"] >= 0  # the whole log reads and folds


# One truth ---------------------------------------------------------------------------------


def test_what_the_library_wrote_is_proved_as_everything_else(
    manager: PositionStateManager, path: Path
) -> None:
    held = opened(manager, stop_price=90, trailing_stop_pct=3)
    opened(manager, "ETH/USDT")
    manager.update_position(held, 130)
    manager.close_position(held, 120)
    manager.self_diagnose()
    manager.close()
    found = verify(path)
    assert found.ok, found.problems


def test_what_was_booked_is_there_after_a_reopening(path: Path, clock: ManualClock) -> None:
    with PositionStateManager(path, clock=clock) as first:
        held = opened(first)
    with PositionStateManager(path, clock=clock) as second:
        assert second.get_position(held)["status"] == "OPEN"
        assert second.close_position(held, 101)


def test_a_failed_block_lets_go_of_the_store(path: Path, clock: ManualClock) -> None:
    with pytest.raises(ZeroDivisionError), PositionStateManager(path, clock=clock):
        _ = 1 // 0
    open_store(path).close()


def test_reading_takes_no_lock(path: Path, clock: ManualClock) -> None:
    made(path)
    with PositionStateManager(path, clock=clock) as manager:
        manager.get_open_positions()
        manager.get_statistics()
        assert read_status(path).writer_pid is None


HOLDING = """
import sys
from pathlib import Path
from tests.store.histories import open_store
store = open_store(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_while_another_process_has_the_store_reading_works_and_nothing_else(
    path: Path, clock: ManualClock
) -> None:
    with PositionStateManager(path, clock=clock) as first:
        held = opened(first)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(path)],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        manager = PositionStateManager(path, clock=clock)
        assert manager.get_position(held)["status"] == "OPEN"
        assert len(manager.get_position_history(held)) == 5
        assert manager.get_statistics()["open_positions"] == 1
        for work in (
            lambda: opened(manager, "ETH/USDT"),
            lambda: manager.update_position(held, 1),
            lambda: manager.close_position(held, 1),
            lambda: manager.reconcile_with_exchange({}),
            manager.self_diagnose,
        ):
            with pytest.raises(StoreBusy):
                work()
        other.stdin.close()
        assert other.wait(10) == 0
    assert manager.close_position(held, 101)
    manager.close()


def test_a_trade_told_of_a_store_of_real_money_is_in_the_exchange_s_record(
    path: Path, clock: ManualClock
) -> None:
    real = Identity(mode="live", exchange="cryptocom", account="main", market="exchange")
    store = open_store(path, identity=real)
    store.commit(History(1, store.book).open_position(), store.book)
    (position,) = store.book.alive_positions()
    store.close()
    before = booked_trades(path)
    clock.advance_to(Instant(START + seconds(9999)))
    told = sale(str(position.amount), "110", symbol=position.symbol, timestamp=clock.now() // 10**6)
    with PositionStateManager(path, clock=clock) as manager:
        assert manager.reconcile_with_exchange({}, [told])["healed"] == 1
    assert booked_trades(path) - before == {(position.symbol, "t-77")}


def test_a_store_of_real_money_is_read_reconciled_and_examined_and_nothing_else(
    path: Path, clock: ManualClock
) -> None:
    real = Identity(mode="live", exchange="cryptocom", account="main", market="exchange")
    store = open_store(path, identity=real)
    history = History(1, store.book)
    store.commit(history.open_position(), store.book)
    (position,) = store.book.alive_positions()
    key = position.position_id
    store.close()
    with PositionStateManager(path, clock=clock) as manager:
        assert len(manager.get_open_positions()) == 1
        assert manager.self_diagnose()["is_well"]
        assert manager.reconcile_with_exchange({position.symbol: position.amount})["status"]
        for work in (
            lambda: opened(manager, "ETH/USDT"),
            lambda: manager.update_position(key, 100),
            lambda: manager.close_position(key, 100),
        ):
            assert refusal(work).code == "live"


def test_where_another_writer_of_this_process_was_here_the_next_call_begins_anew(
    manager: PositionStateManager, path: Path, clock: ManualClock
) -> None:
    opened(manager)
    other = PositionStateManager(path, clock=clock)
    ether = opened(other, "ETH/USDT")
    other.close()
    with pytest.raises(StoreForked):
        opened(manager, "SOL/USDT")
    assert manager.close_position(ether, 100)


def test_a_forked_child_writes_nothing_with_its_parents_manager(
    manager: PositionStateManager,
) -> None:
    held = opened(manager)

    def child() -> str:
        with suppress(StoreBusy):
            return f"wrote {manager.update_position(held, 101)}"
        manager.close()
        return f"busy, {len(manager.get_open_positions())} seen"

    assert in_a_fork(child) == "busy, 1 seen"
    assert manager.update_position(held, 102)


def test_threads_may_share_a_manager(manager: PositionStateManager, path: Path) -> None:
    def trade(symbol: str) -> None:
        for _ in range(3):
            held = opened(manager, symbol)
            manager.update_position(held, "101")
            manager.close_position(held, "102")
            manager.get_statistics()

    heard: list[object] = []
    manager.register_listener("PositionClosed", heard.append)
    with ThreadPoolExecutor(4) as threads:
        symbols = [f"{coin}/USDT" for coin in ("BTC", "ETH", "SOL", "XRP")]
        assert list(threads.map(trade, symbols)) == [None] * 4
    manager.close()
    assert len(heard) == 12
    assert verify(path).ok


# Time --------------------------------------------------------------------------------------


def test_in_a_market_with_a_time_of_its_own_it_is_the_last_stored_instant(path: Path) -> None:
    store = open_store(path)
    history = History(1, store.book, START)
    store.commit(history.execute(StartBalances(balances={USDT: Decimal(1)})), store.book)
    store.close()
    lived_until = text_of(history.now)
    late = ManualClock(Instant(START + seconds(10**8)))
    with PositionStateManager(path, clock=late) as manager:
        row = manager.get_position(opened(manager))
    assert row["opened_at"] == lived_until


def test_a_clock_that_steps_back_does_not_take_the_log_along(path: Path) -> None:
    with PositionStateManager(path, clock=ManualClock(START)) as manager:
        held = opened(manager)
    with PositionStateManager(path, clock=ManualClock(Instant(START - seconds(60)))) as manager:
        manager.close_position(held, 100)
    assert verify(path).ok


# Listeners ---------------------------------------------------------------------------------


def test_a_listener_hears_what_is_committed_in_order(
    manager: PositionStateManager, path: Path
) -> None:
    heard: list[tuple[object, object, int]] = []

    def hear(event: dict[str, object]) -> None:
        heard.append((event["event_type"], event["symbol"], len(read_history(path))))

    manager.register_listener("POSITION_CLOSED", hear)
    manager.register_listener("PositionOpened", hear)
    held = opened(manager)
    manager.close_position(held, 100)
    assert heard == [("PositionOpened", BTC, 5), ("PositionClosed", BTC, 10)]


def test_a_listener_that_raises_harms_neither_the_others_nor_the_caller(
    manager: PositionStateManager,
) -> None:
    heard: list[object] = []

    def fail(_event: dict[str, object]) -> None:
        raise KeyError("mine")

    def leave(_event: dict[str, object]) -> None:
        raise SystemExit(3)

    for listener in (fail, leave, heard.append):
        manager.register_listener("PositionOpened", listener)
    with pytest.warns(RuntimeWarning, match="a listener raised") as warned:
        held = opened(manager)
    assert len(heard) == 1
    assert len(warned) == 2
    assert manager.get_position(held)["status"] == "OPEN"


def test_a_listener_hears_nothing_of_what_was_refused(manager: PositionStateManager) -> None:
    heard: list[object] = []
    manager.register_listener("PositionOpened", heard.append)
    refusal(lambda: opened(manager, stop_price=1000))
    assert heard == []


def test_what_a_listener_does_is_told_after_what_it_hears_of(
    manager: PositionStateManager,
) -> None:
    heard: list[object] = []

    def follow(event: dict[str, object]) -> None:
        if event["symbol"] == BTC:
            opened(manager, "ETH/USDT")

    def note(event: dict[str, object]) -> None:
        heard.append(event["symbol"])

    manager.register_listener("PositionOpened", follow)
    manager.register_listener("PositionOpened", note)
    opened(manager)
    assert heard == [BTC, "ETH/USDT"]


@pytest.mark.parametrize("given", [("PositionOpened", None), (3, print), ("", print)], ids=str)
def test_what_cannot_listen_or_be_heard_is_refused(
    manager: PositionStateManager, given: tuple[Any, Any]
) -> None:
    refusal(lambda: manager.register_listener(*given))


def test_an_event_that_the_log_does_not_know_is_refused_with_the_nearest_name(
    manager: PositionStateManager,
) -> None:
    said = refusal(lambda: manager.register_listener("PositionOpend", print))
    assert said.code == "unknown_event"
    assert said.text.endswith("did you mean PositionOpened?")


# Reconciling -------------------------------------------------------------------------------


def test_an_exchange_that_holds_the_same_differs_in_nothing(
    manager: PositionStateManager, path: Path
) -> None:
    opened(manager)
    found = manager.reconcile_with_exchange([{"symbol": BTC, "amount": "2"}])
    assert (found["discrepancies"], found["status"]) == ([], "SUCCESS")
    assert (found["exchange_positions"], found["local_positions"]) == (1, 1)
    reconciled = read_status(path).last_reconciliation
    assert reconciled is not None
    assert reconciled["status"] == "SUCCESS"


def test_an_amount_alone_closes_nothing_however_often_it_is_told(
    manager: PositionStateManager, path: Path
) -> None:
    held = opened(manager)
    for _ in range(3):
        found = manager.reconcile_with_exchange({})
        (missing,) = found["discrepancies"]
        assert (missing["kind"], missing["is_healed"]) == ("phantom", False)
        assert (found["unresolved"], found["status"]) == ([held], "PARTIAL")
    assert manager.get_position(held)["status"] == "OPEN"
    assert read_status(path).account.blocked == (BTC,)


def test_what_became_of_a_missing_position_a_person_says_with_a_price(
    manager: PositionStateManager, path: Path
) -> None:
    held = opened(manager)
    manager.reconcile_with_exchange({})
    assert manager.close_position(held, "90", "sold by hand")
    assert read_status(path).account.blocked == ()
    assert manager.get_position(held)["pnl"] == Decimal(-20)


def test_a_trade_that_sold_a_position_closes_it_at_its_price(
    manager: PositionStateManager,
) -> None:
    held = opened(manager)
    found = manager.reconcile_with_exchange({BTC: 0}, [sale()])
    assert (found["healed"], found["status"]) == (1, "SUCCESS")
    row = manager.get_position(held)
    assert (row["status"], row["pnl"]) == ("CLOSED", Decimal("19.78"))
    assert manager.reconcile_with_exchange({}, [sale()])["discrepancies"] == []


def test_a_trade_before_the_position_began_sold_nothing_of_it(
    manager: PositionStateManager,
) -> None:
    opened(manager)
    early = sale(timestamp=(START - seconds(60)) // 1_000_000)
    assert manager.reconcile_with_exchange({}, [early])["healed"] == 0


def test_half_of_a_position_that_a_trade_sold_is_taken_off(manager: PositionStateManager) -> None:
    held = opened(manager)
    found = manager.reconcile_with_exchange({BTC: 1}, [sale("1")])
    assert found["healed"] == 1
    assert manager.get_position(held)["amount"] == Decimal(1)


def test_a_trade_that_is_booked_already_explains_nothing_more(
    manager: PositionStateManager,
) -> None:
    held = opened(manager)
    manager.reconcile_with_exchange({BTC: 1}, [sale("1")])
    found = manager.reconcile_with_exchange({}, [sale("1")])
    assert (found["healed"], found["unresolved"]) == (0, [held])
    assert manager.get_position(held)["amount"] == Decimal(1)


@pytest.mark.parametrize("there", [{BTC: 5}, {BTC: 2, "ETH/USDT": 3}], ids=["more", "other"])
def test_what_the_exchange_holds_beyond_ours_is_told_and_left_alone(
    manager: PositionStateManager, there: dict[str, Any]
) -> None:
    opened(manager)
    found = manager.reconcile_with_exchange(there)
    (external,) = found["discrepancies"]
    assert (external["kind"], found["status"]) == ("external", "SUCCESS")
    assert manager.get_open_positions()[0]["amount"] == Decimal(2)


@pytest.mark.parametrize(
    "given",
    [
        None, "BTC/USDT", 7, [1], [{"symbol": BTC}], {BTC: 0.5}, {BTC: "-1"}, {"BTC": 1},
        [{"symbol": BTC, "amount": 1}, {"symbol": BTC, "amount": 1}],
    ],
    ids=str,
)  # fmt: skip
def test_no_answer_of_an_exchange_is_not_an_empty_one(
    manager: PositionStateManager, path: Path, given: Any
) -> None:
    opened(manager)
    refusal(lambda: manager.reconcile_with_exchange(given))
    assert read_status(path).last_reconciliation is None


@pytest.mark.parametrize(
    "change",
    [{"side": "hold"}, {"price": 1.5}, {"timestamp": "now"}, {"fee": 3}, {"amount": "0"}],
    ids=str,
)
def test_a_trade_that_is_none_is_refused(
    manager: PositionStateManager, change: dict[str, object]
) -> None:
    refusal(lambda: manager.reconcile_with_exchange({}, [{**sale(), **change}]))
    refusal(lambda: manager.reconcile_with_exchange({}, [{"id": "t"}]))


@pytest.mark.parametrize("given", [None, "abc", 5, {}, [3], [None], [sale("1")] * 2], ids=repr)
def test_what_is_no_list_of_trades_is_refused(manager: PositionStateManager, given: Any) -> None:
    refusal(lambda: manager.reconcile_with_exchange({}, given))


def test_a_symbol_with_an_order_under_way_is_not_judged(path: Path, clock: ManualClock) -> None:
    store = open_store(path)
    history = History(1, store.book)
    store.commit(history.execute(history.entry(ETH_USDT)), store.book)
    store.close()
    with PositionStateManager(path, clock=clock) as manager:
        found = manager.reconcile_with_exchange({ETH_USDT: 3})
    assert (found["unjudged"], found["discrepancies"]) == ([ETH_USDT], [])


# Diagnosis and statistics --------------------------------------------------------------------


def test_a_sound_store_is_well(manager: PositionStateManager, path: Path) -> None:
    opened(manager, stop_price=90)
    found = manager.self_diagnose()
    assert (found["issues_found"], found["auto_fixes_applied"], found["is_well"]) == (0, 0, True)
    assert read_status(path).last_diagnosis


def test_a_damaged_row_is_found_mended_and_told(path: Path, clock: ManualClock) -> None:
    with PositionStateManager(path, clock=clock) as first:
        held = opened(first, stop_price=90)
    tamper(path, "UPDATE positions SET amount_exact = '7' WHERE status = 'OPEN'")
    with PositionStateManager(path, clock=clock) as manager:
        found = manager.self_diagnose()
        assert (found["auto_fixes_applied"], found["is_well"]) == (1, True)
        assert manager.get_position(held)["amount"] == Decimal(2)


def test_a_stop_that_was_lost_is_set_again(path: Path, clock: ManualClock) -> None:
    with PositionStateManager(path, clock=clock) as manager:
        held = opened(manager, stop_price=90)
        store = manager._hand.store()
        bare = msgspec.structs.replace(store.book.positions[PositionId(held)], stop_price=None)
        store.book.keep_position(bare)
        found = manager.self_diagnose()
    assert found["auto_fixes_applied"] == 1


def test_statistics_are_those_of_the_trades(manager: PositionStateManager) -> None:
    for price in (110, 95):
        manager.close_position(opened(manager), price)
    opened(manager)
    found = manager.get_statistics()
    assert (found["trades"], found["won"], found["open_positions"]) == (2, 1, 1)
    assert (found["pnl_total"], found["win_rate_pct"]) == (Decimal(10), Decimal(50))
    assert isinstance(found["database_bytes"], int)


def test_statistics_of_nothing_are_nothing(manager: PositionStateManager) -> None:
    found = manager.get_statistics()
    assert (found["trades"], found["pnl_average"], found["events"]) == (0, None, 0)


def test_an_inspector_beside_it_finds_nothing_wrong(
    manager: PositionStateManager, path: Path
) -> None:
    opened(manager)
    inspector = Inspector(path)
    opened(manager, "ETH/USDT")
    assert inspector.fold_of_open().problems == ()
    inspector.close()
