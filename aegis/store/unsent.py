"""What to say of an exit that is on disk and not sent, from what a reader sees of the store."""

from __future__ import annotations

from aegis.domain.ids import ClientOrderId, Symbol
from aegis.domain.instants import instant_of
from aegis.domain.unsold import told_unsent
from aegis.store.reading import StoreStatus, View


def told_unsent_in(status: StoreStatus, leaving: View) -> str:
    """Return the sentence for people of an exit, with the stop that is in its way."""
    stop = next((each for each in status.orders if _is_stop_beside(each, leaving)), None)
    return told_unsent(
        Symbol(str(leaving["symbol"])),
        instant_of(str(leaving["intended_at"])),
        None if stop is None else ClientOrderId(str(stop["client_order_id"])),
        is_called_off=stop is not None and stop["state"] == "CANCELING",
    )


def _is_stop_beside(order: View, leaving: View) -> bool:
    is_same = order["position_id"] == leaving["position_id"]
    return is_same and order["role"] == "protective"
