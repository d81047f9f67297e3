"""Which prices Guard acts on: the last one of each symbol, and whether the next is to be believed.

Invariants:
1. Zero, infinite and no number at all are no price; one older than the last is no news.
2. A quote that jumps beyond the collar is doubted once; the next is believed whatever it is. So
   a wrong digit costs nothing, and a real crash one look.
3. A price that somebody traded at is believed at once: a stop goes on the tick that crosses it.
4. A believed price has leapt where it lies beyond the collar from the one before, and nobody
   traded on the way: an exit there is not sold for any price.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from aegis.domain.commands import Quote
from aegis.domain.ids import Symbol
from aegis.domain.money import distance, is_amount, percent_of


class Verdict(StrEnum):
    BELIEVED = "believed"
    NO_PRICE = "no price"
    OLD = "older than the last one"
    DOUBTED = "beyond the collar; a second look decides"


class Belief:
    """The last believed quote of each symbol; whoever holds it owns it alone."""

    def __init__(self) -> None:
        self.last: dict[Symbol, Quote] = {}
        self._doubted: set[Symbol] = set()
        self._leapt: set[Symbol] = set()

    def has_leapt(self, symbol: Symbol) -> bool:
        """Say whether the last believed quote came without a way from the one before."""
        return symbol in self._leapt

    def judge(
        self,
        symbol: Symbol,
        quote: Quote,
        *,
        traded_from: Decimal | None,
        collar_pct: Decimal,
        known: Decimal | None = None,
    ) -> Verdict:
        """Take the next quote of a symbol, and say what to make of it.

        `traded_from` is the price from which on there was trade up to this one, None without any.
        `known` is the last price on record, for want of a quote before.
        """
        if not (is_amount(quote.bid) and is_amount(quote.ask)):
            return Verdict.NO_PRICE
        before = self.last.get(symbol)
        if before is not None and quote.at < before.at:
            return Verdict.OLD
        is_second_look = symbol in self._doubted
        self._doubted.discard(symbol)
        is_certain = before is None or traded_from is not None or is_second_look
        if before is not None and not is_certain and _is_jump(before.bid, quote.bid, collar_pct):
            self._doubted.add(symbol)
            return Verdict.DOUBTED
        self._note_leap(
            symbol, before.bid if before else known, traded_from or quote.bid, collar_pct
        )
        self.last[symbol] = quote
        return Verdict.BELIEVED

    def _note_leap(
        self, symbol: Symbol, before: Decimal | None, now: Decimal, collar_pct: Decimal
    ) -> None:
        if before is not None and _is_jump(before, now, collar_pct):
            self._leapt.add(symbol)
        else:
            self._leapt.discard(symbol)


def _is_jump(before: Decimal, now: Decimal, collar_pct: Decimal) -> bool:
    return distance(now, before) > percent_of(before, collar_pct)
