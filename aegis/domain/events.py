"""Every fact that the log can hold, each with a stable name and a schema version.

Events are past tense, immutable, and never rewritten; an older schema is upcast when read.
An event's instant, actor, number and place in the chain belong to its record, not to it.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.event import BaseEvent
from aegis.domain.ids import (
    ClientOrderId,
    Coin,
    EventId,
    ExchangeOrderId,
    Generation,
    Instant,
    PositionId,
    Symbol,
)
from aegis.domain.instrument import Instrument
from aegis.domain.money import ZERO
from aegis.domain.order import Fill, OrderType, Role, Side
from aegis.domain.position import PositionSide, StopPolicy
from aegis.domain.restores import PositionDated, RecoveryCompleted, StoreRestored


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What an entry's intent says of the position that it is to open."""

    side: PositionSide
    created_by: str
    policy: StopPolicy
    instrument: Instrument


class OrderIntended(BaseEvent, frozen=True, kw_only=True):
    """An order was decided on; nothing was sent. `opening` is set on the entry that opens."""

    client_order_id: ClientOrderId
    symbol: Symbol
    role: Role
    side: Side
    type: OrderType
    amount: Decimal
    price: Decimal | None
    trigger_price: Decimal | None
    reduce_only: bool
    strategy: str
    reason: str
    decision_price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    opening: Opening | None


class OrderSubmitted(BaseEvent, frozen=True, kw_only=True):
    """All gates passed; whoever receives this answer, and nobody else, sends the order."""

    client_order_id: ClientOrderId


class OrderAccepted(BaseEvent, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId


class OrderOutcomeUnknown(BaseEvent, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class OrderFilled(BaseEvent, frozen=True, kw_only=True):
    """One trade of an order. `is_complete` when the order's whole amount is filled by it.

    `not_ours` is how much of an exit's trade no position of ours held: the owner's coins were sold.
    """

    client_order_id: ClientOrderId
    symbol: Symbol
    side: Side
    fill: Fill
    is_complete: bool
    not_ours: Decimal = ZERO


class OrderCancelRequested(BaseEvent, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str
    is_alone: bool = False  # a stop, and the books had no coins there but ours


class OrderCanceled(BaseEvent, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    filled: Decimal
    reason: str


class OrderRejected(BaseEvent, frozen=True, kw_only=True):
    """Refused: by a gate of ours before it was sent, or by the exchange."""

    client_order_id: ClientOrderId
    filled: Decimal
    reason: str


class OrderExpired(BaseEvent, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    filled: Decimal
    reason: str


class OrderNotPlaced(BaseEvent, frozen=True, kw_only=True):
    """Proven absent after the barrier, with a scan of the trades; a tombstone."""

    client_order_id: ClientOrderId
    reason: str


class OrderNeedsHuman(BaseEvent, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class PositionOpened(BaseEvent, frozen=True, kw_only=True):
    """The first fill of an entry; the stops are in force from here."""

    symbol: Symbol
    price: Decimal
    stop_price: Decimal | None
    take_profit_price: Decimal | None


class PositionImported(BaseEvent, frozen=True, kw_only=True):
    """A position came in with its coins, which cost nothing here and are worth `price` each."""

    symbol: Symbol
    opening: Opening
    strategy: str
    amount: Decimal
    entry_price: Decimal
    price: Decimal
    stop_price: Decimal | None
    take_profit_price: Decimal | None
    opened_at: Instant
    reference: str


class PositionMarked(BaseEvent, frozen=True, kw_only=True):
    """What one unit is worth; `high` and `low` are the best and worst bid since the last mark.

    Schema 2 brought the two; in older events they are None.
    """

    schema: int = 2
    price: Decimal
    high: Decimal | None = None
    low: Decimal | None = None


class StopRaised(BaseEvent, frozen=True, kw_only=True):
    stop_price: Decimal
    price: Decimal


class InstrumentChanged(BaseEvent, frozen=True, kw_only=True):
    """The exchange lists the symbol otherwise than the position had it; exits go by this."""

    instrument: Instrument


class DustSetAside(BaseEvent, frozen=True, kw_only=True):
    """What was left is too small to sell; its cost is booked to this trade."""

    coin: Coin
    amount: Decimal
    cost: Decimal


class PositionClosed(BaseEvent, frozen=True, kw_only=True):
    symbol: Symbol
    pnl: Decimal
    reason: str


class PositionVoided(BaseEvent, frozen=True, kw_only=True):
    symbol: Symbol
    reason: str


class PositionUnpriced(BaseEvent, frozen=True, kw_only=True):
    """Gone from the exchange without a fill to say at what price."""

    symbol: Symbol
    reason: str


class PositionTransferred(BaseEvent, frozen=True, kw_only=True):
    """A person says that coins of a position went elsewhere unsold, and their cost with them.

    Neither a gain nor a loss: `value`, what they were worth in quote, is forgotten by limits.
    """

    symbol: Symbol
    coin: Coin
    amount: Decimal
    cost: Decimal
    value: Decimal


class PositionRepriced(BaseEvent, frozen=True, kw_only=True):
    """What had closed unpriced was sold at `price` after all; `pnl` is the whole trade's."""

    symbol: Symbol
    price: Decimal
    pnl: Decimal
    reason: str


class BalancesStarted(BaseEvent, frozen=True, kw_only=True):
    """What the account held when this store first saw it."""

    balances: dict[Coin, Decimal]


class ExternalChangeSeen(BaseEvent, frozen=True, kw_only=True):
    """The owner's, or anybody else's, doing: recorded, told, never traded.

    `amount` is signed, in `coin`. `reference` names the exchange's order or trade, if any.
    `counts_as_equity` is true of the quote coin: limits then forget the change, as it is
    neither a gain nor a loss.
    """

    kind: str
    coin: Coin
    amount: Decimal
    reference: str
    note: str
    counts_as_equity: bool = False


class DayStarted(BaseEvent, frozen=True, kw_only=True):
    day_started_at: Instant
    equity: Decimal


class EquityPeaked(BaseEvent, frozen=True, kw_only=True):
    """The marked equity reached a new height, from where the drawdown is measured."""

    equity: Decimal


class TradingStateChanged(BaseEvent, frozen=True, kw_only=True):
    state: TradingState
    cause: str
    reason: str
    is_flattening: bool
    equity: Decimal | None


class Discrepancy(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between the store and the exchange, and what was done about it.

    `missing` is how much of the position's coins the exchange does not have. `locks` is the coin
    that an order of somebody else's keeps there; of all other differences it is left out. An
    orphan's position is one of which it may have sold coins.
    """

    kind: str
    symbol: Symbol | None
    subject: str
    expected: str
    found: str
    action: str
    is_healed: bool
    position_id: PositionId | None = None
    missing: Decimal | None = None
    locks: Coin | msgspec.UnsetType = msgspec.UNSET


class ReconciliationCompleted(BaseEvent, frozen=True, kw_only=True):
    """`as_of` is the instant of the exchange's account that was looked at, on its clock."""

    generation: Generation
    trigger: str
    exchange_positions: int
    local_positions: int
    discrepancies: tuple[Discrepancy, ...]
    is_dry_run: bool
    as_of: Instant | None = None


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one check of the diagnosis found. `status` is ok, finding, fixed or failed.

    `is_news` is false of what people were told already, and of what is not worth a word.
    """

    check: str
    status: str
    details: str
    is_news: bool = True


class DiagnosisCompleted(BaseEvent, frozen=True, kw_only=True):
    generation: Generation
    trigger: str
    checks: tuple[CheckResult, ...]


class AlarmRaised(BaseEvent, frozen=True, kw_only=True):
    """Something that people are told of before it is acted on."""

    check: str
    text: str


class StrategyArmed(BaseEvent, frozen=True, kw_only=True):
    """The strategy may enter. `taught_since`: each later close of a symbol was shown to it.

    Schema 1 had no `taught_since`.
    """

    schema: int = 2
    generation: Generation
    strategy: str
    taught_since: dict[Symbol, Instant] = msgspec.field(default_factory=dict)


Event = (
    OrderIntended
    | OrderSubmitted
    | OrderAccepted
    | OrderOutcomeUnknown
    | OrderFilled
    | OrderCancelRequested
    | OrderCanceled
    | OrderRejected
    | OrderExpired
    | OrderNotPlaced
    | OrderNeedsHuman
    | PositionOpened
    | PositionImported
    | PositionMarked
    | StopRaised
    | InstrumentChanged
    | DustSetAside
    | PositionClosed
    | PositionVoided
    | PositionUnpriced
    | PositionTransferred
    | PositionRepriced
    | PositionDated
    | BalancesStarted
    | ExternalChangeSeen
    | DayStarted
    | EquityPeaked
    | TradingStateChanged
    | ReconciliationCompleted
    | DiagnosisCompleted
    | AlarmRaised
    | StrategyArmed
    | StoreRestored
    | RecoveryCompleted
)

OrderEnding = OrderCanceled | OrderRejected | OrderExpired | OrderNotPlaced

EVENT_TYPES: dict[str, type[Any]] = {kind.__name__: kind for kind in Event.__args__}
"""Name in the log -> type. A name, once released, stays."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event in its place in the log. `version` counts the events of its position from 1."""

    event_id: EventId
    position_id: PositionId
    version: int
    actor: str
    at: Instant
    event: Event


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was decided on and is not yet in the log."""

    position_id: PositionId
    event: Event


def name_of(event: Event) -> str:
    """Return the name under which the log keeps an event."""
    return type(event).__name__
