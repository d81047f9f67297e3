"""Somebody who wants commands done, and repeats each by its key until it is acknowledged."""

from __future__ import annotations

from pathlib import Path

import msgspec

from aegis.domain.commands import (
    AcceptOrder,
    Command,
    IntendOrder,
    MarkPosition,
    RecordFills,
    Refusal,
)
from aegis.domain.decisions import decide
from aegis.domain.events import Recorded
from aegis.domain.ids import ClientOrderId, ExchangeOrderId, Instant
from aegis.domain.money import floor_to
from aegis.store.errors import StoreError
from aegis.store.journal import Store
from tests.store.histories import LIMITS, SYMBOLS, History, open_store


class Wish(msgspec.Struct, frozen=True):
    """Commands that go into one commit, and when they were decided first."""

    commands: tuple[Command, ...]
    at: Instant


class Client:
    """Uses a store as its actor does: after any fault it is let go and opened again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store: Store | None = None
        self.faults: list[StoreError] = []

    def want(self, wish: Wish) -> bool:
        """Try once; say whether it was acknowledged."""
        try:
            store = self._store = self._store or open_store(self._path)
            records = decided(store, wish)
            if records:
                store.commit(records, store.book)
        except StoreError as fault:
            self._let_go(fault)
            return False
        return True

    def stop(self) -> bool:
        """End cleanly; say whether that was so."""
        try:
            if self._store is not None:
                self._store.close()
        except StoreError as fault:
            self._let_go(fault)
            return False
        self._store = None
        return True

    def _let_go(self, fault: StoreError) -> None:
        self.faults.append(fault)
        store, self._store = self._store, None
        if store is not None:
            expect_stopped(store)
            store.close()


def expect_stopped(store: Store) -> None:
    """Expect a store to do nothing any more."""
    try:
        store.find_order(ClientOrderId("none"))
    except StoreError as refusal:
        assert "refused, since" in str(refusal), f"Expected a refusal, was {refusal}"  # noqa: PT017  either
    else:
        raise AssertionError("Expected a store that fails stop")


def decided(store: Store, wish: Wish) -> tuple[Recorded, ...]:
    """Return what a wish still has to record; what is known already makes no event."""
    book, now = store.book, store.stamp(wish.at)
    records: list[Recorded] = []
    for command in wish.commands:
        decision = decide(book, command, now=now, limits=LIMITS)
        if not isinstance(decision, Refusal):
            records.extend(book.record(each, by="Test", at=now) for each in decision)
    return tuple(records)


def wishes(seed: int, positions: int) -> tuple[Wish, ...]:
    """Return what it takes to enter and leave positions one after another, a commit a step."""
    history = History(seed)
    made: list[Wish] = []

    def want(*commands: Command) -> None:
        for command in commands:
            assert history.execute(command), f"Expected events of {command}"
        made.append(Wish(commands, history.now))

    def want_filled(intent: IntendOrder) -> None:
        order = intent.order
        key = order.client_order_id
        found = ExchangeOrderId(f"x{key[-6:]}")
        want(intent)
        want(history.submit(order))
        fill = history.fill(order, order.amount)
        want(
            AcceptOrder(client_order_id=key, exchange_order_id=found),
            RecordFills(client_order_id=key, fills=(fill,)),
        )

    for number in range(positions):
        entry = history.entry(SYMBOLS[number])
        want_filled(entry)
        position = history.book.positions[entry.order.position_id]
        want(MarkPosition(position_id=position.position_id, price=history.price()))
        whole = floor_to(position.amount, position.instrument.amount_step)
        leaving = history.exit(position)
        want_filled(IntendOrder(order=msgspec.structs.replace(leaving.order, amount=whole)))
    return tuple(made)
