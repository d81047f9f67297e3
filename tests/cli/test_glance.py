"""What `status` makes of a store and a process: figures, words, and what is to be settled."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aegis.cli.glance import Glance, json_of, rows_of
from aegis.cli.holdings import distance_pct, gain_of, nearest_to_stop, with_figures
from aegis.cli.unsettled import to_settle
from aegis.config.model import Config, build
from aegis.domain.account import Account, TradingState
from aegis.domain.ids import Coin, Generation, Incarnation, Instant, PositionId, Symbol
from aegis.domain.risk import equity_of
from aegis.domain.unsold import Unsold
from aegis.store.housekeeping import CallsNoted
from aegis.store.identity import Identity, StoredIdentity
from aegis.store.outbox import Backlog
from aegis.store.reading import StoreStatus
from aegis.vitals import (
    ArmingRead,
    CallFigures,
    ExchangeVitals,
    LaneVitals,
    LastPrice,
    NoteCalls,
    Part,
    PricesRead,
    TreeRead,
    Vitals,
)
from tests.simulation.candles import flat
from tests.simulation.world import World

USDT = Coin("USDT")
BTC_USDT = Symbol("BTC/USDT")
DAY = Instant(1_704_067_200_000_000_000)

HELD: dict[str, object] = {
    "position_id": "p-1",
    "symbol": "BTC/USDT",
    "side": "long",
    "status": "OPEN",
    "amount": "0.5",
    "cost": "50.05",
    "entry_price": "100",
    "current_price": "104",
    "stop_price": "98",
    "take_profit_price": "110",
    "pnl": "-0.05",
    "opened_at": "2024-01-01T00:00:00.000000000Z",
    "closed_at": None,
}

ORDER: dict[str, object] = {
    "client_order_id": "o-1",
    "symbol": "BTC/USDT",
    "state": "UNKNOWN",
    "role": "exit",
    "side": "sell",
    "amount": "0.5",
    "filled": "0",
    "intended_at": "2024-01-01T00:00:00.000000000Z",
    "unknown_at": "2024-01-01T00:00:03.000000000Z",
}

ACCOUNT = Account(
    has_balances=True,
    balances={USDT: Decimal(9950)},
    day_started_at=DAY,
    day_start_equity=Decimal(10_000),
    peak_equity=Decimal(10_020),
)


FLATTENING = msgspec.structs.replace(
    ACCOUNT, trading_state=TradingState.REDUCING, cause="flatten", is_flattening=True
)


def status_of(**changed: Any) -> StoreStatus:
    usual = StoreStatus(
        path="aegis.db",
        identity=StoredIdentity(
            identity=Identity(mode="paper", exchange="x", account="main", market="simulated:1"),
            incarnation=Incarnation("i"),
            created_at=DAY,
        ),
        writer_pid=7,
        events=3,
        head_hash="ab" * 32,
        last_event_at=None,
        account=ACCOUNT,
        positions=(),
        orders=(),
        orders_active=0,
        orders_unsettled=0,
        notices_pending=0,
        outbox=(),
        quarantined=0,
        last_reconciliation=None,
        last_diagnosis=(),
        last_calls=None,
    )
    return msgspec.structs.replace(usual, **changed)


def config_of(**sections: Any) -> Config:
    config = build(sections)
    assert isinstance(config, Config)
    return config


def vitals_of(**changed: Any) -> Vitals:
    running = Part(name="Guard", branch="trading", state="running", restarts=2, waiting=0)
    strategy = Part(name="Strategy", branch="trading", state="abandoned", restarts=0, waiting=0)
    usual = Vitals(
        tree=TreeRead(token=1, generation=Generation(1), parts=(running, strategy)),
        prices=PricesRead(token=1, prices={BTC_USDT: LastPrice(bid=Decimal(104), age_s=1.5)}),
        arming=ArmingRead(token=1, is_armed=True, waits_for=""),
    )
    return msgspec.structs.replace(usual, **changed)


def glance_of(status: StoreStatus | None = None, **changed: Any) -> Glance:
    usual = Glance(
        status=status or status_of(),
        vitals=vitals_of(),
        config=config_of(),
        shown_path="data/aegis.db",
    )
    return msgspec.structs.replace(usual, **changed)


def told(glance: Glance, name: str) -> str:
    rows = dict(rows_of(glance))
    assert name in rows, rows
    return rows[name]


def settled(**changed: Any) -> str:
    return "\n".join(to_settle(status_of(**changed), is_silent=False))


# Notices ------------------------------------------------------------------------------------

STUCK_CHAT = Backlog("telegram:42", 12, "2024-01-01T00:00:00.000000000Z", 5, None, "refused: 403")
WAITING_LOG = Backlog("log", 1, "2024-01-01T00:00:00.000000000Z", 0, None, None)


def test_what_waits_to_be_told_is_shown_by_channel_with_what_is_in_its_way() -> None:
    status = status_of(notices_pending=13, outbox=(WAITING_LOG, STUCK_CHAT))
    lines = [line for _, line in rows_of(glance_of(status))]
    place = lines.index("13 waiting")
    assert lines[place + 1 : place + 3] == [
        "log: 1 since 2024-01-01 00:00:00",
        "telegram:42: 12 since 2024-01-01 00:00:00, 5 tries, the last refused: 403",
    ]
    assert json_of(glance_of(status))["outbox"][1]["channel"] == "telegram:42"  # type: ignore[index]


def test_a_channel_that_takes_nothing_is_to_be_settled() -> None:
    assert settled(outbox=(WAITING_LOG,)) == ""
    assert settled(outbox=(STUCK_CHAT,)) == "telegram:42 does not take notices: refused: 403"


# Figures ------------------------------------------------------------------------------------


def test_a_position_s_gain_counts_what_is_held_at_its_mark() -> None:
    assert gain_of(HELD) == Decimal("1.90")


@pytest.mark.parametrize("status", ["CLOSED", "VOID"])
def test_what_has_ended_has_gained_what_is_booked(status: str) -> None:
    assert gain_of({**HELD, "status": status}) == Decimal("-0.05")


def test_distances_are_per_cents_of_the_mark() -> None:
    figures = with_figures(HELD)
    assert figures["stop_distance_pct"] == "5.7692"
    assert figures["target_distance_pct"] == "5.7692"


def test_a_stop_that_is_passed_is_below_zero() -> None:
    away = distance_pct({**HELD, "current_price": "97"}, "stop_price")
    assert away is not None
    assert away < 0


def test_a_short_s_stop_is_above_it() -> None:
    short = {**HELD, "side": "short", "stop_price": "106", "take_profit_price": "100"}
    assert with_figures(short)["stop_distance_pct"] == "1.9231"
    assert with_figures(short)["target_distance_pct"] == "3.8462"


@pytest.mark.parametrize("missing", ["stop_price", "current_price"])
def test_without_a_stop_or_a_mark_there_is_no_distance(missing: str) -> None:
    assert distance_pct({**HELD, missing: None}, "stop_price") is None


def test_of_many_positions_those_nearest_to_their_stop_are_shown_in_their_order() -> None:
    stops = {"far": "90", "near": "103", "passed": "105", "further": "80"}
    views = [{**HELD, "position_id": name, "stop_price": stop} for name, stop in stops.items()]
    told = [view["position_id"] for view in nearest_to_stop(views, 2)]
    assert told == ["near", "passed"]
    assert nearest_to_stop(views, 4) == views


def test_a_position_whose_distance_is_not_known_is_not_left_out() -> None:
    bare = {**HELD, "stop_price": None}
    assert nearest_to_stop([{**HELD, "stop_price": "103"}, HELD, bare], 1) == [bare]


def test_of_very_many_coins_the_first_are_told() -> None:
    many = {Coin(f"C{n}"): Decimal(n) for n in range(1, 31)}
    glance = glance_of(status_of(account=msgspec.structs.replace(ACCOUNT, balances=many)))
    line = told(glance, "Balances")
    assert line.startswith("1 C1, 2 C2, ")
    assert line.endswith("12 C12, and 18 coins more")


def test_the_equity_is_the_quote_and_what_is_held_at_its_mark() -> None:
    assert glance_of(status_of(positions=(HELD,))).equity == Decimal("10002.0")


def test_today_and_the_drawdown_are_told_beside_their_limits() -> None:
    glance = glance_of(status_of(positions=(HELD,)))
    assert told(glance, "Today") == "2.00 USDT; at 200.00 lost it halts"
    assert told(glance, "Drawdown") == (
        "18.00 USDT below the highest; at 2,004.00 (20.00 %) it halts"
    )
    exact = json_of(glance)
    assert (exact["day_pnl"], exact["drawdown"], exact["drawdown_max"]) == ("2", "18", "2004")


def test_before_the_balances_are_known_there_is_no_equity() -> None:
    glance = glance_of(status_of(account=Account()))
    assert glance.equity is None
    assert "Today" not in dict(rows_of(glance))
    assert json_of(glance)["day_pnl"] is None


def test_the_equity_shown_is_the_one_that_the_limits_look_at(tmp_path: Path) -> None:
    world = World(tmp_path, flat(20), script={"enters": [2]}).start()
    world.run_until(lambda: world.has_said("PositionOpened"))
    world.run_for(120)
    status = world.status()
    book = world.system._store.book
    world.drop()
    assert status.positions
    glance = Glance(status=status, vitals=None, config=world.config, shown_path="")
    assert glance.equity == equity_of(book, USDT)


# Words --------------------------------------------------------------------------------------


def test_who_runs_and_how_often_it_was_restarted_is_told() -> None:
    assert told(glance_of(), "Actors") == "Guard running, 2 restarts; Strategy abandoned"


def test_each_branch_has_a_row_of_its_own() -> None:
    part = Part(name="X", branch="watch", state="running", restarts=0, waiting=0)
    usual = vitals_of().tree
    assert usual is not None
    tree = msgspec.structs.replace(usual, parts=(*usual.parts, part))
    rows = rows_of(glance_of(vitals=vitals_of(tree=tree)))
    place = [name for name, _ in rows].index("Actors")
    assert rows[place + 1] == ("", "X running")


def test_armed_or_why_not_is_told() -> None:
    assert told(glance_of(), "Armed") == "yes, ema_cross"
    waiting = ArmingRead(token=1, is_armed=False, waits_for="the diagnosis")
    assert told(glance_of(vitals=vitals_of(arming=waiting)), "Armed") == (
        "no: it waits for the diagnosis"
    )
    assert told(glance_of(vitals=vitals_of(arming=None)), "Armed").endswith("it is abandoned")


def test_the_last_price_is_told_with_its_age() -> None:
    assert told(glance_of(), "Market") == "BTC/USDT 104.00 (1.5 s ago)"
    old = PricesRead(token=1, prices={BTC_USDT: LastPrice(bid=Decimal(104), age_s=31.0)})
    assert "stale after 30 s" in told(glance_of(vitals=vitals_of(prices=old)), "Market")


def exchange_of(**changed: Any) -> Vitals:
    lanes = (
        LaneVitals(name="orders", breaker="closed", waiting=0),
        LaneVitals(name="looks", breaker="half_open", waiting=2),
    )
    usual = ExchangeVitals(hold=None, offset_s=-0.25, lanes=lanes)
    return vitals_of(exchange=msgspec.structs.replace(usual, **changed))


def test_the_way_to_a_real_exchange_is_told() -> None:
    assert told(glance_of(vitals=exchange_of()), "Exchange") == (
        "answers; its clock is -0.2 s from ours; looks half open; 2 calls waiting for looks"
    )


def test_what_holds_entries_is_told_first() -> None:
    vitals = exchange_of(hold="the exchange does not take the key: 40101")
    assert told(glance_of(vitals=vitals), "Exchange").startswith(
        "entries wait: the exchange does not take the key: 40101;"
    )


def test_how_calls_fared_is_told_with_the_worst_and_the_slowest() -> None:
    quick = CallFigures(call="Place", count=3, failed=0, ms_p50=40, ms_p99=60, ms_max=60)
    slow = CallFigures(
        call="ReadTrades", count=4, failed=2, ms_p50=90, ms_p99=310, ms_max=310, last_error="Lost"
    )
    note = NoteCalls(interval_s=300, calls=(quick, slow))
    noted = CallsNoted(at="2024-01-01T10:00:00.000000000Z", note=note)
    glance = glance_of(status_of(last_calls=noted))
    assert told(glance, "Calls") == (
        "7 calls in 300 s until 2024-01-01 10:00:00, 2 failed, ReadTrades last of Lost;"
        " slowest ReadTrades 310 ms"
    )
    assert msgspec.json.encode(json_of(glance))


def test_paper_has_no_way_to_an_exchange() -> None:
    assert not {"Exchange", "Calls"} & set(dict(rows_of(glance_of())))


def test_who_does_not_run_has_no_actors_and_no_market() -> None:
    rows = dict(rows_of(glance_of(status_of(writer_pid=None), vitals=None)))
    assert rows["AEGIS"].endswith("not running")
    assert not {"Actors", "Market", "Armed"} & set(rows)


def test_who_holds_the_store_and_says_nothing_is_told_with_its_pid() -> None:
    glance = glance_of(vitals=None)
    assert told(glance, "AEGIS").endswith("running as pid 7, does not answer")
    assert "does not answer" in told(glance, "To settle")


def test_a_replay_at_full_speed_answers_nobody_and_that_is_as_it_should_be() -> None:
    glance = glance_of(vitals=None, config=config_of(market={"speed": 0}))
    assert told(glance, "To settle") == "nothing"


def test_json_has_what_the_process_said() -> None:
    vitals = json_of(glance_of())["vitals"]
    assert isinstance(vitals, dict)
    assert vitals["prices"]["prices"] == {"BTC/USDT": {"bid": "104", "age_s": 1.5}}
    assert msgspec.json.encode(json_of(glance_of(status_of(positions=(HELD,)))))


# What is to be settled ----------------------------------------------------------------------


def test_where_all_is_well_nothing_is_to_be_settled() -> None:
    assert settled() == ""
    assert told(glance_of(), "To settle") == "nothing"


def test_an_order_without_an_answer_is_named() -> None:
    assert "order o-1 has no answer since 2024-01-01 00:00:03" in settled(orders=(ORDER,))


def test_an_order_that_needs_a_person_says_what_to_do() -> None:
    assert "o-1 needs you" in settled(orders=({**ORDER, "state": "NEEDS_HUMAN"},))


def test_an_order_that_is_to_be_called_off_is_told_while_nobody_does_so() -> None:
    canceling = ({**ORDER, "state": "CANCELING"},)
    assert "order o-1 is to be called off" in settled(orders=canceling, writer_pid=None)
    assert "called off" not in settled(orders=canceling, writer_pid=4711)


@pytest.mark.parametrize(
    ("state", "told"),
    [("OPEN", "is to end first"), ("CANCELING", "it rests on, or nothing guards")],
)
def test_an_exit_that_is_not_sent_is_told_with_the_stop_in_its_way(state: str, told: str) -> None:
    leaving = {**ORDER, "state": "INTENT", "position_id": "p-1"}
    stop = {**leaving, "client_order_id": "o-2", "role": "protective", "state": state}
    assert "sold since 2024-01-01T00:00:00Z, and that is not sent yet" in settled(orders=(leaving,))
    beside = settled(orders=(leaving, stop))
    assert "stop o-2" in beside
    assert told in beside


def test_an_exit_that_was_not_sent_goes_nowhere_while_nobody_runs() -> None:
    leaving = {**ORDER, "state": "INTENT", "position_id": "p-1"}
    assert settled(orders=(leaving,), writer_pid=None) == ""


def test_an_order_on_its_way_is_nothing_to_settle() -> None:
    assert settled(orders=({**ORDER, "state": "OPEN"},)) == ""


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"blocked": (BTC_USDT,)}, "BTC/USDT differs"),
        ({"orphans": ("x-9",)}, "x-9"),
        ({"trading_state": TradingState.REDUCING, "cause": "operator"}, "run.py resume"),
        ({"trading_state": TradingState.REDUCING, "cause": "daily_loss"}, "next day"),
        ({"trading_state": TradingState.REDUCING, "cause": "strategy"}, "mend the strategy"),
        ({"trading_state": TradingState.REDUCING, "cause": "canary"}, "raise live.canary_orders"),
        (
            {"trading_state": TradingState.REDUCING, "cause": "flatten", "is_flattening": True},
            "python run.py flatten",
        ),
    ],
)
def test_what_holds_entries_back_says_how_it_ends(changed: dict[str, Any], word: str) -> None:
    assert word in settled(account=msgspec.structs.replace(ACCOUNT, **changed))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"doubted": ("p-1",)}, "BTC/USDT: no exit goes before run.py recover"),
        ({"restored_at": Instant(1)}, "no exit goes before the books are compared"),
    ],
)
def test_what_holds_exits_back_says_how_it_ends(changed: dict[str, Any], word: str) -> None:
    account = msgspec.structs.replace(ACCOUNT, **changed)
    assert word in settled(account=account, positions=(HELD,))
    assert word not in settled(account=account)


@pytest.mark.parametrize("since", [None, Instant(1)])
def test_orders_that_have_sold_nothing_of_it_hold_no_exit_back(since: Instant | None) -> None:
    account = msgspec.structs.replace(
        ACCOUNT, orphans=("x-9",), blocked=(BTC_USDT,), restored_at=since
    )
    assert "no exit goes" not in settled(account=account, positions=(HELD,))


@pytest.mark.parametrize(("status", "is_told"), [("ok", False), ("fixed", False), ("failed", True)])
def test_a_check_that_is_not_settled_is_told(status: str, *, is_told: bool) -> None:
    check = {"check_type": "chain", "status": status, "details": "torn", "timestamp": ""}
    assert ("chain" in settled(last_diagnosis=(check,))) is is_told


def test_events_that_were_set_aside_are_told() -> None:
    assert "2 events set aside" in settled(quarantined=2)


UNSOLD = Unsold(
    position_id=PositionId("p-1"),
    symbol=BTC_USDT,
    wanted="stop_loss",
    tries=6,
    since=DAY,
    why="insufficient_funds: code 306",
    locked_by=("order 7",),
)


def test_a_stop_that_cannot_sell_is_told_with_why_and_since_when_and_what_is_in_the_way() -> None:
    assert settled(unsold=(UNSOLD,)) == (
        "BTC/USDT is to be sold (stop loss), and cannot be since 2024-01-01T00:00:00Z: "
        "insufficient_funds: code 306; order 7, not of AEGIS, locks its coins: cancel it at the "
        "exchange (6 tries so far); sell by hand what cannot wait"
    )


def test_nobody_is_told_to_sell_what_is_gone() -> None:
    account = msgspec.structs.replace(ACCOUNT, unresolved={UNSOLD.position_id: Decimal(1)})
    assert settled(unsold=(UNSOLD,), account=account).endswith("its coins are gone, see below")


def test_a_stop_that_cannot_sell_is_told_once() -> None:
    check = {"check_type": "exits", "status": "finding", "details": "BTC/USDT", "timestamp": ""}
    assert settled(last_diagnosis=(check,)) == ""


@pytest.mark.parametrize("account", [ACCOUNT, FLATTENING])
def test_that_no_exit_passes_is_told_first_whatever_else_goes_on(account: Account) -> None:
    glance = glance_of(
        status_of(account=account, unsold=(UNSOLD,)),
        vitals=exchange_of(hold="no price", exits_wait="the exchange does not take the key: 401"),
    )
    first = "NO EXIT PASSES: the exchange does not take the key: 401"
    assert told(glance, "To settle").startswith(first)
    assert told(glance, "Exchange").startswith("no exit passes: the exchange does not take the key")
    assert json_of(glance)["to_settle"][0].startswith(first)  # type: ignore[index]  # a tuple


REAL = config_of(market={"source": "exchange", "speed": 1})


def test_an_exit_that_is_due_and_waits_is_to_be_settled() -> None:
    waiting = PricesRead(token=1, prices={}, waiting={BTC_USDT: "nobody has looked"})
    glance = glance_of(vitals=vitals_of(prices=waiting))
    assert told(glance, "To settle") == "BTC/USDT: an exit is due and waits: nobody has looked"


@pytest.mark.parametrize(
    ("age_s", "said"),
    [(None, "had no price since the start"), (30.0, ""), (30.6, "had no price for 31 s")],
)
def test_what_is_held_without_a_price_is_to_be_settled(age_s: float | None, said: str) -> None:
    last = {} if age_s is None else {BTC_USDT: LastPrice(bid=Decimal(104), age_s=age_s)}
    vitals = vitals_of(prices=PricesRead(token=1, prices=last))
    glance = glance_of(status_of(positions=(HELD,)), vitals=vitals, config=REAL)
    line = told(glance, "To settle")
    assert said in line if said else line == "nothing"


def test_a_price_that_nobody_holds_anything_at_may_be_missing() -> None:
    vitals = vitals_of(prices=PricesRead(token=1, prices={}))
    assert told(glance_of(vitals=vitals, config=REAL), "To settle") == "nothing"


DENIED = msgspec.structs.replace(ACCOUNT, trading_state=TradingState.REDUCING, cause="key_denied")


@pytest.mark.parametrize(
    ("hold", "said"),
    [(None, "which it takes again"), ("its clock was not measured yet", "no exit passes, while")],
)
def test_a_key_that_is_taken_again_keeps_no_exit(hold: str | None, said: str) -> None:
    glance = glance_of(status_of(account=DENIED), vitals=exchange_of(hold=hold))
    assert said in told(glance, "To settle")


def test_positions_without_anybody_to_guard_them_are_told() -> None:
    assert "nothing guards 1 position" in settled(writer_pid=None, positions=(HELD,))
    assert settled(positions=(HELD,)) == ""
    stop = {"role": "protective", "state": "OPEN", "client_order_id": "s", "symbol": "BTC/USDT"}
    assert settled(writer_pid=None, positions=(HELD,), orders=(stop,)) == ""
