"""Series of candles for the indicators: made by hypothesis, and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import strategies as st

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant
from tests.domain.kit import BTC_USDT, START, seconds


def bar(
    number: int, figures: Sequence[str | Decimal], volume: str | Decimal = "1", length_s: int = 60
) -> Candle:
    """Return a candle of an open, a high, a low and a close."""
    opens, high, low, close = (Decimal(figure) for figure in figures)
    return Candle(
        symbol=BTC_USDT,
        open_at=Instant(START + seconds(length_s * number)),
        length_s=length_s,
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=Decimal(volume),
    )


def scaled(value: int, exponent: int) -> Decimal:
    return Decimal((int(value < 0), tuple(map(int, str(abs(value)))), exponent))


@st.composite
def series(
    draw: st.DrawFn, *, size_max: int = 50, exponents: st.SearchStrategy[int] | None = None
) -> tuple[Candle, ...]:
    """Draw candles: quiet stretches, steady steps, jumps from end to end, and no volume at all.

    Prices are 1 to 10**8 ticks of one size, a cent unless `exponents` are told.
    """
    exponent = draw(exponents if exponents is not None else st.just(-2))
    length_s = draw(st.sampled_from([60, 3_600, 14_400]))
    step_max = draw(st.sampled_from([0, 1, 100, 10**8]))
    step = st.integers(-step_max, step_max)
    wick = st.integers(0, step_max)
    volumes = st.sampled_from([0, 1, 7, 12_345])
    ticks, made = draw(st.integers(1, 10**8)), []
    for number in range(draw(st.integers(1, size_max))):
        opens, ticks = ticks, min(max(ticks + draw(step), 1), 10**8)
        high = max(opens, ticks) + draw(wick)
        low = max(min(opens, ticks) - draw(wick), 1)
        figures = [scaled(each, exponent) for each in (opens, high, low, ticks)]
        made.append(bar(number, figures, Decimal(draw(volumes)), length_s))
    return tuple(made)
