"""Prices of a market that does not exist: any instant's can be asked, none is kept.

A price is the first price times one plus a sum of noises, each interpolated between hashed
points of its own grid (4 s, 8 s, ... 36 h): a walk that looks rough on every scale, stays within
a few per cent, and costs the same wherever one looks. A person may pin a price; from then on it
is held, or the walk goes on from it.

Invariants:
1. A price depends on seed, instrument, instant and the pins up to that instant; nothing else.
2. Prices move on whole seconds and at pins; a candle is made of the same prices as the ticker.
3. Nothing is a float.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from hashlib import blake2b
from math import isqrt

import msgspec

from tests.exchange_server.shapes import MS, SECOND, Listing

STEP = SECOND
MINUTE = 60 * SECOND
HISTORY = 48 * 3600 * SECOND
"""How far back candles go before the first start."""

_OCTAVES = tuple((4_000 * 2**k, isqrt(3_600 * 2**k)) for k in range(16))
"""Grid in milliseconds, and height in millionths: heights grow with the root of the grid."""
_SCALE = 1_000_000 * 2**31
_POINTS_KEPT = 200_000


class Pin(msgspec.Struct, frozen=True, kw_only=True):
    """From `at` on, a price stands, or the walk goes on scaled by price / walk."""

    instrument: str
    at: int
    price: Decimal
    walk: Decimal
    is_held: bool


class MarketCandle(msgspec.Struct, frozen=True, kw_only=True):
    open_at: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Market:
    """The prices of all instruments. `speed` is how many seconds of the walk go by in one."""

    def __init__(
        self, *, seed: int, origin: int, listings: Mapping[str, Listing], speed: int = 1
    ) -> None:
        self._seed = seed
        self._origin = origin - HISTORY - origin % MINUTE
        self._listings = listings
        self._speed = speed
        self._points: dict[tuple[str, int, int], int] = {}
        self._minutes: dict[tuple[str, int], MarketCandle] = {}
        self._days: dict[str, tuple[int, Decimal, Decimal, Decimal]] = {}
        self._pins: dict[str, list[Pin]] = {}

    @property
    def pins(self) -> tuple[Pin, ...]:
        return tuple(pin for pins in self._pins.values() for pin in pins)

    def take_up(self, pins: Sequence[Pin]) -> None:
        """Pin the prices that were pinned before a restart."""
        for pin in pins:
            self._pins.setdefault(pin.instrument, []).append(pin)

    def last(self, name: str, at: int) -> Decimal:
        """Return the price of the last trade before or at an instant."""
        pins = self._pins.get(name, [])
        number = bisect_right(pins, at, key=_pinned_at)
        if number == 0:
            return self._walk(name, at)
        pin = pins[number - 1]
        if pin.is_held:
            return pin.price
        step = self._listings[name].price_step
        return max(step, _rounded(self._walk(name, at) * pin.price / pin.walk, step, ROUND_FLOOR))

    def bid(self, name: str, at: int, spread_bps: Decimal) -> Decimal:
        step = self._listings[name].price_step
        return max(step, _rounded(self._half_off(name, at, -spread_bps), step, ROUND_FLOOR))

    def ask(self, name: str, at: int, spread_bps: Decimal) -> Decimal:
        step = self._listings[name].price_step
        ask = _rounded(self._half_off(name, at, spread_bps), step, ROUND_CEILING)
        return max(ask, self.bid(name, at, spread_bps) + step)

    def _half_off(self, name: str, at: int, spread_bps: Decimal) -> Decimal:
        return self.last(name, at) * (1 + spread_bps / 20_000)

    def pin(self, name: str, at: int, price: Decimal, *, is_held: bool) -> Pin:
        """Set a price from an instant on; earlier prices stay what they were."""
        walk = self._walk(name, at)
        pin = Pin(instrument=name, at=at, price=price, walk=walk, is_held=is_held)
        pins = self._pins.setdefault(name, [])
        assert not pins or pins[-1].at <= at, f"Expected {pins[-1].at} or later, was {at}"
        pins.append(pin)
        return pin

    def candles(
        self, name: str, length: int, *, after: int, before: int, now: int, count: int
    ) -> list[MarketCandle]:
        """Return the last `count` candles with after < open < before, the running one included."""
        first = max(after + 1, self._origin)
        end = min(before, now + 1)
        last_open = (end - 1) // length * length
        opens = range(last_open, max(first - 1, last_open - count * length), -length)
        made = (self._candle(name, open_at, length, now) for open_at in opens)
        return [each for each in made if each is not None][::-1]

    def day(self, name: str, now: int) -> tuple[Decimal, Decimal, Decimal]:
        """Return high, low and open of the last 24 hours, from a price each 16 minutes."""
        minute, last = now // MINUTE * MINUTE, self.last(name, now)
        kept = self._days.get(name)
        if kept is None or kept[0] != minute:
            instants = range(minute - 1_440 * MINUTE, minute + 1, 16 * MINUTE)
            prices = [self.last(name, at) for at in instants]
            kept = self._days[name] = (minute, max(prices), min(prices), prices[0])
        _, high, low, opened = kept
        return max(high, last), min(low, last), opened

    def _candle(self, name: str, open_at: int, length: int, now: int) -> MarketCandle | None:
        end = min(open_at + length, now + 1)
        minutes = [
            self._minute(name, at, now) for at in range(max(open_at, self._origin), end, MINUTE)
        ]
        if not minutes:
            return None
        return MarketCandle(
            open_at=open_at,
            open=minutes[0].open,
            high=max(each.high for each in minutes),
            low=min(each.low for each in minutes),
            close=minutes[-1].close,
            volume=sum((each.volume for each in minutes), Decimal(0)),
        )

    def _minute(self, name: str, open_at: int, now: int) -> MarketCandle:
        kept = self._minutes.get((name, open_at))
        if kept is not None:
            return kept
        is_closed = open_at + MINUTE <= now
        end = open_at + MINUTE if is_closed else now + 1
        prices = self._prices(name, open_at, end)
        drawn = self._hash(f"{self._seed}:{name}:volume:{open_at}") & 0xFFF
        candle = MarketCandle(
            open_at=open_at,
            open=prices[0],
            high=max(prices),
            low=min(prices),
            close=prices[-1],
            volume=self._listings[name].amount_step * (drawn * 100 + 1),
        )
        if is_closed:
            self._minutes[name, open_at] = candle
        return candle

    def _prices(self, name: str, start: int, end: int) -> list[Decimal]:
        """Return each price from a whole second on, up to an instant; the one that stands then."""
        pins = self._pins.get(name, [])
        if not pins or pins[0].at >= end:
            step = self._listings[name].price_step
            return [steps * step for steps in self._walk_steps(name, start, end)]
        first, last = (bisect_left(pins, at, key=_pinned_at) for at in (start, end))
        if first == last and pins[first - 1].is_held:
            return [pins[first - 1].price]
        pinned = {pin.at for pin in pins[first:last]}
        return [self.last(name, at) for at in sorted({*range(start, end, STEP), *pinned})]

    def _walk(self, name: str, at: int) -> Decimal:
        second = at // STEP * STEP
        steps = self._walk_steps(name, second, second + 1)[0]
        return steps * self._listings[name].price_step

    def _walk_steps(self, name: str, start: int, end: int) -> list[int]:
        """Return the walk from a whole second on, each second up to an instant, in price steps.

        The loops are turned inside out for speed: candles ask for thousands of seconds.
        """
        first_ms = (start - self._origin) // MS * self._speed
        step_ms = STEP // MS * self._speed
        instants = range(first_ms, first_ms + -((start - end) // STEP) * step_ms, step_ms)
        totals = [0] * len(instants)
        for octave, (grid_ms, height) in enumerate(_OCTAVES):
            place_before, left, rise = -1, 0, 0
            for number, at_ms in enumerate(instants):
                place, rest = divmod(at_ms, grid_ms)
                if place != place_before:
                    left = self._point(name, octave, place)
                    rise = self._point(name, octave, place + 1) - left
                    place_before = place
                totals[number] += height * (left + rise * rest // grid_ms)
        first = int(self._listings[name].first_price / self._listings[name].price_step)
        return [max(1, first * (_SCALE + total) // _SCALE) for total in totals]

    def _point(self, name: str, octave: int, place: int) -> int:
        key = (name, octave, place)
        point = self._points.get(key)
        if point is None:
            if len(self._points) >= _POINTS_KEPT:
                self._points.clear()
            point = self._hash(f"{self._seed}:{name}:{octave}:{place}") - 2**31
            self._points[key] = point
        return point

    @staticmethod
    def _hash(text: str) -> int:
        return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


def _pinned_at(pin: Pin) -> int:
    return pin.at


def _rounded(price: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (price / step).to_integral_value(rounding) * step
