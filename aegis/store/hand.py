"""A person's hand on a store, without actors: who may write, when it is, and who hears of it.

Invariants:
1. Whoever changes something holds the store's lock, from the first change to `close()`.
2. Nothing is booked by hand in a store of real money.
3. Where a market was lived in that has a time of its own, it is the last stored instant.
4. A store is made for the first position that is booked, and for nothing else.
5. One thread at a time has the open store; who changes something takes the turn first.
6. A forked child has no open store: it leaves its parent's untouched, not even closed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from aegis.clock import SystemClock, draw_hex
from aegis.domain.book import Book
from aegis.domain.commands import BookEntry, Command, Refusal
from aegis.domain.decisions import decide
from aegis.domain.events import Recorded
from aegis.domain.ids import Coin, ExchangeOrderId, Instant, PositionId, Symbol, position_id
from aegis.domain.money import ZERO
from aegis.domain.notices import About, notice_of
from aegis.domain.order import TOLD
from aegis.domain.position import Position
from aegis.domain.risk import Limits, is_held
from aegis.domain.venue import VenueTrade
from aegis.ports import Clock
from aegis.store.clerk import Clerk
from aegis.store.errors import NoStore, Refused
from aegis.store.identity import Identity
from aegis.store.journal import Store
from aegis.store.listeners import Listeners
from aegis.store.reading import find_entered_by, read_identity
from aegis.store.turns import Turns

AS_CONFIGURED = Identity(mode="paper", exchange="cryptocom", account="main", market="simulated:1")
"""What a new store is made for unless told: what `run.py` makes of the settings' defaults."""

BY = "PositionStateManager"
INCARNATION_DIGITS = 16

UNMADE = "check the path; the first position that is opened makes one"

MADE_MARKETS = ("simulated:", "replay:")
"""Markets with a time of their own."""

NO_LIMITS = Limits(
    quote_coin=Coin(""),
    open_positions_max=0,
    entries_per_position_max=0,
    order_notional_max=ZERO,
    exposure_max=ZERO,
    orders_per_minute_max=0,
    price_collar_pct=ZERO,
    daily_loss_max=ZERO,
    drawdown_max_pct=ZERO,
    cooldown_s=0,
)
"""No order is sent from here, so no limit is ever asked."""


_OF_PARENTS: list[Store] = []
"""What a fork has inherited, kept from being closed: SQLite forbids that as well."""

Entry = Callable[[PositionId, Instant], BookEntry]
"""What a person tells of an entry, but for the position's id and the instant."""


class Hand:
    """On one store. `identity` is for a store that is to be made; one that is there has its own."""

    def __init__(self, path: Path, identity: Identity, clock: Clock | None) -> None:
        self.path = path
        self.turns = Turns()
        self.listeners = Listeners(self.turns)
        self._clock: Clock = clock or SystemClock()
        self._store: Store | None = None
        self._pid = os.getpid()  # of who opened it
        self.identity = identity
        self._is_unmade = True
        self._look()

    def close(self) -> None:
        """Let go of the store: its lock, its files. What was changed is on the disk already."""
        with self.turns:
            self._leave_to_parent()
            store, self._store = self._store, None
            if store is not None:
                store.close()
            self.listeners.close()

    def path_to_read(self) -> Path:
        """Return where the store is; `NoStore` where none was made yet."""
        if self._look():
            raise NoStore(self.path, UNMADE)
        return self.path

    def store(self) -> Store:
        """Return the open store, opened anew after a fault; `StoreBusy` where another has it."""
        self.path_to_read()
        return self._opened()

    def store_to_book(self) -> Store:
        """Return the open store where positions may be booked by hand."""
        self.path_to_read()
        self._expect_paper()
        return self._opened()

    def begin(self, told: Entry) -> PositionId:
        """Book a position's entry and return its id; where there is no store, make it for that."""
        with self.turns:
            trial = told(PositionId("trial"), Instant(0))
            instrument = trial.opening.instrument
            is_first = self._look()
            self._expect_paper()
            if is_first:
                self._expect_room_for(trial)
            store, now = self._opened(), self.now()
            self._expect_priced_in(instrument.quote)
            self._expect_news(instrument.symbol, trial.exchange_order_id)
            origin = f"by hand after {store.last_event_id}"
            key = position_id(store.incarnation, origin, instrument.symbol, now)
            self.execute(told(key, now))
            return key

    def clerk(self) -> Clerk:
        """Return who decides and commits."""
        return Clerk(self.store(), NO_LIMITS, by=BY)

    def now(self) -> Instant:
        """Return the instant of what happens now."""
        store = self._opened()
        is_apart = self.identity.market.startswith(MADE_MARKETS) and store.book.account.has_balances
        return store.stamp(Instant(0) if is_apart else self._clock.now())

    def taken_of(self, trades: tuple[VenueTrade, ...]) -> tuple[VenueTrade, ...]:
        """Return trades as what they are here: in a paper account's record stands none of them."""
        if self.identity.mode == "live":
            return trades
        return tuple(replace(trade, liquidity=TOLD) for trade in trades)

    def held(self, key: str) -> Position:
        """Return a position that is open; `Refused` for any other."""
        store, position_id = self.store(), known_id(key)
        found = store.book.positions.get(position_id) or store.find_position(position_id)
        if found is None:
            raise unknown(key)
        if not is_held(found) or not found.is_alive:
            raise Refused("not_open", f"{found.symbol} (position {key}) is {found.status}")
        return found

    def execute(self, *commands: Command) -> tuple[Recorded, ...]:
        """Decide and commit, then tell; `Refused` where a command is."""
        done = self.clerk().execute(*commands, now=self.now())
        if isinstance(done, Refusal):
            raise Refused(done.code, done.text)
        self.tell(done)
        return done

    def tell(self, records: tuple[Recorded, ...]) -> None:
        """Let go of what has ended, and tell the listeners of what was committed."""
        self.store().book.forget_ended()
        self.listeners.tell(records)

    # ----------------------------------------------------------------------------------------

    def _look(self) -> bool:
        """Say whether there is no store yet; take its identity from the first that is there."""
        if self._is_unmade:
            with suppress(NoStore):
                self.identity = read_identity(self.path).identity
                self._is_unmade = False
        return self._is_unmade

    def _leave_to_parent(self) -> None:
        """Forget the open store in a process that was forked from the one that opened it."""
        if self._store is not None and self._pid != os.getpid():
            _OF_PARENTS.append(self._store)
            self._store = None

    def _opened(self) -> Store:
        self._leave_to_parent()
        if self._store is not None and not self._store.is_usable:
            self._store.close()
            self._store = None
        if self._store is None:
            label = "" if self.identity.mode == "live" else self.identity.mode.upper()
            self._pid = os.getpid()
            self._store = Store.open(
                self.path,
                self.identity,
                draw_incarnation=partial(draw_hex, INCARNATION_DIGITS),
                now=self._clock.now(),
                notice_of=partial(notice_of, about=About(label=label)),
            )
            self._is_unmade = False
        return self._store

    def _expect_paper(self) -> None:
        if self.identity.mode == "live":
            said = "positions of a live store come from orders; nothing is booked by hand"
            raise Refused("live", said)

    def _expect_room_for(self, first: BookEntry) -> None:
        """Refuse to make a store for an entry that it would not take, or in folders mistyped."""
        decision = decide(Book(), first, now=first.fill.filled_at, limits=NO_LIMITS)
        expect_none(decision if isinstance(decision, Refusal) else None)
        above = self.path.parent.parent
        if not above.is_dir():
            raise Refused("bad_path", f"path: expected {above} to be a folder, for {self.path}")

    def _expect_priced_in(self, quote: Coin) -> None:
        """Refuse a coin other than the one that the store's results add up in."""
        known = self._opened().quote()
        if known not in (None, quote):
            said = f"symbol: this store's positions are priced in {known}, as all of one store are"
            raise Refused("other_quote", f"{said}; was one in {quote}, which wants another store")

    def _expect_news(self, symbol: Symbol, order: ExchangeOrderId) -> None:
        """Refuse an order of the exchange that a position was booked for: a script ran again."""
        known = find_entered_by(self.path, symbol, order)
        if known is not None:
            said = f"exchange_order_id: {order} of {symbol} is booked already, as position {known}"
            raise Refused("known_order", said)


def known_id(key: str) -> PositionId:
    """Return an id that a position may have; `Refused` for what is none."""
    if not isinstance(key, str) or not key.isascii():
        raise unknown(key)
    return PositionId(key)


def unknown(key: str) -> Refused:
    """Return the refusal of an id that no position has."""
    return Refused("unknown_position", f"there is no position {key!r} in this store")


def expect_none(refusal: Refusal | None) -> None:
    """Raise a refusal, if it is one."""
    if refusal is not None:
        raise Refused(refusal.code, refusal.text)
