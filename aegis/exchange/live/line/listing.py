"""Which symbols an exchange would not trade, by what it said last of each."""

from __future__ import annotations

from aegis.domain.ids import Symbol
from aegis.domain.instrument import Instrument


class Listing:
    """Of a symbol that nobody asked for nothing is known, and nothing is said."""

    def __init__(self) -> None:
        self._told: dict[Symbol, Instrument | None] = {}  # None: asked for, and not listed

    def hear(self, asked: tuple[Symbol, ...], told: object) -> None:
        """Take the answer to a question for instruments."""
        found = told if isinstance(told, tuple) else ()
        listed = {each.symbol: each for each in found if isinstance(each, Instrument)}
        self._told.update({symbol: listed.get(symbol) for symbol in asked})

    @property
    def unlisted(self) -> tuple[Symbol, ...]:
        """The symbols that it does not list."""
        return tuple(symbol for symbol, told in self._told.items() if told is None)

    @property
    def halted(self) -> tuple[Symbol, ...]:
        """The symbols that it lists, and does not trade now."""
        return tuple(s for s, told in self._told.items() if told and not told.is_active)
