"""Both bounds of a replay, by hand and against Guard's own decisions along the other path."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.domain.candles import Candle, path
from aegis.domain.guard import ExitWanted, opening_stops, quote_of, watch
from aegis.domain.ids import Instant
from aegis.domain.money import minus
from aegis.domain.position import Position, PositionStatus, StopPolicy
from aegis.domain.statistics.bounds import Bounds, bounds_of
from tests.domain.kit import BTC_USDT, START, Desk, decimals, seconds

NO_SPREAD, ENTRY = Decimal(0), Decimal(100)
MINUTE = seconds(60)


def candle(number: int, opened: str, high: str, low: str, close: str) -> Candle:
    figures = decimals(opened, high, low, close)
    return Candle(
        symbol=BTC_USDT,
        open_at=Instant(START + number * MINUTE),
        length_s=60,
        open=figures[0],
        high=figures[1],
        low=figures[2],
        close=figures[3],
        volume=Decimal(1),
    )


def holding(stop: str, target: str = "0", trailing: str = "0") -> Position:
    """Return one coin bought at 100, at the open of candle 0, with a policy in per cent."""
    stop_pct, target_pct, trailing_pct = decimals(stop, target, trailing)
    policy = StopPolicy(
        stop_loss_pct=stop_pct, take_profit_pct=target_pct, trailing_stop_pct=trailing_pct
    )
    held = msgspec.structs.replace(
        Desk().holding("1"),
        policy=policy,
        entered=Decimal(1),
        paid=ENTRY,
        opened_at=START,
    )
    first, target_price = opening_stops(held, ENTRY)
    return msgspec.structs.replace(
        held, stop_first=first, stop_price=first, take_profit_price=target_price
    )


def ended(trade: Position, number: int, price: str, reason: str) -> Position:
    """Return a trade that was closed in a candle, at a price."""
    return msgspec.structs.replace(
        trade,
        status=PositionStatus.CLOSED,
        exited=Decimal(1),
        received=Decimal(price),
        closed_at=Instant(START + number * MINUTE + seconds(15)),
        close_reason=reason,
    )


def of(trade: Position, *candles: Candle, spread: Decimal = NO_SPREAD) -> Bounds:
    return bounds_of([trade], candles, spread)


def test_the_target_may_have_come_before_the_stop() -> None:
    trade = ended(holding("2", "4"), 0, "98", "stop_loss")

    assert of(trade, candle(0, "100", "104", "97", "99")) == Bounds(
        candles=1, worst=Decimal(0), best=Decimal(6)
    )


def test_a_target_is_touched_by_the_bid() -> None:
    trade = ended(holding("2", "4"), 0, "98", "stop_loss")

    assert of(trade, candle(0, "100", "104", "97", "99"), spread=Decimal(2)) == Bounds()


def test_the_high_may_have_raised_the_stop_that_the_low_met() -> None:
    trade = ended(holding("2", trailing="2"), 0, "98", "stop_loss")

    assert of(trade, candle(0, "100", "103", "97", "99")) == Bounds(
        candles=1, worst=Decimal(0), best=Decimal("2.94")
    )


def test_a_candle_that_a_trade_lived_through_may_have_ended_it() -> None:
    trade = ended(holding("2", trailing="2"), 1, "99.5", "strategy")
    through = candle(0, "100", "103", "100.5", "102")

    assert of(trade, through, candle(1, "99.5", "99.5", "99", "99")) == Bounds(
        candles=1, worst=Decimal(0), best=Decimal("1.44")
    )


def test_an_end_that_did_not_come_may_have_been_the_worse_one() -> None:
    trade = ended(holding("2", trailing="2"), 1, "105", "strategy")
    through = candle(0, "100", "103", "100.5", "102")

    assert of(trade, through, candle(1, "105", "105", "105", "105")) == Bounds(
        candles=1, worst=Decimal("-4.06"), best=Decimal(0)
    )


def test_the_worst_and_the_best_of_several_ends_bound_a_trade() -> None:
    trade = ended(holding("2", trailing="2"), 2, "102.5", "strategy")
    candles = [
        candle(0, "100", "103", "100.5", "102"),
        candle(1, "102", "106", "103.5", "105"),
        candle(2, "102.5", "103", "102", "103"),
    ]

    assert of(trade, *candles) == Bounds(candles=2, worst=Decimal("-1.56"), best=Decimal("1.38"))


def test_a_high_that_was_not_worth_a_raise_ends_nothing() -> None:
    trade = ended(holding("2", trailing="2"), 2, "103", "strategy")
    candles = [
        candle(0, "102", "103", "102", "103"),  # the stop is at 100.94
        candle(1, "103", "103.02", "100.95", "103"),  # 100.95 would be less than a step above it
        candle(2, "103", "103", "103", "103"),
    ]

    assert of(trade, *candles) == Bounds()


def test_without_a_trailing_stop_only_the_last_candle_counts() -> None:
    trade = ended(holding("2", "10"), 1, "98", "stop_loss")

    assert (
        of(trade, candle(0, "100", "120", "90", "100"), candle(1, "100", "101", "97", "98"))
        == Bounds()
    )


@pytest.mark.parametrize("reason", ["take_profit", "strategy", "flatten"])
def test_only_a_stop_in_the_last_candle_can_have_come_second(reason: str) -> None:
    trade = ended(holding("2", "4", "1"), 0, "98", reason)

    assert of(trade, candle(0, "100", "110", "90", "99")) == Bounds()


# Against Guard ----------------------------------------------------------------------------


prices = st.decimals("96", "106", places=2)


@st.composite
def walks(draw: st.DrawFn) -> list[Candle]:
    """Draw candles that begin where the one before ended."""
    made, last = [], ENTRY
    for number in range(draw(st.integers(min_value=1, max_value=6))):
        levels = [last, *draw(st.lists(prices, min_size=3, max_size=3))]
        figures = (levels[0], max(levels), min(levels), levels[-1])
        made.append(candle(number, *map(str, figures)))
        last = levels[-1]
    return made


def along(
    held: Position, of_candle: Candle, spread: Decimal, *, falls_first: bool
) -> tuple[Position, ExitWanted | None]:
    """Return how Guard leaves a position after a candle's path, and the exit that it wanted."""
    for tick in path(of_candle, falls_first=falls_first)[1:]:
        said = watch(held, quote_of(tick.price, spread, tick.at).bid)
        if isinstance(said, ExitWanted):
            return held, said
        if said is not None:
            held = msgspec.structs.replace(held, stop_price=said.stop_price)
    return held, None


def lived(held: Position, candles: Sequence[Candle], spread: Decimal) -> tuple[Position, Bounds]:
    """Live through candles that fall first; return the trade, and what rising first had made."""
    others: list[Decimal] = []
    for number, each in enumerate(candles):
        _, other = along(held, each, spread, falls_first=False)
        held, own = along(held, each, spread, falls_first=True)
        if other is not None and (own is None or own.trigger_price != other.trigger_price):
            assert other.trigger_price is not None
            others.append(other.trigger_price)
        if own is not None:
            trade = ended(held, number, str(own.trigger_price), str(own.reason))
            break
    else:
        trade = ended(held, len(candles), str(candles[-1].close), "strategy")
    gains = [minus(price, trade.received) for price in others]
    return trade, Bounds(
        candles=len(gains), worst=min([Decimal(0), *gains]), best=max([Decimal(0), *gains])
    )


@given(
    candles=walks(),
    stop=st.sampled_from(["0", "1", "3"]),
    target=st.sampled_from(["0", "2", "4"]),
    trailing=st.sampled_from(["0", "1", "2.5"]),
    spread=st.sampled_from([NO_SPREAD, Decimal(2)]),
)
def test_the_bounds_are_what_guard_does_along_the_other_path(
    candles: list[Candle], stop: str, target: str, trailing: str, spread: Decimal
) -> None:
    trade, expected = lived(holding(stop, target, trailing), candles, spread)
    after = candle(len(candles), *[str(candles[-1].close)] * 4)

    assert bounds_of([trade], [*candles, after], spread) == expected
