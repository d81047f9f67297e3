"""How an account is looked at: what is held, open orders, trades, and what is held once more.

Pure. Invariants:
1. Balances and trades belong together: nothing moved while they were read.
2. Open orders are read before trades: one that fills in between is in the trades.
3. `trades_since` is from when on trades were read, be it later than asked.
"""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal

import msgspec

from aegis.dialogue import AccountFetched, FetchAccount, NoAnswer, RequestRefused
from aegis.domain.ids import Coin, Instant, Symbol
from aegis.domain.venue import VenueAccount, VenueOrder
from aegis.exchange.live.calls import (
    Page,
    ReadBalances,
    ReadOpenOrders,
    ReadPositions,
    ReadTrades,
)
from aegis.exchange.live.line.steps import (
    Do,
    Heard,
    Sequence,
    Urgency,
    Ways,
    eldest_trade,
    later,
    value_of,
)
from aegis.exchange.live.line.windows import Reading

ROUNDS_MAX = 5
"""Readings of an account until nothing moves meanwhile."""

FIRST_LOOK_S = 86_000
"""Of trades, where the books have no beginning yet: whether another AEGIS trades this account.

Less than the day that one call tells: a second one would keep each first start for a second.
"""


class Holdings(msgspec.Struct, frozen=True, kw_only=True):
    """What must not move while the rest is read."""

    balances: dict[Coin, Decimal]
    positions: dict[Symbol, Decimal] | None
    as_of: Instant

    def is_same(self, other: Holdings) -> bool:
        """Say whether nothing moved.

        Where positions are told they alone tell it: balances move with funding, too, and no
        trade explains that.
        """
        if self.positions is not None:
            return self.positions == other.positions
        return self.balances == other.balances


def look_at_account(request: FetchAccount, ways: Ways) -> Sequence:
    """Read the account until nothing moves meanwhile; later rounds read the newest trades alone."""
    since = unread = _begin(request.trades_since, ways)
    reading = Reading(ways.profile.trades_window_s)
    before = yield from _holdings(ways)
    for _ in range(ROUNDS_MAX):
        if not isinstance(before, Holdings):
            return before
        orders = yield from _open_orders(ways)
        if not isinstance(orders, tuple):
            return orders
        until = later(ways.now(), 1)
        reading.want(unread, until)
        unread = later(until, -ways.profile.lookup_lag_s)
        no = yield from _read(reading)
        if no is not None:
            return no
        after = yield from _holdings(ways)
        if isinstance(after, Holdings) and before.is_same(after):
            account = VenueAccount(
                balances=after.balances,
                positions=after.positions,
                open_orders=orders,
                trades=tuple(trade for trade in reading.trades if trade.at >= since),
                trades_since=since,
                as_of=before.as_of,
            )
            return AccountFetched(account=account)
        before = after
    if not isinstance(before, Holdings):
        return before
    return NoAnswer(reason=f"the account moved in each of {ROUNDS_MAX} readings")


def _open_orders(
    ways: Ways,
) -> Generator[Do, Heard, tuple[VenueOrder, ...] | RequestRefused | NoAnswer]:
    """Read what rests: orders, and stops where the exchange keeps those apart."""
    found: tuple[VenueOrder, ...] = ()
    for is_stop in (False, True) if ways.profile.has_exchange_stops else (False,):
        heard = yield Do(call=ReadOpenOrders(is_stop=is_stop), urgency=Urgency.ACCOUNT)
        told = value_of(heard, tuple)
        if not isinstance(told, tuple):
            return told
        found += told
    return found


def _holdings(ways: Ways) -> Generator[Do, Heard, Holdings | RequestRefused | NoAnswer]:
    heard = yield Do(call=ReadBalances(may_owe=ways.has_positions), urgency=Urgency.ACCOUNT)
    balances = value_of(heard, dict)
    if not isinstance(balances, dict):
        return balances
    as_of, positions = heard.as_of, None
    if ways.has_positions:
        heard = yield Do(call=ReadPositions(), urgency=Urgency.ACCOUNT)
        told = value_of(heard, dict)
        if not isinstance(told, dict):
            return told
        positions = told
    return Holdings(balances=balances, positions=positions, as_of=as_of)


def _read(reading: Reading) -> Generator[Do, Heard, RequestRefused | NoAnswer | None]:
    """Read trades to the end; return why that cannot be, or None."""
    while (stretch := reading.next) is not None:
        call = ReadTrades(symbol=None, since=stretch.since, until=stretch.until)
        heard = yield Do(call=call, urgency=Urgency.ACCOUNT)
        if not isinstance(page := value_of(heard, Page), Page):
            return page
        reading.take(page)
    return None if reading.fault is None else NoAnswer(reason=reading.fault)


def _begin(since: Instant, ways: Ways) -> Instant:
    """Return from when on trades are read: as asked, or as far back as there is any use."""
    eldest = eldest_trade(ways)
    return max(since, eldest) if since else max(eldest, later(ways.now(), -FIRST_LOOK_S))
