"""Which part of a recording is gone again: its legs, from where, how far, and what is to be said.

Pure. A way that begins at the store's first event can be compared event by event. Any other one
begins flat: nobody knows what else the run remembered at that instant.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aegis.domain.candles import TIMEFRAMES_S
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.domain.instants import text_of
from aegis.domain.legs import Leg, clipped, legs_of
from aegis.domain.recorded import Recording

MOMENT_NS = NANOS_PER_SECOND // 2


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone again. `begin` is where it begins flat, None for the store's beginning.

    `end` is where both sides are cut, None where the last run has ended in peace.
    """

    legs: tuple[Leg, ...]
    begin: Instant | None
    end: Instant | None
    notes: tuple[str, ...]

    @property
    def is_repeatable(self) -> bool:
        """Whether all legs ran on one thread, so that the log can be the same to the digit."""
        return all(leg.is_repeatable for leg in self.legs)

    def candles_of(self, recording: Recording) -> int:
        """Return how many candles are gone through, those to warm up on not among them."""
        begin, end = self.legs[0].begins_at, self.end
        series = {(symbol, candle_s(leg)) for leg in self.legs for symbol in symbols_of(leg)}
        return sum(
            each.close_at > begin and (end is None or each.open_at < end)
            for key in series
            for each in recording.candles.get(key, ())
        )

    @property
    def slack_ns(self) -> int:
        """How far apart two instants may lie and be one moment: a candle, or a moment of real time.

        On a busy machine a thread may be late by that; market time goes on meanwhile.
        """
        return max(map(_slack_ns, self.legs))


class NoWay(msgspec.Struct, frozen=True):
    """Why nothing can be gone again; one line for a person."""

    text: str


def way_of(recording: Recording, begin: Instant | None, end: Instant | None) -> Way | NoWay:
    """Return the way within an interval that a person asked for, or why there is none."""
    legs = legs_of(recording.entries)
    if not legs:
        return NoWay("it has recorded no run: run it once with this AEGIS, which records each")
    spans = [span for leg in legs for span in _spans(recording, leg)]
    if not spans:
        return NoWay("it has recorded no candle yet: they are written 128 at once, and at its end")
    first_at = _first_at(recording, legs, [first for first, _ in spans])
    last_at = None
    if legs[-1].ends_at is None:
        last_at = min((last for _, last in _spans(recording, legs[-1])), default=None)
    begins = [at for at in (first_at, begin) if at is not None and at > legs[0].begins_at]
    start = max(begins, default=None)
    ends = (_settled_until(legs[-1], last_at), end)
    stop = min((at for at in ends if at is not None), default=None)
    within = clipped(legs, start or Instant(0), stop)
    if not within:
        return NoWay(f"nothing is recorded there; {_span_text(legs, start, last_at)}")
    is_cut_short = last_at is not None and stop != end
    return Way(
        legs=within,
        begin=start,
        end=stop,
        notes=tuple(_notes(recording, legs, within, start, last_at if is_cut_short else None)),
    )


def symbols_of(leg: Leg) -> tuple[Symbol, ...]:
    """Return what a leg traded in."""
    return tuple(each.symbol for each in leg.beginnings)


def candle_s(leg: Leg) -> int:
    """Return how long a leg's candles were."""
    return TIMEFRAMES_S[leg.settings["market.timeframe"].strip('"')]


def _slack_ns(leg: Leg) -> int:
    moment_ns = MOMENT_NS * int(leg.settings["market.speed"])
    return max(moment_ns, NANOS_PER_SECOND * candle_s(leg))


def _settled_until(last: Leg, recorded_until: Instant | None) -> Instant | None:
    """Return until when a way can be compared, None for one whose last run ended in peace.

    On threads a last decision may have been on its way when the run ended: its last moment does
    not count.
    """
    if last.is_repeatable:
        return recorded_until
    at = last.ends_at if recorded_until is None else recorded_until
    return None if at is None else Instant(at - _slack_ns(last))


def _spans(recording: Recording, leg: Leg) -> list[tuple[Instant, Instant]]:
    """Return the first open and the last close of each of a leg's symbols that has candles."""
    length_s = candle_s(leg)
    found = (recording.spans.get((symbol, length_s)) for symbol in symbols_of(leg))
    return [
        (span[0], Instant(span[1] + length_s * NANOS_PER_SECOND))
        for span in found
        if span is not None
    ]


def _first_at(recording: Recording, legs: tuple[Leg, ...], firsts: list[Instant]) -> Instant | None:
    """Return where the recording begins, if that is not where the store does."""
    if recording.is_cut:
        return max(firsts)
    return Instant(legs[0].begins_at + 1) if legs[0].after_event > 0 else None


def _span_text(legs: tuple[Leg, ...], start: Instant | None, last_at: Instant | None) -> str:
    begin = legs[0].begins_at if start is None else min(start, legs[0].begins_at)
    end = max(begin, legs[-1].ends_at or last_at or begin)
    if end == begin:
        return f"the recording begins at {text_of(begin)[:19]}, and has no candle since"
    return f"the recording goes from {text_of(begin)[:19]} to {text_of(end)[:19]}"


def _notes(
    recording: Recording,
    legs: tuple[Leg, ...],
    within: tuple[Leg, ...],
    start: Instant | None,
    last_at: Instant | None,
) -> Iterator[str]:
    if recording.is_cut:
        yield "the eldest candles were let go: the recording begins later than the store"
    elif legs[0].after_event > 0:
        yield f"the recording begins after event {legs[0].after_event}; what was before is not run"
    if start is not None:
        yield f"it begins flat at {text_of(start)[:19]}, with the equity of that instant"
    if last_at is not None:
        yield (
            f"the last run has no end on record (it runs, or was killed): it is compared up to "
            f"the end of what is recorded, {text_of(last_at)[:19]}"
        )
    settings = {tuple(sorted(leg.settings.items())) for leg in within}
    if len(within) > 1:
        same = "with the same settings" if len(settings) == 1 else "each with its own settings"
        yield f"{len(within)} runs, gone through one after another, {same}"
    changes = sum(len(leg.changes) for leg in within)
    if changes:
        yield f"{changes} changes of settings on the way are taken over at their instants"
    if any(leg.version != within[-1].version for leg in within):
        yield f"recorded by AEGIS {', '.join(sorted({leg.version for leg in within}))}"
    if not all(leg.is_repeatable for leg in within):
        yield (
            "it ran on threads: instants, and prices with them, differ by moments of real time, "
            "and its last moment is left out"
        )
