"""What keeps an exit back until the exchange was looked at: nobody knows before what is there.

While AEGIS was down, and beyond the end of a store that is an old copy, coins of a position may
have been sold. Where coins of others lie beside them, the exchange would sell those.

Memory of one process: every Guard that lives in it is given the same. What a look has found is in
the books, so that no life of Guard's misses it.

Invariants:
1. In a process that has looked nothing waits, but what orders unknown here may have sold.
2. Only after a restore, and where such orders were seen, an exit waits for longer than a bound.
3. Each wait is told once; one that lasts is an alarm, once. A doubt that comes back is another one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from aegis.domain.account import Account
from aegis.domain.book import Book
from aegis.domain.commands import Quote, RaiseAlarm
from aegis.domain.guard import is_exit_due
from aegis.domain.ids import NANOS_PER_SECOND, PositionId, Symbol
from aegis.domain.position import Position

WITHIN_S = 10
"""Real seconds that an exit waits for a first look, beyond the lag of the exchange's answers: what
differs is looked at twice, and a lag apart."""

ALARM_AFTER_S = 10

FRESH = "the books were not compared with the exchange's since the start"
RESTORED = "the store was restored, and not compared with the exchange since"
STRANGE = (
    "orders of ours that this store does not know were there, and nobody has looked since the start"
)
DOUBTED = (
    "orders of ours that this store does not know may have sold it; stop AEGIS: run.py recover"
)


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Why an exit does not go yet; `is_news` the first time, `alarm` once it lasts."""

    why: str
    is_news: bool
    alarm: RaiseAlarm | None


class FirstLook:
    """All instants are real nanoseconds of one clock, that never go back.

    `began_ns` is when the process began, `lag_ns` how far the exchange's answers may lag behind.
    """

    def __init__(self, *, began_ns: int, lag_ns: int) -> None:
        self._ends_ns = began_ns + lag_ns + WITHIN_S * NANOS_PER_SECOND
        self._has_looked = False
        self._since_ns: dict[tuple[PositionId, str], int] = {}
        self._alarmed: set[tuple[PositionId, str]] = set()

    def see(self, account: Account) -> None:
        """Take the books after a comparison that was completed in this process."""
        self._has_looked = True
        over = [
            key for key in self._since_ns if key[1] == DOUBTED and not account.is_doubted(key[0])
        ]
        for key in over:
            del self._since_ns[key]
        self._alarmed.difference_update(over)

    def is_over(self, now_ns: int) -> bool:
        """Say whether a look was completed, or has taken longer than anybody waits for it."""
        return self._has_looked or now_ns >= self._ends_ns

    def hold(self, account: Account, position: Position, now_ns: int) -> str | None:
        """Return why nothing is to be sold of a position yet, or None."""
        name, symbol = position.position_id, position.symbol
        why = hold_of(account, name, symbol, has_looked=self._has_looked)
        return None if why == FRESH and now_ns >= self._ends_ns else why

    def waiting(self, book: Book, last: Mapping[Symbol, Quote], now_ns: int) -> dict[Symbol, str]:
        """Return why exits that are due at the last prices do not go, by their symbols."""
        due = [p for p in book.alive_positions() if is_exit_due(book, p, last.get(p.symbol))]
        held = {p.symbol: self.hold(book.account, p, now_ns) for p in due}
        return {symbol: why for symbol, why in held.items() if why is not None}

    def wait(self, account: Account, position: Position, now_ns: int) -> Wait | None:
        """Return how an exit that is due has to wait, or None where it goes."""
        why = self.hold(account, position, now_ns)
        if why is None:
            return None
        key = position.position_id, why
        is_news = key not in self._since_ns
        waited_ns = now_ns - self._since_ns.setdefault(key, now_ns)
        is_due = waited_ns >= ALARM_AFTER_S * NANOS_PER_SECOND and key not in self._alarmed
        if is_due:
            self._alarmed.add(key)
        return Wait(why=why, is_news=is_news, alarm=_alarm(position, why) if is_due else None)


def hold_of(
    account: Account, position: PositionId, symbol: Symbol, *, has_looked: bool
) -> str | None:
    """Return why nothing is to be sold of a position yet, or None; `FRESH` ends with its time.

    `has_looked` where a comparison was completed in this process.
    """
    if account.is_doubted(position):
        return DOUBTED
    if has_looked:
        return None
    if account.restored_at is not None:
        return RESTORED
    return STRANGE if account.orphans and symbol in account.blocked else FRESH


def _alarm(position: Position, why: str) -> RaiseAlarm:
    return RaiseAlarm(check="first_look", text=told_wait(position, why))


def told_wait(position: Position, why: str) -> str:
    """Return the sentence for people."""
    return f"{position.symbol}: an exit of {position.position_id} is due and waits: {why}"
