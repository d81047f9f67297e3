"""How a stop is raised along closed candles, those that somebody missed among them."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal

from actors import names
from actors.base import Context
from actors.beating import Beating
from aegis.domain.book import Book
from aegis.domain.candles import Candle
from aegis.domain.commands import Command
from aegis.domain.guard import raised_along
from aegis.domain.ids import Instant, Symbol
from aegis.domain.risk import is_held
from aegis.messages import HistoryRead, ReadHistory
from aegis.ports import Pulse


class Trailing(Beating):
    """Raises a trailing stop along each closed candle, and asks for those of before."""

    def __init__(
        self, context: Context, *, heartbeat_s: float | None, pulse: Pulse, spread_bps: Decimal
    ) -> None:
        super().__init__(context, heartbeat_s=heartbeat_s, pulse=pulse)
        self._spread_bps = spread_bps
        self._book: Book | None = None
        self._known_until: dict[Symbol, Instant] = {}  # the last close that was heard of

    @abstractmethod
    def _execute(self, command: Command, *, is_answer_wanted: bool = False) -> None:
        """Ask the store for something."""

    def ask_missed(self) -> None:
        """Ask for the candles since each trailing stop was last looked after."""
        for position in self._book.alive_positions() if self._book else ():
            if is_held(position) and position.policy.trailing_stop_pct > 0:
                known = self._known_until.get(position.symbol, position.opened_at)
                self._ask_history(position.symbol, max(known, position.opened_at))

    def follow_close(self, candle: Candle) -> None:
        """Raise the stop along a candle that has just closed."""
        self._raise_along(candle.symbol, (candle,))
        self._known_until[candle.symbol] = candle.close_at

    def learn(self, page: HistoryRead) -> None:
        """Raise the stop along what was missed; meanwhile it is watched where it was."""
        self._raise_along(page.symbol, page.candles)
        if not page.is_last:
            self._ask_history(page.symbol, page.until)

    def _ask_history(self, symbol: Symbol, after: Instant) -> None:
        wanted = ReadHistory(symbol=symbol, after=after, least=0, reply_to=self.name)
        self.tell(names.MARKET_FEED, wanted)

    def _raise_along(self, symbol: Symbol, candles: tuple[Candle, ...]) -> None:
        position = None if self._book is None else self._book.position_of(symbol)
        if position is not None and is_held(position):
            raised = raised_along(position, candles, self._spread_bps)
            if raised is not None:
                self._execute(raised)
