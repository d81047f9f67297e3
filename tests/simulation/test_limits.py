"""Limits, halts, resume and flatten: what stops entries, and what ends it again."""

from __future__ import annotations

from decimal import Decimal

import pytest

from actors import names
from aegis.dialogue import FetchAccount, PlaceOrder
from aegis.domain.candles import Candle
from aegis.domain.order import Side
from tests.simulation.candles import candle, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.faults import ANSWER_LOST, REQUEST_LOST, either, everything, on
from tests.simulation.world import NO_STOPS, Settings, merged

ALWAYS = {"enters": [0], "period": 1}
TEN_COINS = {"sizing": {"value": 1000}}
DAY_OF_20 = {"risk": {"daily_loss_max": 20}}
MINUTES_A_DAY = 24 * 60


def losing_day(count: int) -> list[Candle]:
    """Ten coins bought at 100 are stopped out at 98: a loss of over 20."""
    return [
        *flat(6),
        candle(6, "100", "100", "97", "97"),
        *flat(count - 7, price="97", first=7),
    ]


def test_the_daily_loss_limit_halts_entries(make_world: MakeWorld) -> None:
    settings = merged(TEN_COINS, DAY_OF_20)
    world = make_world(losing_day(20), script=ALWAYS, settings=settings).live()

    account = world.status().account
    assert (account.trading_state, account.cause) == ("REDUCING", "daily_loss")
    assert world.bought() == 1


def test_the_next_day_resumes_what_the_daily_loss_halted(make_world: MakeWorld) -> None:
    settings = merged(TEN_COINS, DAY_OF_20)
    market = losing_day(MINUTES_A_DAY + 10)
    world = make_world(market, script=ALWAYS, settings=settings).start()
    world.run_until_candle(MINUTES_A_DAY - 1)
    assert world.bought() == 1

    world.run_to_the_end()

    assert world.status().account.trading_state == "ACTIVE"
    assert world.bought() == 2


def test_a_day_that_lost_too_much_is_not_resumed(make_world: MakeWorld) -> None:
    settings = merged(TEN_COINS, DAY_OF_20)
    world = make_world(losing_day(20), script=ALWAYS, settings=settings).start()
    world.run_until_candle(10)

    reply = world.say("resume")

    assert not reply.is_done
    assert reply.text.startswith("still REDUCING (lost 22.2805 since the day began")
    assert "risk.daily_loss_max" in reply.text
    assert world.status().account.cause == "daily_loss"


def test_the_day_may_begin_at_another_hour(make_world: MakeWorld) -> None:
    settings = merged(TEN_COINS, {"risk": {"daily_loss_max": 20, "day_starts_at": "00:30"}})
    world = make_world(losing_day(40), script=ALWAYS, settings=settings).start()
    world.run_until_candle(29)
    assert world.bought() == 1

    world.run_until_candle(35)

    assert world.bought() == 2


def test_a_person_s_halt_outlasts_the_day(make_world: MakeWorld) -> None:
    settings = merged(TEN_COINS, DAY_OF_20)
    market = losing_day(MINUTES_A_DAY + 10)
    world = make_world(market, script=ALWAYS, settings=settings).start()
    world.run_until_candle(20)
    assert world.say("halt").is_done

    world.run_to_the_end()

    assert world.status().account.cause == "operator"
    assert world.bought() == 1


def test_the_drawdown_limit_halts_until_a_person_resumes(make_world: MakeWorld) -> None:
    settings = merged(TEN_COINS, {"risk": {"drawdown_max_pct": Decimal("0.2")}})
    market = losing_day(MINUTES_A_DAY + 10)
    world = make_world(market, script=ALWAYS, settings=settings).start()
    world.run_to_the_end()
    assert world.status().account.cause == "drawdown"

    reply = world.say("resume")

    assert reply.is_done
    assert world.status().account.trading_state == "ACTIVE"
    assert world.status().account.peak_equity < Decimal(10_000)


def test_a_withdrawal_is_no_loss(make_world: MakeWorld) -> None:
    world = make_world(flat(40), script={"enters": [30]}, settings=DAY_OF_20).start()
    world.run_until_candle(10)
    world.move_balance("USDT", Decimal(-5000))
    assert world.say("reconcile").is_done

    world.run_to_the_end()

    assert world.status().account.trading_state == "ACTIVE"
    assert len(world.positions("OPEN")) == 1


# A person's commands --------------------------------------------------------------------------


def test_a_halt_says_what_was_and_what_is(make_world: MakeWorld) -> None:
    world = make_world(flat(10)).start()
    world.run_until_candle(3)

    assert world.say("halt").text == "ACTIVE -> REDUCING (halt): halted by the operator"
    again = world.say("halt")
    assert again.is_done
    assert again.text == "REDUCING (halted by the operator) already, nothing changed"


def test_a_halt_takes_no_entries_and_leaves_stops_at_work(make_world: MakeWorld) -> None:
    world = make_world(losing_day(15), script=ALWAYS).start()
    world.run_until_candle(4)
    world.say("halt")
    world.run_to_the_end().end()

    assert world.bought() == 1
    assert [position["status"] for position in world.positions()] == ["CLOSED"]


def test_a_halt_calls_off_an_entry_that_still_fills(make_world: MakeWorld) -> None:
    thin = {"paper": {"volume_share_max": Decimal("0.0001")}}
    world = make_world(flat(20), script={"enters": [2]}, settings=thin).start()
    world.run_until_candle(6)
    world.say("halt")
    world.run_until_candle(8)

    (entry,) = world.evidence().orders.values()
    assert entry.state == "CANCELED"
    assert 0 < entry.filled < entry.amount


def test_a_halt_survives_a_restart(make_world: MakeWorld) -> None:
    world = make_world(flat(20), script=ALWAYS).start()
    world.run_until(lambda: world.has_said("StrategyArmed"))
    world.say("halt")
    world.restart().run_to_the_end().end()

    assert world.status().account.cause == "operator"
    assert world.bought() == 0


def test_a_resume_lets_entries_in_again(make_world: MakeWorld) -> None:
    world = make_world(flat(20), script=ALWAYS).start()
    world.run_until(lambda: world.has_said("StrategyArmed"))
    world.say("halt")
    world.run_until_candle(8)
    assert world.bought() == 0

    assert world.say("resume").text == ("REDUCING -> ACTIVE (resume): resumed by the operator")
    world.run_to_the_end()
    assert len(world.positions("OPEN")) == 1


def test_a_resume_is_refused_while_an_outcome_is_unknown(make_world: MakeWorld) -> None:
    faults = either(on(PlaceOrder, REQUEST_LOST, times=1), everything(ANSWER_LOST))
    world = make_world(flat(20), script={"enters": [2]}).start()
    world.run_until_candle(2)
    world.faults = faults
    world.run_until(lambda: world.has_said("OrderOutcomeUnknown"))
    world.say("halt")

    reply = world.say("resume")

    assert not reply.is_done
    assert reply.text.startswith("still REDUCING (halted by the operator): the outcome of ")


def test_a_flatten_leaves_everything_and_stays_out(make_world: MakeWorld) -> None:
    world = make_world(flat(20), script=ALWAYS, settings=NO_STOPS).start()
    world.run_until_candle(5)

    assert world.say("flatten").text == "ACTIVE -> REDUCING (flatten): flatten by the operator"
    world.run_to_the_end().end()

    account = world.status().account
    assert (account.trading_state, account.is_flattening) == ("REDUCING", False)
    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    assert world.bought() == 1
    world.expect_truth()


def test_a_flatten_names_the_dust_that_it_leaves(make_world: MakeWorld) -> None:
    in_coins: Settings = {
        "paper": {"fee_currency": "received"},
        "sizing": {"value": Decimal("123.45")},
    }
    settings = merged(NO_STOPS, in_coins)
    world = make_world(flat(20), script=ALWAYS, settings=settings).start()
    world.run_until_candle(5)
    world.say("flatten")
    world.run_to_the_end().end()

    account = world.status().account
    assert account.reason == "flat but for dust: 0.0000055 BTC; resume to trade again"
    world.expect_truth()


@pytest.mark.parametrize("command", ["halt", "reconcile", "diagnose"])
def test_a_flatten_under_way_ends_flat_whatever_else_is_said(
    make_world: MakeWorld, command: str
) -> None:
    faults = on(PlaceOrder, REQUEST_LOST, times=1, side=Side.SELL)
    world = make_world(flat(20), script=ALWAYS, settings=NO_STOPS).start()
    world.run_until_candle(5)
    world.faults = faults
    world.say("flatten")
    world.say(command)
    world.run_to_the_end().end()

    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    world.expect_truth()


def test_a_flatten_goes_on_after_a_restart(make_world: MakeWorld) -> None:
    world = make_world(flat(30), script=ALWAYS, settings=NO_STOPS).start()
    world.run_until_candle(5)
    world.faults = everything(ANSWER_LOST)
    world.say("flatten")
    world.restart()
    world.faults = lambda _request: None
    world.run_to_the_end().end()

    assert [position["status"] for position in world.positions()] == ["CLOSED"]
    assert world.status().account.is_flattening is False


def test_a_word_that_is_no_command_is_answered(make_world: MakeWorld) -> None:
    world = make_world(flat(10)).start()
    world.run_until_candle(2)

    reply = world.say("sell everything")

    assert not reply.is_done
    assert reply.text.startswith("expected one of ")
    assert " flatten, " in reply.text
    assert reply.text.endswith(", was 'sell everything'")


def test_a_command_is_taken_after_the_listener_died(make_world: MakeWorld) -> None:
    world = make_world(flat(10)).start()
    world.run_until_candle(2)
    world.kill(names.COMMAND_LISTENER)
    world.run_until_candle(3)

    assert world.say("halt").is_done


def test_each_asker_gets_its_own_answer_though_an_earlier_run_died_with_its_own(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(10)).start()
    world.run_until_candle(2)
    world.faults = on(FetchAccount, ANSWER_LOST)
    died = world.people.say("reconcile")
    world.run_for(12)  # one look is over; after a second one it would be told
    world.faults = lambda _request: None
    world.kill(names.RECONCILER)
    world.run_until_candle(5)

    assert world.say("reconcile").text == "0 discrepancies, nothing changed"
    assert world.people.replies[died].text.startswith("not done yet after 25 s")
