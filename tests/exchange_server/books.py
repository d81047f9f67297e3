"""Orders, fills and balances, as they are now and as they were: one account's books.

Every change goes through here, and to the ledger with it.

Invariants:
1. A coin's balance is the sum of its changes, to the last digit; what is reserved of it is the
   sum over open orders.
2. A fill changes two balances and the order in one transaction, and pays its fee in the coin that
   it brings in; a derivative's changes its quote coin alone.
3. An order that has ended never changes again, but that it may be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec.structs import replace

from tests.exchange_server.ledger import Ledger
from tests.exchange_server.shapes import LISTINGS, ZERO, Fill, Listing, Order, Status

_FIRST_ORDER_ID = 6_530_219_000_000_000_000
_FIRST_TRADE_ID = 5_755_600_000_000_000_000


class Books:
    """The account's books on a ledger: what stands there already is taken up."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._versions: dict[str, list[tuple[int, Order]]] = {
            order.order_id: [(0, order)] for order in ledger.orders()
        }
        self._under: dict[str, list[str]] = {}
        for order in self.orders():
            self._note_ids(order)
        self._open = {o.order_id: o for o in self.orders() if o.is_open}
        self.fills = ledger.fills()
        self._changes = [(c.at, c.coin, c.amount) for c in ledger.balance_changes()]
        self._totals = ledger.balances()
        self.positions: list[dict[str, object]] = []  # rows, as the exchange tells them
        ids = [int(order.trades_as) for order in self.orders()]
        self._last_id = max([*ids, *map(int, self._versions), _FIRST_ORDER_ID])

    # Questions ------------------------------------------------------------------------------

    def orders(self, *, at: int | None = None) -> Iterator[Order]:
        """Give all orders, eldest first, as they stand, or as they stood at an instant."""
        for order_id in self._versions:
            found = self._as_it_was(order_id, at)
            if found is not None:
                yield found

    def _as_it_was(self, order_id: str, at: int | None) -> Order | None:
        versions = reversed(self._versions[order_id])
        return next((order for when, order in versions if at is None or when <= at), None)

    def open_orders(self) -> list[Order]:
        return list(self._open.values())

    def find(
        self, *, order_id: str | None, client_oid: str | None, at: int | None = None
    ) -> Order | None:
        """Look an order up by either id; of a double client id the youngest order is found."""
        wanted = f"id {order_id}" if order_id is not None else f"client {client_oid}"
        for known in reversed(self._under.get(wanted, [])):
            order = self._as_it_was(known, at)
            if order is not None:
                return order
        return None

    def total(self, coin: str) -> Decimal:
        return self._totals.get(coin, ZERO)

    def reserved(self, coin: str) -> Decimal:
        return sum((o.reserved for o in self._open.values() if o.reserved_coin == coin), ZERO)

    def available(self, coin: str) -> Decimal:
        return self.total(coin) - self.reserved(coin)

    def balances(self, *, at: int | None = None) -> dict[str, tuple[Decimal, Decimal]]:
        """Return total and reserved of each coin that was ever held, now or at an instant."""
        if at is None:
            return {coin: (total, self.reserved(coin)) for coin, total in self._totals.items()}
        totals: dict[str, Decimal] = {}
        for when, coin, amount in self._changes:
            if when <= at:
                totals[coin] = totals.get(coin, ZERO) + amount
        reserved: dict[str, Decimal] = {}
        for order in self.orders(at=at):
            if order.is_open:
                held = reserved.get(order.reserved_coin, ZERO)
                reserved[order.reserved_coin] = held + order.reserved
        return {coin: (total, reserved.get(coin, ZERO)) for coin, total in totals.items()}

    def position(self, instrument: str) -> tuple[Decimal, Decimal]:
        """Return a derivative's position, signed, and what it cost; zeros where there is none."""
        for row in self.positions:
            if row["instrument_name"] == instrument:
                return Decimal(str(row["quantity"])), Decimal(str(row["open_pos_cost"]))
        return ZERO, ZERO

    # Changes --------------------------------------------------------------------------------

    def new_order_id(self) -> str:
        self._last_id += 1
        return str(self._last_id)

    def put(self, order: Order, now: int) -> Order:
        """Write an order's new state; one that has ended reserves nothing."""
        if not order.is_open:
            order = replace(order, reserved=ZERO)
        before = self._versions.setdefault(order.order_id, [])
        if before:
            last = before[-1][1]
            unchanged = replace(order, is_forgotten=last.is_forgotten) == last
            assert last.is_open or unchanged, f"Expected an open order, was {last}"
        before.append((now, order))
        self._note_ids(order)
        if order.is_open:
            self._open[order.order_id] = order
        else:
            self._open.pop(order.order_id, None)
        self.ledger.put_order(order)
        return order

    def _note_ids(self, order: Order) -> None:
        """Remember the names that an order goes by, for look-ups among many."""
        names = [f"id {order.order_id}", f"client {order.client_oid}"]
        if order.exchange_order_id is not None:
            names.append(f"id {order.exchange_order_id}")
        for name in names:
            known = self._under.setdefault(name, [])
            if order.order_id not in known:
                known.append(order.order_id)

    def end(self, order: Order, status: Status, now: int, *, reason: int = 0) -> Order:
        ended = replace(order, status=status, reason=reason, updated_at=max(now, order.updated_at))
        return self.put(ended, now)

    def change(
        self, coin: str, amount: Decimal, reason: str, now: int, trade_id: str | None = None
    ) -> None:
        """Add to a coin's balance; it never goes below zero."""
        total = self.total(coin) + amount
        assert total >= 0, f"Expected {coin} to stay at zero or above, was {total}"
        self._totals[coin] = total
        self._changes.append((now, coin, amount))
        self.ledger.add_change(coin, amount, reason, now, trade_id)

    def fill(
        self,
        order: Order,
        *,
        price: Decimal,
        quantity: Decimal,
        rate: Decimal,
        is_maker: bool,
        now: int,
        at: int,
        gain: Decimal | None = None,
    ) -> Order:
        """Trade a part of an order, or its rest. `at` is the instant that is told of it.

        A derivative moves no coins: its quote coin gets what the trade gained, and pays the fee.
        """
        assert ZERO < quantity <= order.rest, f"Expected at most {order.rest}, was {quantity}"
        listing = LISTINGS[order.instrument]
        value = price * quantity
        is_fee_in_base = order.side == "BUY" and gain is None
        fee = rate * (quantity if is_fee_in_base else value)
        number = len(self.fills) + 1
        fill = Fill(
            trade_id=str(_FIRST_TRADE_ID + number),
            match_id=str(_FIRST_TRADE_ID // 2 + number),
            order_id=order.trades_as,
            client_oid=order.client_oid,
            instrument=order.instrument,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_coin=listing.base if is_fee_in_base else listing.quote,
            liquidity="MAKER" if is_maker else "TAKER",
            filled_at=at,
        )
        self.fills.append(fill)
        self.ledger.add_fill(fill)
        self._move(fill, listing, now, gain)
        filled = order.filled + quantity
        return self.put(
            replace(
                order,
                filled=filled,
                value=order.value + value,
                fee=order.fee + fee,
                reserved=(order.quantity - filled) * order.reserved_price,
                status=Status.FILLED if filled == order.quantity else Status.ACTIVE,
                updated_at=max(at, order.updated_at),
            ),
            now,
        )

    def set_position(self, instrument: str, quantity: Decimal, cost: Decimal) -> None:
        """Let a derivative's position be another one; none at zero."""
        row: dict[str, object] = {
            "account_id": "owner",
            "quantity": f"{quantity:f}",
            "cost": f"{cost:f}",
            "open_pos_cost": f"{cost:f}",
            "open_position_pnl": "0",
            "session_pnl": "0",
            "update_timestamp_ms": 0,
            "instrument_name": instrument,
            "type": "PERPETUAL_SWAP",
        }
        others = [each for each in self.positions if each["instrument_name"] != instrument]
        self.positions = [*others, *([row] if quantity else [])]

    def reduce(
        self, order: Order, *, price: Decimal, quantity: Decimal, rate: Decimal, now: int, at: int
    ) -> Order:
        """Fill an order against a derivative's position, which cannot turn by it."""
        held, cost = self.position(order.instrument)
        signed = quantity.copy_sign(held)
        assert abs(signed) <= abs(held), f"Expected at most {held} to reduce, was {quantity}"
        share = cost * signed / held
        self.set_position(order.instrument, held - signed, cost - share)
        return self.fill(
            order,
            price=price,
            quantity=quantity,
            rate=rate,
            is_maker=False,
            now=now,
            at=at,
            gain=signed * price - share,
        )

    def _move(self, fill: Fill, listing: Listing, now: int, gain: Decimal | None) -> None:
        value = fill.price * fill.quantity
        moves: tuple[tuple[str, Decimal], ...]
        if gain is not None:
            moves = ((listing.quote, gain),)
        elif fill.side == "BUY":
            moves = ((listing.quote, -value), (listing.base, fill.quantity))
        else:
            moves = ((listing.base, -fill.quantity), (listing.quote, value))
        for coin, amount in moves:
            self.change(coin, amount, "trade", now, fill.trade_id)
        self.change(fill.fee_coin, -fill.fee, "fee", now, fill.trade_id)
