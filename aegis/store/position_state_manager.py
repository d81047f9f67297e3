"""The library: positions by hand, from a script or a notebook, without actors.

It owns nothing that the running AEGIS does not own as well: every change is a command decided by
the domain, an event in the same journal, a row of the same tables. It must never trade, and it
knows no exchange: what it is told has happened, it books.

Invariants:
1. Whoever changes something holds the store's lock, from the first change to `close()`.
2. Reading makes nothing and needs no lock: it alone works beside an AEGIS that runs.
3. In a store of real money, running or not, nothing is opened, changed or closed by hand: its
   positions come from orders, and what became of them from the exchange.
4. Figures are exact: Decimals out; Decimals, ints and texts in. A float is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from aegis.domain.checks import check_of
from aegis.domain.commands import Command, MarkPosition, RaiseStop
from aegis.domain.events import Opening
from aegis.domain.guard import raised
from aegis.domain.ids import SYSTEM_POSITION, Coin, Symbol, account_tag
from aegis.domain.judgement import is_unresolved
from aegis.domain.money import ZERO
from aegis.domain.position import StopPolicy
from aegis.domain.statistics.summary import summarize
from aegis.domain.told import fault_of_rise, fault_of_sale, fault_of_stop, told_entry, told_sale
from aegis.domain.told_holdings import unjudged
from aegis.ports import Clock
from aegis.store.arguments import (
    Figure,
    amount_of,
    holdings_of,
    instrument_of,
    positive,
    positive_or_none,
    share_pct,
    side_of,
    store_path,
    trades_of,
    word,
    word_or_none,
)
from aegis.store.hand import AS_CONFIGURED, Hand, expect_none, known_id, unknown
from aegis.store.identity import Identity
from aegis.store.listeners import Listener
from aegis.store.measuring import read_measures
from aegis.store.reading import (
    exact_view,
    read_alive,
    read_events_of,
    read_position,
    read_quote,
)
from aegis.store.reconciling import Comparison
from aegis.store.records import told_event
from aegis.store.self_examination import Examination

Row = dict[str, Any]

Holdings = Mapping[str, Figure] | Mapping[Symbol, Figure] | Iterable[Mapping[str, object]]


class PositionStateManager:
    """The positions of one store: ten operations, and a `with` block that lets go of the store.

        with PositionStateManager("data/aegis.db") as manager:
            held = manager.open_position("BTC/USDT", "long", "40000", "0.05", stop_price="39000")
            manager.close_position(held, "41000")

    `path` is the store's file. Where there is none, the first `open_position` makes it, for
    `identity`, and whatever else is asked raises `NoStore`. All money is in the quote coin,
    amounts in the base coin. `clock` is the wall's unless told; a store that lives in a simulated
    or replayed market stands at its last stored instant.

    Everything may raise what a store raises (`aegis.store.errors`): `StoreBusy` where another
    process has the store and something was to be changed, `StoreCorrupt`, `StoreFailed`,
    `StoreTooNew`; and `Refused` for what makes no sense, with `code` and one line of text. Nothing
    was written then. Threads may share a manager: their changes are made one after the other.
    """

    def __init__(
        self,
        path: str | Path = "data/aegis.db",
        *,
        identity: Identity = AS_CONFIGURED,
        clock: Clock | None = None,
    ) -> None:
        self._hand = Hand(store_path(path), identity, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the store: its lock, its files. What was changed is on the disk already."""
        self._hand.close()

    # Core operations ------------------------------------------------------------------------

    def open_position(
        self,
        symbol: str,
        side: str,
        entry_price: Figure,
        amount: Figure,
        *,
        stop_price: Figure | None = None,
        take_profit_price: Figure | None = None,
        trailing_stop_pct: Figure = 0,
        fees: Figure = 0,
        exchange_order_id: str | None = None,
        created_by: str = "operator",
        reason: str = "by hand",
    ) -> str:
        """Book a position that was bought at an exchange, and return its id.

        `symbol` is BASE/QUOTE, `side` long (or buy): spot has no shorts. `entry_price` is the
        quote paid for one unit, `amount` what was bought in base, `fees` what the trade cost in
        quote. Without a stop nothing guards the position once AEGIS runs; `trailing_stop_pct`
        alone makes a stop that far below the entry price. `created_by` and `reason` are words.

        `Refused`: a symbol that has a position already, or is priced in another coin than the
        store's first position; a stop that is not below the price or a target that is not above
        it, or far from it, an amount too small to be sold, an order that is known, no figure.

        >>> manager.open_position("BTC/USDT", "long", "40000", "0.05", stop_price=39000)
        '...'
        """
        price, levels = positive("entry_price", entry_price), (stop_price, take_profit_price)
        stop, target = map(positive_or_none, ("stop_price", "take_profit_price"), levels)
        policy = StopPolicy(
            stop_loss_pct=ZERO,
            trailing_stop_pct=share_pct("trailing_stop_pct", trailing_stop_pct),
        )
        opening = Opening(
            side=side_of(side),
            created_by=word("created_by", created_by),
            policy=policy.told(price, stop, target),
            instrument=instrument_of(symbol, price),
        )
        quantity, fee = positive("amount", amount), amount_of("fees", fees)
        order_id, why = word_or_none("exchange_order_id", exchange_order_id), word("reason", reason)
        told = partial(
            told_entry,
            opening=opening,
            amount=quantity,
            price=price,
            fee=fee,
            exchange_order_id=order_id,
            stop_price=stop,
            take_profit_price=target,
            reason=why,
        )
        return self._hand.begin(told)

    def update_position(
        self,
        position_id: str,
        current_price: Figure | None = None,
        *,
        stop_price: Figure | None = None,
    ) -> bool:
        """Write down what one unit is worth now, raise the stop, or both; say whether it was news.

        Prices are in quote. A trailing stop follows a `current_price`. A stop is only raised,
        and stays below the last price; nothing is sold here, however far the price falls.

        `Refused`: a position that is not open, a stop that is lower or not below the price, a price
        of more than twice the last one seen, or under half, that would take a stop along.

        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        >>> manager.update_position(held, "41000", stop_price="39500")
        True
        """
        price = positive_or_none("current_price", current_price)
        stop = positive_or_none("stop_price", stop_price)
        with self._hand.turns:
            self._hand.store_to_book()
            position = self._hand.held(position_id)
            seen = price or position.mark or position.entry_price
            commands: list[Command] = []
            if price is not None:
                commands.append(MarkPosition(position_id=position.position_id, price=price))
            if stop is not None:
                expect_none(fault_of_stop(position, stop, seen))
                up = RaiseStop(position_id=position.position_id, stop_price=stop, price=seen)
                commands.append(up)
            elif price is not None and (trailed := raised(position, price)) is not None:
                commands.append(trailed)
            if len(commands) > 1:
                expect_none(fault_of_rise(position, seen))
            return bool(commands) and bool(self._hand.execute(*commands))

    def close_position(
        self,
        position_id: str,
        exit_price: Figure,
        reason: str = "by hand",
        *,
        fees: Figure = 0,
    ) -> bool:
        """Book that all of a position was sold at an exchange; its result is known then.

        `exit_price` is the quote received for one unit, `fees` are in quote, `reason` becomes the
        position's `notes`. Always True: what cannot be closed is `Refused`, as a position that is
        closed already, or has an order under way. What is booked cannot be taken back, so a price
        of more than twice the last one seen, or under half, wants `update_position` first.

        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        >>> manager.close_position(held, "41000", "target", fees="2.05")
        True
        """
        price, fee = positive("exit_price", exit_price), amount_of("fees", fees)
        with self._hand.turns:
            self._hand.store_to_book()
            position, why = self._hand.held(position_id), word("reason", reason)
            expect_none(fault_of_sale(position, price))
            sale = told_sale(
                position, position.amount, price, reason=why, at=self._hand.now(), fee=fee
            )
            return bool(self._hand.execute(sale))

    # Queries --------------------------------------------------------------------------------

    def get_open_positions(self, symbol: str | None = None) -> list[Row]:
        """Return the positions that are open, eldest first; of one symbol, or all.

        Each is a dict with the columns of the table `positions`: `position_id`, `symbol`,
        `side`, `status`, `entry_price`, `amount`, `cost`, `current_price`, `stop_price`,
        `take_profit_price`, `trailing_stop_pct`, `pnl`, `pnl_pct`, `fees`, `opened_at` and so
        on. Figures are Decimals or None, instants text in RFC 3339, UTC. `pnl` is what is
        realised so far.

        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        >>> manager.get_open_positions("BTC/USDT")[0]["amount"]
        Decimal('0.05')
        """
        rows = (exact_view(view) for view in read_alive(self._hand.path_to_read()))
        return [row for row in rows if symbol in (None, row["symbol"])]

    def get_position(self, position_id: str) -> Row:
        """Return one position, open or closed, shaped as in `get_open_positions`.

        `Refused` where there is none of that id.

        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        >>> manager.get_position(held)["status"]
        'OPEN'
        """
        view = read_position(self._hand.path_to_read(), known_id(position_id))
        if view is None:
            raise unknown(position_id)
        return exact_view(view)

    def get_position_history(self, position_id: str) -> list[Row]:
        """Return all that ever happened to a position, eldest first.

        Each is a dict with `event_id`, `event_type`, `version`, `actor`, `timestamp` and the
        event's own fields by name. `Refused` where there is none of that id.

        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        >>> [event["event_type"] for event in manager.get_position_history(held)][-1]
        'PositionOpened'
        """
        key = known_id(position_id)
        events = () if key == SYSTEM_POSITION else read_events_of(self._hand.path_to_read(), key)
        if not events:
            raise unknown(position_id)
        return [told_event(recorded) for recorded in events]

    # What looks after the store -------------------------------------------------------------

    def reconcile_with_exchange(
        self,
        exchange_positions: Holdings,
        trades: Iterable[Mapping[str, object]] = (),
    ) -> Row:
        """Compare with what an exchange holds, book what its trades explain, and record it.

        `exchange_positions` is all of it, in base: a mapping of symbol to amount, or a list of
        dicts with `symbol` and `amount`. `trades` are the exchange's latest, as ccxt writes them,
        with exact figures: `id`, `symbol`, `side`, `amount`, `price`, `timestamp` in ms, `fee`
        with `cost` and `currency`. A position that the exchange has no more is closed by a trade
        that sold it, at its price. An amount alone closes nothing: it is left in `unresolved`,
        takes no entries, and waits for `close_position` or for a trade. What the exchange holds
        beyond ours is told and left alone.

        Returns `discrepancies` (dicts with `kind`, `symbol`, `subject`, `expected`, `found`,
        `action`, `is_healed`, `position_id`, `missing`), `healed` (how many), `unresolved`
        (position ids), `unjudged` (symbols with an order under way), `exchange_positions` and
        `local_positions` (how many), `status` (SUCCESS or PARTIAL). `Refused` for what is no
        list of positions: no answer is not an empty one.

        >>> manager.reconcile_with_exchange({"BTC/USDT": "0"})["discrepancies"]
        []
        """
        told, known, hand = holdings_of(exchange_positions), trades_of(trades), self._hand
        with hand.turns:
            store, identity = hand.store(), hand.identity
            left_out = list(unjudged(store.book))
            tag = account_tag(identity.mode, identity.exchange, identity.account)
            comparison = Comparison(store, hand.clerk(), tag, hand.now())
            completed, records = comparison.done(told, hand.taken_of(known))
            hand.tell(records)
        found = completed.discrepancies
        is_whole = all(each.is_healed for each in found)
        return {
            "discrepancies": [_plain(each) for each in found],
            "healed": sum(each.is_healed for each in found),
            "unresolved": [each.position_id for each in found if not each.is_healed],
            "unjudged": left_out,
            "exchange_positions": completed.exchange_positions,
            "local_positions": completed.local_positions,
            "status": "SUCCESS" if is_whole else "PARTIAL",
        }

    def self_diagnose(self) -> Row:
        """Examine the store and mend what has a remedy, as `run.py diagnose` does; record it.

        Returns `issues_found` and `auto_fixes_applied` (how many), `is_well` (nothing critical
        is left), and `checks`: dicts with `check`, `status` (ok, finding, fixed, failed),
        `details` and `is_critical`. docs/diagnosis.md has the list; limits, clocks and prices are
        a running process's, and not among them here.

        >>> manager.self_diagnose()["issues_found"]
        0
        """
        hand = self._hand
        with hand.turns:
            results, records = Examination(hand.store(), hand.clerk(), hand.now()).done()
            hand.tell(records)
        return {
            "issues_found": sum(each.status != "ok" for each in results),
            "auto_fixes_applied": sum(each.status == "fixed" for each in results),
            "is_well": not any(is_unresolved(each) for each in results),
            "checks": [
                _plain(each) | {"is_critical": check_of(each.check).is_critical} for each in results
            ],
        }

    def get_statistics(self) -> Row:
        """Return what the trades and the store have come to.

        Among others `trades`, `won`, `win_rate_pct`, `pnl_total`, `pnl_average`, `fees`,
        `profit_factor`, `open_positions`, `reconciliations`, `database_bytes`, `events`,
        `head_hash`. Money is in the quote coin after fees; a figure that needs what is not there
        is None. `run.py statistics --json` shows the same names.

        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        >>> closed = manager.close_position(held, "41000")
        >>> manager.get_statistics()["pnl_total"]
        Decimal('50.00')
        """
        path = self._hand.path_to_read()
        found = read_measures(path, read_quote(path) or Coin("USDT"))
        summary = summarize(found.closed, alive=found.alive, path=found.path)
        return {
            **_plain(summary),
            "open_positions": len(found.alive),
            "reconciliations": found.reconciliations,
            "events": found.events,
            "head_hash": found.head_hash,
            "database_bytes": found.database_bytes,
        }

    def register_listener(self, event_type: str, listener: Listener) -> None:
        """Call `listener` with each event of a type that this manager commits from now on.

        `event_type` is the event's name in the log, as `PositionOpened` or `POSITION_OPENED`
        (docs/logging.md lists them); `Refused` for another. The listener gets a dict shaped as
        in `get_position_history`, in the log's order, after the event is on the disk, and on a
        thread of its own while the caller waits. One that raises is a `RuntimeWarning`.

        >>> manager.register_listener("POSITION_OPENED", lambda event: print(event["symbol"]))
        >>> held = manager.open_position("BTC/USDT", "long", "40000", "0.05")
        BTC/USDT
        """
        self._hand.listeners.add(word("event_type", event_type), listener)


def _plain(record: msgspec.Struct) -> Row:
    """Return a record as a dict, its figures as Decimals."""
    made: Row = msgspec.to_builtins(record, builtin_types=(Decimal,))
    return made
