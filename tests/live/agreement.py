"""Whether a store and the local exchange's ledger agree: every order known, all to the last digit.

The ledger is told as the paper exchange tells its own, so that both are held to one standard.
"""

from __future__ import annotations

from decimal import Decimal

from aegis.domain.ids import Coin, ExchangeOrderId, Instant, Symbol, TradeId
from aegis.domain.order import OrderType, Side
from aegis.domain.venue import VenueOrder, VenueOrderStatus, VenueTrade
from aegis.exchange.paper_ledger import LedgerView
from tests.crash.evidence import Evidence, differing, unlawful
from tests.exchange_server.ledger import LedgerReader
from tests.exchange_server.shapes import LISTINGS, Fill, Order, Status

STATUSES = {
    Status.FILLED: VenueOrderStatus.FILLED,
    Status.CANCELED: VenueOrderStatus.CANCELED,
    Status.REJECTED: VenueOrderStatus.REJECTED,
    Status.EXPIRED: VenueOrderStatus.EXPIRED,
}


def agrees(store: Evidence, ledger: LedgerView) -> tuple[str, ...]:
    """Return in what a store at rest does not agree with the exchange; nothing where it does."""
    return (*unlawful(store, ledger), *differing(store, ledger))


def view_of(ledger: LedgerReader) -> LedgerView:
    """Return what the exchange has of the account that came by our key, and all its balances."""
    ours = [order for order in ledger.orders() if order.maker == "api"]
    sent = {order.trades_as for order in ours}
    return LedgerView(
        balances={Coin(coin): amount for coin, amount in ledger.balances().items()},
        start_balances={},
        orders=tuple(_order(order) for order in ours),
        trades=tuple(_trade(fill) for fill in ledger.fills() if fill.order_id in sent),
    )


def _order(order: Order) -> VenueOrder:
    return VenueOrder(
        exchange_order_id=ExchangeOrderId(order.order_id),
        client_order_id=order.client_oid,
        symbol=_symbol(order.instrument),
        side=Side(order.side.lower()),
        type=OrderType("stop" if order.is_trigger else order.type.lower()),
        amount=order.quantity,
        price=order.limit_price,
        filled=order.filled,
        status=STATUSES.get(order.status, VenueOrderStatus.OPEN),
        reason="",
        created_at=Instant(order.created_at),
    )


def _trade(fill: Fill) -> VenueTrade:
    return VenueTrade(
        trade_id=TradeId(fill.trade_id),
        exchange_order_id=ExchangeOrderId(fill.order_id),
        client_order_id=fill.client_oid,
        symbol=_symbol(fill.instrument),
        side=Side(fill.side.lower()),
        amount=fill.quantity,
        price=fill.price,
        fee=Decimal(fill.fee),
        fee_currency=Coin(fill.fee_coin),
        liquidity=fill.liquidity.lower(),
        at=Instant(fill.filled_at),
    )


def _symbol(instrument: str) -> Symbol:
    listing = LISTINGS[instrument]
    return Symbol(f"{listing.base}/{listing.quote}")
