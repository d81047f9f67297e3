"""What may never be, in any world, and what must be so once all trouble has ended."""

from __future__ import annotations

from aegis.dialogue import PlaceOrder
from aegis.domain.ids import ClientOrderId, TradeId
from aegis.domain.order import Order, Role, Side
from tests.protocol.world import Ground, World, may_come


def fault_of(world: World, ground: Ground) -> str | None:
    """Return the first rule that a world breaks, or None."""
    sold = None if ground.may_oversell else _sold_too_much(world)
    return _sent_twice(world) or sold or _fault_of_books(world, ground)


def _sent_twice(world: World) -> str | None:
    """Never two orders at the exchange for one intent, nor one without an intent."""
    own = [each.client_order_id for each in world.venue.orders if each.client_order_id]
    for key in own:
        if own.count(key) > 1:
            return f"two orders at the exchange for one intent, {key}"
        order = world.log.book.orders.get(ClientOrderId(key))
        if order is None:
            return f"an order at the exchange without an intent, {key}"
    return None


def _sold_too_much(world: World) -> str | None:
    """Never more sold by our orders than they hold, with the dust that earlier ones left."""
    held = world.venue.dust_first
    for each in world.venue.orders:
        if each.client_order_id:
            held += each.filled if each.side is Side.BUY else -each.filled
    return f"own orders hold {held} coins" if held < 0 else None


def _fault_of_books(world: World, ground: Ground) -> str | None:
    trades = {each.trade_id(place): each for each in world.venue.orders
              for place in range(len(each.trades))}  # fmt: skip
    seen: set[str] = set()
    for order in world.log.book.orders.values():
        for trade_id in order.trade_ids:
            there = trades.get(TradeId(trade_id))
            if there is None or trade_id in seen:
                return f"trade {trade_id} is booked twice, or never was"
            seen.add(trade_id)
            if there.client_order_id != order.client_order_id and order.role is not Role.FORCED:
                return f"trade {trade_id} is booked for another order"
        fault = _fault_of_end(world, ground, order) if order.is_ended else None
        if fault is not None:
            return fault
    return None


def _fault_of_end(world: World, ground: Ground, order: Order) -> str | None:
    """An order never ends with fills missing, nor while it may come or fill."""
    if order.role is Role.FORCED:
        return None
    key = order.client_order_id
    there = world.venue.of(key)
    filled = sum(each.filled for each in there)
    if order.filled != filled:
        return f"{key} is {order.state} with {order.filled} filled, the exchange has {filled}"
    if any(each.ended_at is None for each in there):
        return f"{key} is {order.state}, and is open at the exchange"
    for flying in world.flying:
        request = flying.request
        if not isinstance(request, PlaceOrder) or request.client_order_id != key:
            continue
        if flying.answer is None and may_come(world, ground, request):
            return f"{key} is {order.state}, and its request may still be carried out"
    return None
