"""What a flatten has not left, and why, in a line each: from what the store holds.

Pure. Nothing here says that an order had no effect: nobody is to repeat one by hand.
"""

from __future__ import annotations

from aegis.domain.first_look import FRESH, hold_of
from aegis.domain.ids import PositionId, Symbol
from aegis.domain.order import OrderState, Role
from aegis.domain.unsold import told_unsold
from aegis.store.reading import StoreStatus, View
from aegis.store.unsent import told_unsent_in

LEFT_LATER = "no entries meanwhile; what is open is left when AEGIS runs, or say flatten again"

UNSENT = "no exit was sent"


def still_open(status: StoreStatus, *, is_compared: bool, hold: str | None) -> list[str]:
    """Return a line for each position; `hold` is what keeps the exchange out of reach now.

    `is_compared` where a comparison with the exchange was completed.
    """
    return [
        f"still open: {position['symbol']} {position['amount']} "
        f"(position {position['position_id']}, {position['status']}); "
        + _why(status, position, is_compared=is_compared, hold=hold)
        for position in status.positions
    ]


def _why(status: StoreStatus, position: View, *, is_compared: bool, hold: str | None) -> str:
    """Return what keeps a position from being left: its order, a doubt, or the exchange."""
    name, symbol = PositionId(str(position["position_id"])), Symbol(str(position["symbol"]))
    under_way = (
        order
        for order in status.orders
        if order["position_id"] == name and order["role"] != Role.PROTECTIVE
    )
    order = next(under_way, None)
    if order is not None:
        return _told_order(status, order)
    waits = hold_of(status.account, name, symbol, has_looked=is_compared)
    if waits is None or waits == FRESH:  # that is over before anybody is told of it here
        unsold = (told_unsold(each) for each in status.unsold if each.position_id == name)
        waits = next(unsold, UNSENT)
    return waits if hold is None else f"{waits}; {hold}"


def _told_order(status: StoreStatus, order: View) -> str:
    state, name = order["state"], f"its {order['role']} {order['client_order_id']}"
    if state == OrderState.NEEDS_HUMAN:
        return f"{name} needs you: look for it at the exchange"
    if state == OrderState.INTENT and order["role"] == Role.EXIT:
        return told_unsent_in(status, order)
    if state in {OrderState.SUBMITTING, OrderState.UNKNOWN}:
        return f"{name} has no answer, and may be carried out: never repeat it by hand"
    return f"{name} is {state}, and what became of it is not told: never repeat it by hand"
