"""What a person does while AEGIS is down: words on the state, resolutions, errands."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.cli.settings import load_config
from aegis.config.model import Config
from aegis.domain.commands import AskForHuman, IntendOrder, LoseSight, Refusal, SubmitOrder
from aegis.domain.ids import Instant
from aegis.domain.order import Side
from aegis.exchange.paper_ledger import read_ledger
from aegis.store.clerk import Clerk
from aegis.store.journal import Store
from aegis.store.lock import take_lock
from aegis.store.reading import read_status
from supervisors.settings import identity_of, limits_of
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import Place
from tests.domain.kit import exit_of
from tests.paper_hand import Hand, hand_of
from tests.store.looking import read_history

HOLDING = (
    REPLAY.replace("period_s = 300", "period_s = 2400")
    + """
[risk]
stop_loss_pct = 0
take_profit_pct = 0
"""
)
"""It enters at the fortieth candle, and the data end before it would leave."""

HALTED = "ACTIVE -> REDUCING (halt): halted by the operator\n"
RESUMED = "REDUCING -> ACTIVE (resume): resumed by the operator\n"


@pytest.fixture
def down(place: Place) -> Place:
    """A place where AEGIS holds a position and does not run."""
    place.configure(HOLDING)
    write(place.folder, [HEADER, *rows()])
    assert place.say("run").code == 0
    assert [each["status"] for each in place.say("positions", "--json").json] == ["OPEN"]
    return place


def hand(place: Place) -> Hand:
    return hand_of(config_at(place))


def config_at(place: Place) -> Config:
    return load_config(
        place.folder / "config.toml", {}, is_trading=False, shield=lambda code: code()
    )


def held(place: Place) -> tuple[str, Decimal]:
    (position,) = read_status(place.store).positions
    return str(position["position_id"]), Decimal(str(position["amount"]))


def head(place: Place) -> str:
    return read_status(place.store).head_hash


# Words on the state -------------------------------------------------------------------------


def test_a_halt_and_a_resume_are_written_while_nobody_runs(down: Place) -> None:
    said = down.say("halt")
    assert (said.code, said.out, said.err) == (0, HALTED, "")
    assert down.say("status", "--json").json["trading_state"] == "REDUCING"
    assert down.say("resume").out == RESUMED
    assert down.say("verify").code == 0


def test_a_halt_of_what_is_halted_writes_nothing(down: Place) -> None:
    down.say("halt")
    before = head(down)
    said = down.say("halt")
    assert (said.code, head(down)) == (0, before)
    assert said.out == "REDUCING (halted by the operator) already, nothing changed\n"


def test_a_halt_starts_nothing_else(down: Place) -> None:
    down.say("halt")
    last = read_history(down.store, limit=2)
    assert [event["event_type"] for event in last][-1] == "TradingStateChanged"
    assert str(last[-1]["actor"]) == "operator"
    assert last[-1]["timestamp"] == last[-2]["timestamp"]


@pytest.mark.parametrize("act", ["halt", "resume", "flatten", "reconcile", "diagnose"])
def test_a_store_that_somebody_has_is_left_alone(down: Place, act: str) -> None:
    lock, before = take_lock(down.store), head(down)
    try:
        said = down.say(act)
    finally:
        lock.release()
    assert (said.code, said.out, head(down)) == (75, "", before)
    assert said.err.count("\n") == 1


def test_an_act_on_a_store_of_another_market_is_refused(down: Place) -> None:
    down.configure(HOLDING + "[exchange]\naccount = 'other'\n")
    said = down.say("halt")
    assert (said.code, said.out) == (78, "")
    assert "account" in said.err


# Resolve ------------------------------------------------------------------------------------


@pytest.fixture
def unresolved(down: Place) -> Place:
    """A place where the position's coins are gone, and a reconciliation has seen it."""
    hand(down).transfer("BTC", -held(down)[1])
    said = down.say("reconcile")
    assert said.code == 1
    return down


def test_coins_that_are_gone_are_told_with_what_to_do(unresolved: Place) -> None:
    position, _ = held(unresolved)
    settle = unresolved.say("status").out
    assert f"run.py resolve {position} --transferred | --closed-at PRICE" in settle
    assert "BTC/USDT" in settle


@pytest.fixture
def lost(down: Place) -> tuple[Place, str]:
    """A place where nobody can say what became of an exit, and the order's id."""
    config = config_at(down)
    store = Store.open(
        config.store.path,
        identity_of(config),
        draw_incarnation=str,
        now=Instant(0),
        notice_of=lambda _recorded, _book: None,
    )
    (position,) = store.book.alive_positions()
    order = exit_of(position)
    key = order.client_order_id
    commands = (
        IntendOrder(order=order),
        SubmitOrder(client_order_id=key, quote=None),
        LoseSight(client_order_id=key, reason="timed out"),
        AskForHuman(client_order_id=key, reason="no barrier"),
    )
    done = Clerk(store, limits_of(config), by="test").execute(*commands, now=Instant(0))
    store.close()
    assert not isinstance(done, Refusal), done
    return down, key


def test_an_order_that_needs_a_person_is_told_with_what_to_do(lost: tuple[Place, str]) -> None:
    place, order = lost
    assert f"run.py resolve {order} --never-placed" in place.say("status").out
    said = place.say("resume")
    assert (said.code, order in said.out) == (1, True)


def test_an_order_that_was_never_placed_is_resolved_while_nobody_runs(
    lost: tuple[Place, str],
) -> None:
    place, order = lost
    said = place.say("resolve", order, "--never-placed")
    assert said.code == 0, said.err
    assert said.out.startswith(f"order {order} (sell ")
    assert said.out.endswith(" BTC/USDT): NEEDS_HUMAN -> NOT_PLACED (resolve)\n")
    assert place.say("status", "--json").json["orders"] == []
    assert place.say("verify").code == 0


def test_a_word_on_an_order_that_needs_none_is_refused(lost: tuple[Place, str]) -> None:
    place, order = lost
    place.say("resolve", order, "--never-placed")
    said = place.say("resolve", order, "--never-placed")
    assert (said.code, said.out) == (1, f"order {order} is NOT_PLACED, and needs no word\n")


def test_a_word_on_an_order_that_nobody_knows_is_refused(down: Place) -> None:
    said = down.say("resolve", "o-1", "--never-placed")
    assert (said.code, said.out) == (1, "no order 'o-1'\n")


def test_one_word_at_a_time_is_taken(down: Place) -> None:
    said = down.say("resolve", "o-1", "--never-placed", "--transferred")
    assert said.code == 2
    assert "--never-placed" in said.err


def test_what_was_transferred_is_resolved_while_nobody_runs(unresolved: Place) -> None:
    position, amount = held(unresolved)
    said = unresolved.say("resolve", position, "--transferred")
    assert said.code == 0, said.err
    assert said.out == (
        f"BTC/USDT (position {position}): OPEN {amount} BTC -> "
        "CLOSED, neither gain nor loss (resolve)\n"
    )
    assert unresolved.say("reconcile").out == "0 discrepancies, nothing changed\n"
    assert unresolved.say("verify").code == 0


def test_what_was_sold_is_resolved_at_its_price(unresolved: Place) -> None:
    position, amount = held(unresolved)
    said = unresolved.say("resolve", "BTC/USDT", "--closed-at", "41000")
    assert said.code == 0, said.err
    assert f"(position {position}): OPEN {amount} BTC -> CLOSED, P&L " in said.out
    assert unresolved.say("reconcile", "--json").json["is_done"] is True
    balances = read_status(unresolved.store).account.balances
    there = read_ledger(unresolved.store.with_name("aegis.db.paper")).balances
    assert {coin: held for coin, held in balances.items() if held} == {
        coin: held for coin, held in there.items() if held
    }


def test_a_resume_is_refused_until_it_is_resolved(unresolved: Place) -> None:
    unresolved.say("halt")
    said = unresolved.say("resume")
    assert said.code == 1
    assert "still REDUCING" in said.out
    assert "--transferred | --closed-at PRICE" in said.out
    unresolved.say("resolve", "BTC/USDT", "--transferred")
    assert unresolved.say("resume").out == RESUMED


def test_what_is_resolved_is_not_resolved_again(unresolved: Place) -> None:
    position, _ = held(unresolved)
    unresolved.say("resolve", position, "--transferred")
    before = head(unresolved)
    for word in (("--transferred",), ("--closed-at", "5")):
        said = unresolved.say("resolve", position, *word)
        assert said.code == 1
        assert position in said.out
    assert head(unresolved) == before


def test_coins_that_are_back_are_not_resolved(unresolved: Place) -> None:
    position, amount = held(unresolved)
    hand(unresolved).transfer("BTC", amount)
    said = unresolved.say("resolve", position, "--transferred")
    assert said.code == 1
    assert "again; run reconcile" in said.out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--transferred", "--closed-at", "5"),
        ("--closed-at", "nothing"),
        ("--closed-at", "-5"),
        ("--closed-at", "NaN"),
        ("--closed-at", "4_0"),
    ],
)
def test_a_resolution_that_says_nothing_clear_is_a_usage_error(
    down: Place, arguments: tuple[str, ...]
) -> None:
    before = head(down)
    said = down.say("resolve", "BTC/USDT", *arguments)
    assert (said.code, said.out, head(down)) == (2, "", before)
    assert "expected" in said.err


def test_a_resolution_of_what_nobody_knows_names_what_there_is(down: Place) -> None:
    said = down.say("resolve", "no-such", "--transferred")
    assert (said.code, said.out) == (1, "no position 'no-such'; unresolved is nothing\n")


# Reconcile and diagnose ---------------------------------------------------------------------


def test_a_dry_run_on_a_sound_store_says_so_and_writes_nothing(down: Place) -> None:
    before, names = head(down), down.names()
    said = down.say("reconcile", "--dry-run")
    assert (said.code, said.out, said.err) == (0, "0 discrepancies, nothing changed\n", "")
    assert (head(down), down.names()) == (before, names)


def test_a_dry_run_tells_what_a_reconciliation_would_do(down: Place) -> None:
    hand(down).trade(Side.SELL, "BTC/USDT", held(down)[1], Decimal(41000))
    before = head(down)
    said = down.say("reconcile", "--dry-run")
    assert said.code == 0
    assert said.out.startswith("2 discrepancies, nothing changed\nphantom BTC/USDT") or (
        said.out.startswith("1 discrepancy, nothing changed\nphantom BTC/USDT")
    )
    assert "would book what somebody else sold of it" in said.out
    assert head(down) == before
    said = down.say("reconcile")
    assert said.code == 0
    assert "1 healed" in said.out
    assert read_status(down.store).positions == ()


def test_a_diagnosis_while_nobody_runs_is_recorded_and_a_dry_one_is_not(down: Place) -> None:
    before = head(down)
    assert "ok       chain" in down.say("diagnose", "--dry-run").out
    assert head(down) == before
    said = down.say("diagnose")
    assert (said.code, "ok       chain" in said.out) == (0, True)
    types = [event["event_type"] for event in read_history(down.store, limit=10)]
    assert "DiagnosisCompleted" in types


def test_a_stop_that_was_cancelled_while_nobody_runs_is_missed_at_once(place: Place) -> None:
    guarded = 'exchange_stop = "disaster"\nstop_loss_pct = 20'
    place.configure(HOLDING.replace("stop_loss_pct = 0", guarded))
    write(place.folder, [HEADER, *rows()])
    assert place.say("run").code == 0
    assert "ok       exchange_stop" in place.say("diagnose").out
    (stop,) = (o for o in read_status(place.store).orders if o["role"] == "protective")
    hand(place).cancel(str(stop["client_order_id"]))
    said = place.say("diagnose")
    assert said.code == 1
    assert f"no stop rests at the exchange for: {held(place)[0]}" in said.out


def test_no_errand_arms_a_strategy(down: Place) -> None:
    def armed() -> int:
        events = read_history(down.store, limit=10_000)
        return [event["event_type"] for event in events].count("StrategyArmed")

    before = armed()
    for act in ("reconcile", "diagnose", "flatten"):
        down.say(act)
    assert armed() == before


# Flatten ------------------------------------------------------------------------------------


def test_a_flatten_while_nobody_runs_leaves_everything_at_the_last_price(down: Place) -> None:
    last_close = Decimal(rows()[-1].split(",")[4])
    said = down.say("flatten")
    assert said.code == 0, said.out
    assert said.out.splitlines() == [
        "ACTIVE -> REDUCING (flatten): flatten by the operator",
        "flat; resume to trade again",
    ]
    trade = read_ledger(down.store.with_name("aegis.db.paper")).trades[-1]
    assert trade.side is Side.SELL
    assert abs(trade.price - last_close) <= last_close / 1000
    assert read_status(down.store).positions == ()
    assert down.say("verify").code == 0


def test_a_dry_flatten_names_what_would_be_left(down: Place) -> None:
    before = head(down)
    said = down.say("flatten", "--dry-run")
    assert (said.code, head(down)) == (0, before)
    assert said.out.startswith(f"would leave {held(down)[1]} BTC/USDT, last seen at ")
    assert said.out.endswith("nothing changed\n")


def test_what_the_market_does_not_take_is_told_as_open(down: Place) -> None:
    down.configure(HOLDING + "[paper]\nvolume_share_max = 0.000001\n")
    said = down.say("flatten")
    assert said.code == 1
    assert "still open: BTC/USDT" in said.out
    assert read_status(down.store).positions[0]["status"] == "CLOSING"


def test_a_broken_strategy_keeps_nobody_from_leaving(down: Place) -> None:
    text = HOLDING.replace('"metronome"', '"nowhere:Nobody"').replace("params =", "#")
    down.configure(text)
    assert down.say("flatten").code == 0
    assert read_status(down.store).positions == ()


def test_it_goes_on_from_an_errand(down: Place) -> None:
    down.say("flatten")
    down.say("resume")
    write(down.folder, [HEADER, *rows(count=200)])
    assert down.say("run").code == 0
    assert down.say("verify").code == 0
    assert len(read_history(down.store, limit=10_000)) > 20
