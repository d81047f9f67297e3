"""Which prices Guard acts on: the last one of each symbol, and whether the next is to be believed.

Invariants:
1. Zero, infinite and no number at all are no price; one older than the last is no news.
2. A quote that jumps beyond the collar is doubted once; the next is believed whatever it is. So
   a wrong digit costs nothing, and a real crash one look.
3. A price that somebody traded at is believed at once: a stop goes on the tick that crosses it.
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

    def judge(
        self, symbol: Symbol, quote: Quote, *, is_traded: bool, collar_pct: Decimal
    ) -> Verdict:
        """Take the next quote of a symbol, and say what to make of it."""
        if not (is_amount(quote.bid) and is_amount(quote.ask)):
            return Verdict.NO_PRICE
        before = self.last.get(symbol)
        if before is not None and quote.at < before.at:
            return Verdict.OLD
        is_second_look = symbol in self._doubted
        self._doubted.discard(symbol)
        is_certain = before is None or is_traded or is_second_look
        if before is not None and not is_certain and _is_jump(before, quote, collar_pct):
            self._doubted.add(symbol)
            return Verdict.DOUBTED
        self.last[symbol] = quote
        return Verdict.BELIEVED


def _is_jump(before: Quote, now: Quote, collar_pct: Decimal) -> bool:
    return distance(now.bid, before.bid) > percent_of(before.bid, collar_pct)
