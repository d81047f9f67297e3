"""The prices that Guard goes by, for how long there was none, and who is left for want of one.

It asks nobody and leaves nobody: it says whom. Seconds are real ones.

Invariants:
1. A price counts as one only where `Belief` takes it for one; another is told, and never used.
2. Who is left at market needs no price: where none comes, they are left by the last one known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from aegis.domain.belief import Belief, Verdict
from aegis.domain.book import Book
from aegis.domain.commands import Quote
from aegis.domain.guard import ExitWanted, wanted_unseen
from aegis.domain.ids import Symbol
from aegis.domain.position import Position
from aegis.ports import Log
from aegis.vitals import LastPrice

UNPRICED_S = 5
"""Real seconds that a flatten waits for a price; then it goes at market. So often is looked."""

LOOKS_UNPRICED = 2
"""Any other exit that failed waits so many looks at a silent feed until it goes without a price."""

Leaving = Iterator[tuple[Position, ExitWanted]]


class Quotes:
    """`check_s` is after how much silence the exchange is asked; None where no market is silent."""

    def __init__(self, log: Log, monotonic: Callable[[], float], check_s: float | None) -> None:
        self._log = log
        self._monotonic = monotonic
        self._check_s = check_s
        self._belief = Belief()
        self._asked_s: dict[Symbol, float] = {}  # first, for want of an earlier instant
        self._told_s: dict[Symbol, float] = {}  # by the feed
        self._seen_s: dict[Symbol, float] = {}  # and believed, whoever told it

    # What is heard --------------------------------------------------------------------------

    def end_silence(self, symbol: Symbol) -> None:
        """Take that the feed told a price, whatever is to be made of it."""
        self._told_s[symbol] = self._monotonic()

    def take(
        self,
        symbol: Symbol,
        quote: Quote,
        *,
        traded_from: Decimal | None,
        collar_pct: Decimal,
        held: Position | None,
    ) -> bool:
        """Take the next price of a symbol; say whether it is believed, and tell what is none."""
        known = None if held is None else held.mark
        verdict = self._belief.judge(
            symbol, quote, traded_from=traded_from, collar_pct=collar_pct, known=known
        )
        if verdict in (Verdict.NO_PRICE, Verdict.DOUBTED):
            self._log("QuoteRefused", level="warning", symbol=symbol, bid=quote.bid, text=verdict)
        if verdict is not Verdict.BELIEVED:
            return False
        self._seen_s[symbol] = self._monotonic()
        return True

    # What is known --------------------------------------------------------------------------

    @property
    def last(self) -> dict[Symbol, Quote]:
        """The last price of each symbol that was believed."""
        return self._belief.last

    def has_leapt(self, symbol: Symbol) -> bool:
        """Say whether the last price came without a way from the one before."""
        return self._belief.has_leapt(symbol)

    def told(self) -> dict[Symbol, LastPrice]:
        """Return the last prices with their ages."""
        return {
            symbol: LastPrice(bid=quote.bid, age_s=self.unseen_s(symbol))
            for symbol, quote in self.last.items()
        }

    def unseen_s(self, symbol: Symbol) -> float:
        """Return for how long none was believed."""
        now_s = self._monotonic()
        return now_s - self._seen_s.get(symbol, self._asked_s.setdefault(symbol, now_s))

    def silent(self, book: Book) -> Iterator[tuple[Symbol, float]]:
        """Yield in which symbols of what is held the feed is silent, and for how long."""
        now_s = self._monotonic()
        for symbol in (position.symbol for position in book.alive_positions()):
            asked_s = self._asked_s.setdefault(symbol, now_s)
            silent_s = now_s - self._told_s.get(symbol, asked_s)
            if self._check_s is not None and silent_s >= self._check_s:
                yield symbol, silent_s

    # Who is left whatever the price is --------------------------------------------------------

    def priced(self, book: Book) -> Leaving:
        """Yield who is left, and had a price."""
        for position in book.alive_positions():
            wanted = wanted_unseen(book, position)
            if wanted is not None and position.symbol in self._seen_s:
                yield position, wanted

    def unpriced(self, book: Book) -> Leaving:
        """Yield who is left without one: a flatten soon, any other exit later."""
        if self._check_s is None:
            return
        after_s = UNPRICED_S if book.account.is_flattening else LOOKS_UNPRICED * self._check_s
        for position in book.alive_positions():
            wanted = wanted_unseen(book, position)
            if wanted is not None and self.unseen_s(position.symbol) >= after_s:
                yield position, wanted
