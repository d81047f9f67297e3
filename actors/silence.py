"""For how long each symbol has had no price, and who is left at market for want of one.

Pure but for its memory; seconds are real ones since any instant, that never go back.
"""

from __future__ import annotations

from collections.abc import Iterator

from aegis.domain.book import Book
from aegis.domain.guard import ExitWanted, wanted_unseen
from aegis.domain.ids import Symbol
from aegis.domain.position import Position

UNPRICED_S = 5
"""Real seconds that a flatten waits for a price; then it goes at market. So often is looked."""

LOOKS_UNPRICED = 2
"""Any other exit that failed waits so many looks at a silent feed until it goes without a price."""

Leaving = Iterator[tuple[Position, ExitWanted]]


class Silence:
    """`check_s` is after how much of it the exchange is asked; None where no market is silent."""

    def __init__(self, check_s: float | None) -> None:
        self._check_s = check_s
        self._asked_s: dict[Symbol, float] = {}  # first, for want of an earlier instant
        self._told_s: dict[Symbol, float] = {}  # by the feed
        self._seen_s: dict[Symbol, float] = {}  # and believed, whoever told it

    def end(self, symbol: Symbol, now_s: float) -> None:
        """Take that the feed told a price, whatever is to be made of it."""
        self._told_s[symbol] = now_s

    def see(self, symbol: Symbol, now_s: float) -> None:
        """Take that a price was believed."""
        self._seen_s[symbol] = now_s

    def unseen_s(self, symbol: Symbol, now_s: float) -> float:
        """Return for how long none was believed."""
        return now_s - self._seen_s.get(symbol, self._asked_s.setdefault(symbol, now_s))

    def silent(self, book: Book, now_s: float) -> Iterator[tuple[Symbol, float]]:
        """Yield in which symbols of what is held the feed is silent, and for how long."""
        for symbol in (position.symbol for position in book.alive_positions()):
            asked_s = self._asked_s.setdefault(symbol, now_s)
            silent_s = now_s - self._told_s.get(symbol, asked_s)
            if self._check_s is not None and silent_s >= self._check_s:
                yield symbol, silent_s

    def priced(self, book: Book) -> Leaving:
        """Yield who is left whatever the price is, and had one."""
        for position in book.alive_positions():
            wanted = wanted_unseen(book, position)
            if wanted is not None and position.symbol in self._seen_s:
                yield position, wanted

    def unpriced(self, book: Book, now_s: float) -> Leaving:
        """Yield who is left at market, as that needs no price and none comes."""
        if self._check_s is None:
            return
        after_s = UNPRICED_S if book.account.is_flattening else LOOKS_UNPRICED * self._check_s
        for position in book.alive_positions():
            wanted = wanted_unseen(book, position)
            if wanted is not None and self.unseen_s(position.symbol, now_s) >= after_s:
                yield position, wanted
