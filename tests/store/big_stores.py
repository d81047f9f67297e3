"""Big lawful stores, for measurements: a million events and ten thousand positions in minutes.

The events are written down as the system would decide them, without asking it: the book that
takes each of them asserts, and the rows, hashes and commits are the product's own. Equal orders
give equal stores, to the hash.

`python -m tests.store.big_stores FILE [EVENTS [POSITIONS]]` makes one.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

from aegis.cli.output import shown_progress
from aegis.domain.book import Book
from aegis.domain.events import (
    BalancesStarted,
    CheckResult,
    DayStarted,
    DiagnosisCompleted,
    Event,
    Opening,
    OrderAccepted,
    OrderFilled,
    OrderIntended,
    OrderSubmitted,
    PositionClosed,
    PositionMarked,
    PositionOpened,
    Proposed,
    ReconciliationCompleted,
    Recorded,
    StopRaised,
    StrategyArmed,
)
from aegis.domain.ids import (
    SYSTEM_POSITION,
    ClientOrderId,
    Coin,
    ExchangeOrderId,
    Generation,
    Instant,
    PositionId,
    Symbol,
)
from aegis.domain.instrument import Instrument
from aegis.domain.order import Fill, OrderType, Role, Side
from aegis.domain.position import PositionSide, StopPolicy
from tests.store.histories import START, USDT, open_store

EVENTS, POSITIONS = 1_000_000, 10_000
COMMIT_EVENTS = 1_000

STEP_NS = 250_000_000
"""Four events a second: a million of them are three days."""

TRADED_SYMBOLS = 40
"""Symbols in which positions come and go; each that stays open has one of its own."""

MARKS = 8
"""The price moves so often while a trade goes on, in turns its own and that of one that stays."""

ENTRY_EVENTS, TRADE_EVENTS = 5, 5 + MARKS + 1 + 5

LOOKED_OVER_EVERY = 20_000

AMOUNT = Decimal("0.0500")
FEE = Decimal("0.0043")
POLICY = StopPolicy(stop_loss_pct=Decimal(2), take_profit_pct=Decimal(4))

Progress = Callable[[int, int], None]


def make_big_store(
    path: Path,
    *,
    events: int = EVENTS,
    positions: int = POSITIONS,
    is_kept: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Path:
    """Make a closed store of so many events, with so many positions open at its end.

    One that is not kept does not wait for the disk at each commit; it is whole all the same.
    """
    store = open_store(path, is_kept=is_kept)
    for records in big_history(store.book, events=events, positions=positions):
        store.commit(records, store.book)
        store.book.forget_ended()
        progress(store.last_event_id, events)
    store.close()
    return path


def big_history(
    book: Book, *, events: int, positions: int, commit_events: int = COMMIT_EVENTS
) -> Iterator[tuple[Recorded, ...]]:
    """Yield so many records commit by commit, each of them in the book already."""
    proposals = _Happening(book, events, positions).all()
    while book.last_event_id < events:
        count = min(commit_events, events - book.last_event_id)
        yield tuple(
            book.record(next(proposals), by="Test", at=_instant(book)) for _ in range(count)
        )


class _Happening:
    """What happens: positions that stay are opened all along, trades come and go between."""

    def __init__(self, book: Book, events: int, positions: int) -> None:
        least = 2 + ENTRY_EVENTS * positions
        assert events >= least, f"Expected {least} events or more, was {events}"
        self._book, self._events, self._positions = book, events, positions
        self._choose = random.Random(f"{events} {positions}")
        self._staying: list[PositionId] = []
        self._entered = self._traded = 0

    def all(self) -> Iterator[Proposed]:
        """Yield one after another, without an end."""
        yield _of_account(BalancesStarted(balances={USDT: Decimal(100_000_000)}))
        yield _of_account(StrategyArmed(generation=Generation(1), strategy="test"))
        looked_over_at = 0
        while True:
            done = self._book.last_event_id
            to_come = (self._positions - len(self._staying)) * ENTRY_EVENTS
            has_room = self._events - done >= to_come + TRADE_EVENTS
            if to_come and (not has_room or self._is_entry_due(done)):
                yield from self._stay()
            elif not has_room:
                yield self._move()
            elif done - looked_over_at >= LOOKED_OVER_EVERY:
                looked_over_at = done
                yield from _looked_over(self._book)
            else:
                yield from self._trade()

    def _is_entry_due(self, done: int) -> bool:
        return len(self._staying) * self._events < self._positions * done

    def _stay(self) -> Iterator[Proposed]:
        symbol = Symbol(f"STAY{len(self._staying)}/USDT")
        position = self._next_position()
        self._staying.append(position)
        yield from self._enter(position, symbol)

    def _trade(self) -> Iterator[Proposed]:
        symbol = Symbol(f"TRADE{self._traded % TRADED_SYMBOLS}/USDT")
        self._traded += 1
        position = self._next_position()
        yield from self._enter(position, symbol)
        for number in range(MARKS):
            yield self._move(position if number % 2 else None)
        price = self._price()
        yield Proposed(position_id=position, event=StopRaised(stop_price=price, price=price))
        yield from self._order(position, symbol, Role.EXIT, price)
        pnl = self._book.positions[position].pnl
        closed = PositionClosed(symbol=symbol, pnl=pnl, reason="strategy")
        yield Proposed(position_id=position, event=closed)

    def _enter(self, position: PositionId, symbol: Symbol) -> Iterator[Proposed]:
        price = self._price()
        yield from self._order(position, symbol, Role.ENTRY, price)
        opened = PositionOpened(
            symbol=symbol,
            price=price,
            stop_price=price - 2,
            take_profit_price=price + 4,
        )
        yield Proposed(position_id=position, event=opened)

    def _order(
        self, position: PositionId, symbol: Symbol, role: Role, price: Decimal
    ) -> Iterator[Proposed]:
        """Yield an order that is filled at once; four events."""
        order = ClientOrderId(f"ae1234{role[:2]}{position}")
        for event in (
            _intended(order, symbol, role, price),
            OrderSubmitted(client_order_id=order),
            OrderAccepted(client_order_id=order, exchange_order_id=ExchangeOrderId(f"x{order}")),
            _filled(order, symbol, role, price, self._book),
        ):
            yield Proposed(position_id=position, event=event)

    def _move(self, position: PositionId | None = None) -> Proposed:
        """Return a new price of a position, or of any that stays; of the account, of none."""
        price = self._price()
        if position is None and not self._staying:
            return _of_account(DayStarted(day_started_at=_instant(self._book), equity=price))
        event = PositionMarked(price=price, high=price + 1, low=price - 1)
        return Proposed(position_id=position or self._choose.choice(self._staying), event=event)

    def _next_position(self) -> PositionId:
        self._entered += 1
        return PositionId(f"{self._entered:024x}")

    def _price(self) -> Decimal:
        return Decimal(self._choose.randint(9_000, 11_000)).scaleb(-2)


def _instant(book: Book) -> Instant:
    return Instant(START + book.last_event_id * STEP_NS)


def _of_account(event: Event) -> Proposed:
    return Proposed(position_id=SYSTEM_POSITION, event=event)


def _looked_over(book: Book) -> Iterator[Proposed]:
    held = len(book.alive_positions())
    reconciled = ReconciliationCompleted(
        generation=Generation(1),
        trigger="timer",
        exchange_positions=held,
        local_positions=held,
        discrepancies=(),
        is_dry_run=False,
    )
    checks = tuple(CheckResult(check=f"check-{n}", status="ok", details="") for n in range(18))
    yield _of_account(reconciled)
    yield _of_account(DiagnosisCompleted(generation=Generation(1), trigger="timer", checks=checks))


def _intended(order: ClientOrderId, symbol: Symbol, role: Role, price: Decimal) -> OrderIntended:
    is_entry = role is Role.ENTRY
    base = Coin(symbol.partition("/")[0])
    instrument = Instrument(
        symbol=symbol,
        base=base,
        quote=USDT,
        amount_step=Decimal("0.0001"),
        price_step=Decimal("0.01"),
        amount_min=Decimal("0.0010"),
        notional_min=Decimal("0.1"),
    )
    opening = Opening(
        side=PositionSide.LONG, created_by="strategy", policy=POLICY, instrument=instrument
    )
    return OrderIntended(
        client_order_id=order,
        symbol=symbol,
        role=role,
        side=Side.BUY if is_entry else Side.SELL,
        type=OrderType.MARKET,
        amount=AMOUNT,
        price=None,
        trigger_price=None,
        reduce_only=False,
        strategy="test",
        reason="because",
        decision_price=price,
        bid=price,
        ask=price,
        opening=opening if is_entry else None,
    )


def _filled(
    order: ClientOrderId, symbol: Symbol, role: Role, price: Decimal, book: Book
) -> OrderFilled:
    fill = Fill(
        trade_id=f"t{order}",
        amount=AMOUNT,
        price=price,
        fee=FEE,
        fee_currency=USDT,
        liquidity="taker",
        filled_at=_instant(book),
    )
    return OrderFilled(
        client_order_id=order,
        symbol=symbol,
        side=Side.BUY if role is Role.ENTRY else Side.SELL,
        fill=fill,
        is_complete=True,
    )


def _main(path: str, events: str = str(EVENTS), positions: str = str(POSITIONS)) -> None:
    with shown_progress("Making") as progress:
        make_big_store(Path(path), events=int(events), positions=int(positions), progress=progress)


if __name__ == "__main__":
    _main(*sys.argv[1:])
