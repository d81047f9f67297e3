"""The figures of a market that does not exist: whole numbers, drawn by hashing a seed.

Prices move in stretches (trends, calm and rough ones) and swing up and down within them, with a
few jumps and now and then a hole where candles are missing. Nothing here is a float and nothing
depends on a library's generator, so no platform, process or hash seed can change a digit.

The series is made of blocks of 1,440 candles. The levels at which blocks meet come from a chain
of one small hash a block; a block's candles come from one hash of its own, bent to meet both
ends. So a market that is resumed costs one block to make, however long it has run.

Invariants:
1. A block of a key is the same, whichever blocks were made before it.
2. A candle opens where the one before closed (beneath holes too), and low <= open, close <= high.
3. Every figure is above zero.
"""

from __future__ import annotations

import hashlib
import struct

import msgspec

BLOCK_CANDLES = 1_440

UNIT = 100_000_000
"""Moves are in 1/100,000,000 of the level at which their block begins."""

PERCENT = UNIT // 100
MOVE_MIN = -50 * PERCENT
"""No block falls below half of its first level, however its draws add up."""

DRAW_MAX = 65_535
NORMAL_DEVIATION = 37_837
"""Four draws less their mean have this standard deviation: 65,535 x sqrt(4 / 12)."""

STRETCH_DRAWS, JUMP_DRAWS, HOLE_DRAWS, SWING_DRAWS, CANDLE_DRAWS = 64, 19, 3, 73, 8
"""How many draws a block spends on what; a candle's are 4 for its move, 2 wicks, 2 volume."""

LEVEL_DEVIATION = 2_500_000
LEVEL_PULL = 10
"""From block to block the level moves by 2.5 %, and a tenth of the way back to the first one."""

STRETCH_CANDLES_MIN, STRETCH_CANDLES_SPREAD = 60, 180
SWING_CANDLES_MIN, SWING_CANDLES_SPREAD = 20, 9
SWING_DRIFT = 40_000
"""About 1 % up in 24 candles, then as much down: what crosses averages does so within seconds at
the default speed. Over 200 seeds a first entry came after 26 candles and its exit after 51, in
nine cases of ten after 52 and 80 (without swings 43 and 61, 110 and 188); what a trade gains or
loses on average stays what it costs."""

JUMPS_MIN, JUMPS_SPREAD = 3, 4
JUMP_MIN, JUMP_SPREAD = 1 * PERCENT, 2 * PERCENT
HOLE_CANDLES_MIN, HOLE_CANDLES_SPREAD = 2, 29
HOLES_PER_THOUSAND_BLOCKS = 480
"""About one hole in 3,000 candles."""

VOLUME_MIN, VOLUME_DIVISOR, JUMP_VOLUME = 100_000, 1_000, 3
"""Volume in lots: the least, what scales the product of two draws, and a jump's multiple."""


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """How candles move for a while, in units a candle, and how much of the volume they have."""

    drift: int
    deviation: int
    volume_percent: int


STRETCHES = (
    Stretch(drift=9_000, deviation=60_000, volume_percent=110),  # a trend up
    Stretch(drift=-9_000, deviation=60_000, volume_percent=110),  # a trend down
    Stretch(drift=0, deviation=15_000, volume_percent=25),  # calm
    Stretch(drift=0, deviation=70_000, volume_percent=100),  # as usual
    Stretch(drift=0, deviation=110_000, volume_percent=200),  # rough
)


class Figures(msgspec.Struct, frozen=True, gc=False):
    """One candle: prices in price steps, volume in amount steps."""

    open: int
    high: int
    low: int
    close: int
    volume: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """What a block's draws say, before they are bent to its ends."""

    moves: list[int]
    stretches: list[Stretch]
    jumps: dict[int, int]
    hole: range
    wicks_and_volume: list[tuple[int, ...]]


class Series:
    """The series of one key, from a first level in price steps; block numbers count from 0."""

    def __init__(self, key: str, first_level: int) -> None:
        assert first_level > 0, f"Expected a first level above zero, was {first_level}"
        self._key = key
        self._levels = [first_level]

    def block(self, number: int) -> tuple[Figures | None, ...]:
        """Return a block's candles in order, None where there is a hole."""
        level, end = self._level(number), self._level(number + 1)
        drawn = _drawn(_draws(f"{self._key}:candles:{number}", _BLOCK_DRAWS))
        closes = _bent(drawn.moves, level, end)
        return tuple(
            None
            if place in drawn.hole
            else _figures(drawn, place, closes[place - 1] if place else level, closes[place], level)
            for place in range(BLOCK_CANDLES)
        )

    def _level(self, number: int) -> int:
        """Return the level at which a block begins, in price steps."""
        first = self._levels[0]
        while len(self._levels) <= number:
            level = self._levels[-1]
            draws = _draws(f"{self._key}:level:{len(self._levels)}", 4)
            move = _normal(draws) * LEVEL_DEVIATION // NORMAL_DEVIATION
            pull = (first - level) * UNIT // first // LEVEL_PULL
            self._levels.append(max(1, level + level * (move + pull) // UNIT))
        return self._levels[number]


_HEAD_DRAWS = STRETCH_DRAWS + JUMP_DRAWS + HOLE_DRAWS + SWING_DRAWS
_BLOCK_DRAWS = _HEAD_DRAWS + CANDLE_DRAWS * BLOCK_CANDLES


def _draws(key: str, count: int) -> tuple[int, ...]:
    """Return draws of 0 .. 65,535 that depend on nothing but their key."""
    digest = hashlib.shake_256(key.encode()).digest(2 * count)
    return struct.unpack(f"<{count}H", digest)


def _normal(draws: tuple[int, ...]) -> int:
    """Return four draws as one that is nearly normal, of deviation `NORMAL_DEVIATION`."""
    return sum(draws) - 2 * DRAW_MAX


def _drawn(draws: tuple[int, ...]) -> Block:
    stretches = _stretches(draws[:STRETCH_DRAWS])
    jumps = _jumps(draws[STRETCH_DRAWS : STRETCH_DRAWS + JUMP_DRAWS])
    swings = _swings(draws[_HEAD_DRAWS - SWING_DRAWS : _HEAD_DRAWS])
    moves, rest = [], []
    for place, stretch in enumerate(stretches):
        begin = _HEAD_DRAWS + place * CANDLE_DRAWS
        step = _normal(draws[begin : begin + 4]) * stretch.deviation // NORMAL_DEVIATION
        moves.append(step + stretch.drift + swings[place] + jumps.get(place, 0))
        rest.append(draws[begin + 4 : begin + CANDLE_DRAWS])
    return Block(
        moves=moves,
        stretches=stretches,
        jumps=jumps,
        hole=_hole(draws[STRETCH_DRAWS + JUMP_DRAWS : _HEAD_DRAWS - SWING_DRAWS]),
        wicks_and_volume=rest,
    )


def _stretches(draws: tuple[int, ...]) -> list[Stretch]:
    """Return the stretch of each candle; the draws suffice, as a stretch has 60 candles."""
    stretches: list[Stretch] = []
    for kind, length in zip(draws[::2], draws[1::2], strict=True):
        candles = STRETCH_CANDLES_MIN + length % STRETCH_CANDLES_SPREAD
        stretches += [STRETCHES[kind % len(STRETCHES)]] * candles
    return stretches[:BLOCK_CANDLES]


def _swings(draws: tuple[int, ...]) -> list[int]:
    """Return how far each candle swings; the draws suffice, as a swing has 20 candles."""
    drift = SWING_DRIFT if draws[0] % 2 else -SWING_DRIFT
    swings: list[int] = []
    for length in draws[1:]:
        swings += [drift] * (SWING_CANDLES_MIN + length % SWING_CANDLES_SPREAD)
        drift = -drift
    return swings[:BLOCK_CANDLES]


def _jumps(draws: tuple[int, ...]) -> dict[int, int]:
    """Return the jumps of a block in units, by the place of their candle."""
    count = JUMPS_MIN + draws[0] % JUMPS_SPREAD
    jumps = {}
    for place, size, sign in zip(draws[1::3], draws[2::3], draws[3::3], strict=True):
        units = JUMP_MIN + size * JUMP_SPREAD // DRAW_MAX
        jumps[place % BLOCK_CANDLES] = units if sign % 2 else -units
        if len(jumps) == count:
            break
    return jumps


def _hole(draws: tuple[int, ...]) -> range:
    """Return the places of a block's missing candles; mostly there are none."""
    if draws[0] % 1_000 >= HOLES_PER_THOUSAND_BLOCKS:
        return range(0)
    length = HOLE_CANDLES_MIN + draws[1] % HOLE_CANDLES_SPREAD
    begin = 1 + draws[2] % (BLOCK_CANDLES - length - 1)
    return range(begin, begin + length)


def _bent(moves: list[int], level: int, end: int) -> list[int]:
    """Return where each candle closes, in price steps: the last one exactly at the end.

    What the moves miss the end by is spread evenly over them.
    """
    missed = (end - level) * UNIT // level - sum(moves)
    closes, moved = [], 0
    for number, move in enumerate(moves, start=1):
        moved += move
        bent = max(MOVE_MIN, moved + missed * number // len(moves))
        closes.append(max(1, level + level * bent // UNIT))
    closes[-1] = end
    return closes


def _figures(drawn: Block, place: int, opened: int, close: int, level: int) -> Figures:
    up, down, one, two = drawn.wicks_and_volume[place]
    stretch = drawn.stretches[place]
    wick = level * stretch.deviation // UNIT
    lots = VOLUME_MIN + one * two // VOLUME_DIVISOR
    volume = lots * stretch.volume_percent // 100
    return Figures(
        opened,
        max(opened, close) + wick * up // DRAW_MAX,
        max(1, min(opened, close) - wick * down // DRAW_MAX),
        close,
        volume * JUMP_VOLUME if place in drawn.jumps else volume,
    )
