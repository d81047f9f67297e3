"""Cool-downs and loss limits: a kill does not end them, a day does only what it is for."""

from __future__ import annotations

import pytest

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.domain.instants import instant_of
from tests.simulation.candles import START, candle, flat
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import FREE, NO_STOPS, Settings, World, merged

QUARTER_HOUR_S = 900
A_DAY = 96
QUARTERS: Settings = {"market": {"timeframe": "15m"}, "diagnose": {"interval_s": 10_000_000}}
TEN_COINS: Settings = {"sizing": {"value": 1000}}
ALWAYS = {"enters": [0], "period": 1}


def still(count: int, first: int = 0, price: str = "100") -> list[Candle]:
    return flat(count, price=price, first=first, length_s=QUARTER_HOUR_S)


def falls(number: int, to: str) -> Candle:
    return candle(number, "100", "100", to, to, length_s=QUARTER_HOUR_S)


LOSING = [*still(6), falls(6, "97"), *still(2 * A_DAY, first=7, price="97")]
"""Ten coins bought at 100 are stopped out at 98 in the second hour: a loss of over 20."""


def at(hour: int, minute: int = 0, day: int = 0) -> Instant:
    return Instant(START + ((day * 24 + hour) * 60 + minute) * 60 * NANOS_PER_SECOND)


def go_to(world: World, instant: Instant) -> None:
    world.run_until(lambda: world.now() >= instant)


def state(world: World) -> tuple[str, str]:
    account = world.status().account
    return account.trading_state, account.cause


def days(world: World) -> list[str]:
    """Return when each day began, as its event says; the event is at the first close after."""
    return [str(line.fields["day_started_at"])[:16] for line in world.said("DayStarted")]


# Cool-down --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_cool_down_lasts_as_long_as_it_says_killed_or_not(
    make_world: MakeWorld,
    is_killed: bool,  # noqa: FBT001  the case
) -> None:
    rest: Settings = {"risk": {"cooldown_s": 2 * 3600}}
    world = make_world(LOSING[:40], script=ALWAYS, settings=merged(QUARTERS, rest)).start()
    world.run_until(lambda: world.has_said("PositionClosed"))
    closed_at = world.status().account.last_closed_at
    for _ in range(3 if is_killed else 0):
        world.run_for(1500)
        world.restart()
    world.run_to_the_end().end()

    bought = [trade.at for trade in world.ledger().trades if trade.side == "buy"]
    assert len(bought) == 2
    assert world.status().account.last_closed_at == closed_at
    waited_s = (bought[1] - next(iter(closed_at.values()))) / NANOS_PER_SECOND
    assert 7200 <= waited_s <= 7200 + QUARTER_HOUR_S + 1


# The day ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts_at", "next_start"), [("00:00", at(24)), ("23:30", at(23, 30)), ("05:15", at(5, 15))]
)
def test_a_daily_loss_halts_until_the_next_day_starts_whatever_is_killed(
    make_world: MakeWorld, starts_at: str, next_start: Instant
) -> None:
    limit: Settings = {"risk": {"daily_loss_max": 20, "day_starts_at": starts_at}}
    settings = merged(QUARTERS, TEN_COINS, limit)
    world = make_world(LOSING, script=ALWAYS, settings=settings).start()
    world.run_until(lambda: world.has_said("TradingStateChanged"))
    world.restart()
    assert state(world) == ("REDUCING", "daily_loss")
    for minutes_before in (31, 16, 1):
        go_to(world, Instant(next_start - minutes_before * 60 * NANOS_PER_SECOND))
        world.restart()
        world.run_for(20)
        assert state(world) == ("REDUCING", "daily_loss")
    assert world.bought() == 1

    go_to(world, Instant(next_start + 2 * QUARTER_HOUR_S * NANOS_PER_SECOND))

    assert state(world) == ("ACTIVE", "")
    assert world.bought() == 2


def test_a_day_starts_once_however_often_the_process_does(make_world: MakeWorld) -> None:
    world = make_world(still(A_DAY + 8), settings=QUARTERS).start()
    for hour in (1, 12, 23):
        go_to(world, at(hour, 59))
        world.restart()
    go_to(world, at(24, 20))
    world.restart().run_to_the_end().end()

    assert days(world) == ["2024-01-01T00:00", "2024-01-02T00:00"]


def test_a_day_that_started_while_nothing_was_seen_is_caught_up(make_world: MakeWorld) -> None:
    market = [*LOSING[: A_DAY - 4], *still(20, first=A_DAY + 8, price="97")]
    limit: Settings = {"risk": {"daily_loss_max": 20}}
    world = make_world(market, script=ALWAYS, settings=merged(QUARTERS, TEN_COINS, limit)).start()
    go_to(world, at(22, 50))
    world.restart()
    assert state(world) == ("REDUCING", "daily_loss")
    world.run_to_the_end()

    assert days(world)[-1] == "2024-01-02T00:00"
    begun = world.history("DayStarted")[-1]
    assert instant_of(str(begun["timestamp"])) >= at(26)
    assert state(world) == ("ACTIVE", "")


def test_a_loss_counts_what_is_still_held_at_its_mark(make_world: MakeWorld) -> None:
    limit: Settings = {"risk": {"daily_loss_max": 20}}
    settings = merged(QUARTERS, FREE, TEN_COINS, NO_STOPS, limit)
    world = make_world(LOSING[:12], script={"enters": [2]}, settings=settings).live()

    assert state(world) == ("REDUCING", "daily_loss")
    assert len(world.positions("OPEN")) == 1


def test_a_loss_counts_the_fees(make_world: MakeWorld) -> None:
    """At a price that stands still ten round trips of a thousand cost 20 in fees."""
    costly: Settings = {"paper": {"fee_rate": "0.001", "spread_bps": 0, "slippage_bps": 0}}
    limit: Settings = {"risk": {"daily_loss_max": 20, "stop_loss_pct": 0, "take_profit_pct": 0}}
    script = {"enters": [0], "leaves": [1], "period": 2}
    settings = merged(QUARTERS, TEN_COINS, costly, limit)
    world = make_world(still(60), script=script, settings=settings).live()

    assert state(world) == ("REDUCING", "daily_loss")
    assert world.bought() == 10


# Drawdown ---------------------------------------------------------------------------------

DRAWN: Settings = {"risk": {"drawdown_max_pct": "0.2", "daily_loss_max": 100_000}}


def test_a_drawdown_outlasts_kills_and_midnight_until_a_person_resumes(
    make_world: MakeWorld,
) -> None:
    world = make_world(LOSING, script=ALWAYS, settings=merged(QUARTERS, TEN_COINS, DRAWN)).start()
    for instant in (at(3), at(23, 59), at(24, 30)):
        go_to(world, instant)
        world.restart()
        world.run_for(20)
        assert state(world) == ("REDUCING", "drawdown")
    assert len(world.history("TradingStateChanged")) == 1
    assert world.bought() == 1

    assert world.say("resume").is_done
    go_to(world, at(26))

    assert state(world) == ("ACTIVE", "")
    assert world.bought() == 2


def test_a_resume_begins_the_drawdown_anew_and_a_kill_keeps_that(make_world: MakeWorld) -> None:
    """After the resume it takes another fall of the same share, measured from there."""
    again = [*LOSING[:40], *still(1, first=40, price="97"),
             candle(41, "97", "97", "94", "94", length_s=QUARTER_HOUR_S),
             *still(10, first=42, price="94")]  # fmt: skip
    world = make_world(again, script=ALWAYS, settings=merged(QUARTERS, TEN_COINS, DRAWN)).start()
    go_to(world, at(3))
    before = world.status().account.peak_equity
    assert world.say("resume").is_done
    based = world.status().account.peak_equity
    assert based < before
    world.restart()
    go_to(world, at(9, 45))
    assert state(world) == ("ACTIVE", "")
    assert world.status().account.peak_equity == based

    world.run_to_the_end()

    assert state(world) == ("REDUCING", "drawdown")
