"""What waits to be recorded: candles in the order in which they came, and facts about runs.

Whoever tells the market's news sees each candle in here, on its own thread; the store takes what
is due along with its next commit. So recording costs no commit of its own, and no actor hears of
it.

Invariants:
1. What was handed out stays here until it is known to be on the disk.
2. A candle is kept once: one that is not past the last of its symbol is no news.
3. What a killed process had not written is a tail without a hole, which the market tells again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, EventId, Instant, Symbol
from aegis.domain.recorded import Entry, Fact
from aegis.store.blocks import Block, packed

BLOCK_CANDLES = 128
"""A block this long takes 13 bytes a candle of real minutes, one half as long 13.1, one twice as
long 12.8: what is lost at a kill, and read again, is no longer than it must be."""

Ends = Mapping[tuple[Symbol, int], Instant]
"""The open of the last candle that a store has, by symbol and length."""


class Due(msgspec.Struct, frozen=True):
    """What goes with the next commit."""

    blocks: tuple[Block, ...]
    entries: tuple[Entry, ...]


class Recorder:
    """The recording's waiting room, for one process and its candles' one length."""

    def __init__(self, length_s: int, on_cut: Callable[[int], None]) -> None:
        """`on_cut` hears how many blocks were let go because there were too many."""
        self.on_cut = on_cut
        self._length_s = length_s
        self._lock = threading.Lock()
        self._candles: dict[Symbol, list[Candle]] = {}
        self._last: dict[Symbol, Instant] = {}
        self._entries: list[Entry] = []
        self._is_due = False

    # The market's side ----------------------------------------------------------------------

    def known_until(self, symbol: Symbol) -> Instant | None:
        """Return the close of the last candle of a symbol; see `ports.Recorder`."""
        last = self._last.get(symbol)
        return None if last is None else Instant(last + self._length_s * NANOS_PER_SECOND)

    def see(self, candle: Candle) -> None:
        """Keep a candle; see `ports.Recorder`."""
        symbol, open_at = candle.symbol, candle.open_at
        if open_at <= self._last.get(symbol, -1):
            return
        with self._lock:
            waiting = self._candles.setdefault(symbol, [])
            waiting.append(candle)
            self._last[symbol] = open_at
            self._is_due = self._is_due or len(waiting) >= BLOCK_CANDLES

    def note(self, at: Instant, after_event: EventId, fact: Fact) -> None:
        """Keep a fact about a run."""
        with self._lock:
            self._entries.append(Entry(at=at, after_event=after_event, fact=fact))
            self._is_due = True

    # The store's side -----------------------------------------------------------------------

    def take_up(self, ends: Ends) -> None:
        """Go on from what a store that was just opened has."""
        with self._lock:
            for (symbol, length_s), last in ends.items():
                if length_s == self._length_s:
                    waiting = self._candles.get(symbol, [])
                    self._candles[symbol] = [each for each in waiting if each.open_at > last]
                    self._last[symbol] = max(last, self._last.get(symbol, last))

    def due(self) -> Due | None:
        """Return what to write with a commit, None when there is not enough of it yet."""
        return self._taken(BLOCK_CANDLES) if self._is_due else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._entries and not any(self._candles.values())

    def rest(self) -> Due:
        """Return all that there is, for an end in peace."""
        return self._taken(1)

    def settle(self, due: Due) -> None:
        """Forget what is on the disk now."""
        with self._lock:
            for block in due.blocks:
                del self._candles[Symbol(block.symbol)][: block.candles]
            del self._entries[: len(due.entries)]
            longest = max(map(len, self._candles.values()), default=0)
            self._is_due = bool(self._entries) or longest >= BLOCK_CANDLES

    def _taken(self, least: int) -> Due:
        with self._lock:
            waiting = {symbol: tuple(each) for symbol, each in self._candles.items()}
            entries = tuple(self._entries)
        blocks = (
            packed(candles[begin : begin + BLOCK_CANDLES])
            for candles in waiting.values()
            for begin in range(0, len(candles), BLOCK_CANDLES)
            if len(candles) - begin >= least
        )
        return Due(tuple(blocks), entries)
