"""The price that the day's volume was paid at, on the mean."""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.candles import Candle
from aegis.domain.ids import Instant
from aegis.domain.instants import day_start
from aegis.domain.money import ROUNDED, ZERO

SECONDS_A_DAY = 86_400
THREE = Decimal(3)


class Vwap:
    """Volume-weighted average price of a session: sum of typical price * volume / sum of volume.

    The typical price is (high + low + close) / 3. A session lasts a day and begins anew at
    `starts_at_s`, a second of the day in UTC, midnight unless told; a candle belongs to the
    session in which it opens. None while the session has no volume. Source: Berkowitz, Logue,
    Noser, The Total Cost of Transactions on the NYSE, 1988; its trades are our candles.
    """

    def __init__(self, starts_at_s: int = 0) -> None:
        is_whole = isinstance(starts_at_s, int) and not isinstance(starts_at_s, bool)
        if not is_whole or not 0 <= starts_at_s < SECONDS_A_DAY:
            most = SECONDS_A_DAY - 1
            text = f"starts_at_s: expected a whole number from 0 to {most}, was {starts_at_s!r}"
            raise ValueError(text)
        self._starts_at_s = starts_at_s
        self._session: Instant | None = None
        self._paid = self._volume = ZERO
        self.warmup = 1
        self.value: Decimal | None = None

    def add(self, candle: Candle) -> Decimal | None:
        """Take the next candle; return the session's price with it."""
        session = day_start(candle.open_at, self._starts_at_s)
        if session != self._session:
            self._session, self._paid, self._volume, self.value = session, ZERO, ZERO, None
        thrice = ROUNDED.add(ROUNDED.add(candle.high, candle.low), candle.close)
        self._paid = ROUNDED.add(self._paid, ROUNDED.multiply(thrice, candle.volume))
        self._volume = ROUNDED.add(self._volume, candle.volume)
        if self._volume > 0:
            self.value = ROUNDED.divide(self._paid, ROUNDED.multiply(THREE, self._volume))
        return self.value
