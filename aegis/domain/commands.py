"""What the store can be asked to make true: one closed union, decided by `book.decide`.

Each command has a natural key (an order and a step, a position and a price), so that the
same command twice is one fact.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from aegis.domain.account import TradingState
from aegis.domain.events import CheckResult, Discrepancy, Opening
from aegis.domain.ids import (
    ClientOrderId,
    Coin,
    ExchangeOrderId,
    Generation,
    Incarnation,
    Instant,
    PositionId,
    Symbol,
)
from aegis.domain.instrument import Instrument
from aegis.domain.order import Fill, Order, OrderStep
from aegis.domain.venue import VenueOrder


class _Command(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The best prices of a symbol, in the quote coin, at an instant."""

    bid: Decimal
    ask: Decimal
    at: Instant


class Reading(_Command, frozen=True, kw_only=True):
    """What there was of a symbol's coins, as the exchange told, asked at an instant of ours."""

    symbol: Symbol
    base: Decimal
    quote: Decimal
    asked_at: Instant


class IntendOrder(_Command, frozen=True, kw_only=True):
    """`order` in state INTENT; `opening` with the entry that opens its position.

    `reading` is what an exit beside one that is out of sight is bounded by.
    """

    order: Order
    opening: Opening | None = None
    reading: Reading | None = None


class SubmitOrder(_Command, frozen=True, kw_only=True):
    """What the gateway sees as it asks for leave to send; neither binds an exit.

    `quote` is its fresh price, or None; `hold` says why entries must wait (the breaker). `reading`
    is its fresh look at the symbol's coins, or None. `silent_stop` is one that was called
    off, of which nobody has said anything while an exit waited for `second.SILENT_S`.
    """

    client_order_id: ClientOrderId
    quote: Quote | None
    hold: str | None = None
    reading: Reading | None = None
    silent_stop: ClientOrderId | None = None


class AcceptOrder(_Command, frozen=True, kw_only=True):
    """The exchange has an order; `takes_up_again`: it shows a trade of one that has ended here.

    Without that word the same acceptance after the end is one that came late, or twice.
    """

    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId
    takes_up_again: bool = False


class LoseSight(_Command, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class RecordFills(_Command, frozen=True, kw_only=True):
    """Trades of one order; those whose trade id is known change nothing.

    `takes_more`: the account bears out that an exit filled for more than its amount: it went out
    twice under one id.
    """

    client_order_id: ClientOrderId
    fills: tuple[Fill, ...]
    takes_more: bool = False


class RequestCancel(_Command, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class EndOrder(_Command, frozen=True, kw_only=True):
    """`step` is CANCEL, REJECT, EXPIRE or PROVE_ABSENT; `filled` is the exchange's cumulative."""

    client_order_id: ClientOrderId
    step: OrderStep
    filled: Decimal
    reason: str


class AskForHuman(_Command, frozen=True, kw_only=True):
    client_order_id: ClientOrderId
    reason: str


class BookForcedFills(_Command, frozen=True, kw_only=True):
    """Trades that reduced a position of ours and were no order of ours: the owner's, by hand.

    They become one order of role forced, whose id is made from them.
    """

    position_id: PositionId
    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId
    fills: tuple[Fill, ...]
    reason: str


class BookEntry(_Command, frozen=True, kw_only=True):
    """A trade that opened a position and was no order of ours: a person tells of it.

    It becomes one order of role entry. The policy says where stop and target are, unless told.
    """

    position_id: PositionId
    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId
    opening: Opening
    fill: Fill
    stop_price: Decimal | None
    take_profit_price: Decimal | None
    reason: str


class ImportPosition(_Command, frozen=True, kw_only=True):
    """A position that was opened elsewhere, and comes in with its coins.

    The policy says where stop and target are, unless told; `price` is what one unit is worth.
    """

    position_id: PositionId
    opening: Opening
    amount: Decimal
    entry_price: Decimal
    price: Decimal
    stop_price: Decimal | None
    take_profit_price: Decimal | None
    opened_at: Instant
    reference: str


class CloseUnpriced(_Command, frozen=True, kw_only=True):
    """A position is gone from an exchange that tells positions, and no trade says at what price.

    `amount` is what was held when that was seen: only then it is news.
    """

    position_id: PositionId
    amount: Decimal
    reason: str


class ResolvePosition(_Command, frozen=True, kw_only=True):
    """A person's word on what the exchange no longer has of a position, named by id or symbol.

    Sold at `price`; None: the coins went elsewhere unsold.
    """

    name: str
    price: Decimal | None


class ResolveOrder(_Command, frozen=True, kw_only=True):
    """A person's word on an order that no evidence can be had of: the exchange never took it."""

    client_order_id: ClientOrderId


class MarkPosition(_Command, frozen=True, kw_only=True):
    """`high` and `low` are the best and worst price at which one could get out since the last."""

    position_id: PositionId
    price: Decimal
    high: Decimal | None = None
    low: Decimal | None = None


class RaiseStop(_Command, frozen=True, kw_only=True):
    position_id: PositionId
    stop_price: Decimal
    price: Decimal


class ChangeInstrument(_Command, frozen=True, kw_only=True):
    """How the exchange lists the symbol of a position now."""

    position_id: PositionId
    instrument: Instrument


class StartBalances(_Command, frozen=True, kw_only=True):
    balances: dict[Coin, Decimal]


class RecordExternalChange(_Command, frozen=True, kw_only=True):
    """`before` is the expected balance that it was seen against: only there it is news."""

    kind: str
    coin: Coin
    amount: Decimal
    reference: str
    note: str
    before: Decimal | None = None


class StartDay(_Command, frozen=True, kw_only=True):
    day_started_at: Instant
    equity: Decimal


class RecordPeak(_Command, frozen=True, kw_only=True):
    equity: Decimal


class ChangeTradingState(_Command, frozen=True, kw_only=True):
    """`equity` is the marked equity at a `resume`, from where the drawdown counts anew."""

    state: TradingState
    cause: str
    reason: str
    is_flattening: bool = False
    equity: Decimal | None = None


class CompleteReconciliation(_Command, frozen=True, kw_only=True):
    generation: Generation
    trigger: str
    exchange_positions: int
    local_positions: int
    discrepancies: tuple[Discrepancy, ...]
    is_dry_run: bool = False
    as_of: Instant | None = None


class CompleteDiagnosis(_Command, frozen=True, kw_only=True):
    generation: Generation
    trigger: str
    checks: tuple[CheckResult, ...]


class RaiseAlarm(_Command, frozen=True, kw_only=True):
    """Tell people of something before it is acted on; `check` found it."""

    check: str
    text: str


class ArmStrategy(_Command, frozen=True, kw_only=True):
    generation: Generation
    strategy: str
    taught_since: dict[Symbol, Instant] = {}


class RecordRestore(_Command, frozen=True, kw_only=True):
    """This store was just put back from a backup; see `StoreRestored`."""

    backup: str
    events: int
    head_hash: str
    replaced: str
    replaced_events: int | None
    incarnation: Incarnation


class AdoptOrder(_Command, frozen=True, kw_only=True):
    """An order of ours that the exchange knows and a restored store has forgotten.

    `fills` are all its trades, eldest first. `position_id` and `opening` are for the position that
    it opens, where none is held in its symbol.
    """

    order: VenueOrder
    fills: tuple[Fill, ...]
    position_id: PositionId
    opening: Opening
    strategy: str


class CompleteRecovery(_Command, frozen=True, kw_only=True):
    orders: int
    fills: int
    left: tuple[str, ...]


Command = (
    IntendOrder
    | SubmitOrder
    | AcceptOrder
    | LoseSight
    | RecordFills
    | RequestCancel
    | EndOrder
    | AskForHuman
    | BookForcedFills
    | BookEntry
    | ImportPosition
    | CloseUnpriced
    | ResolvePosition
    | ResolveOrder
    | MarkPosition
    | RaiseStop
    | ChangeInstrument
    | StartBalances
    | RecordExternalChange
    | StartDay
    | RecordPeak
    | ChangeTradingState
    | CompleteReconciliation
    | CompleteDiagnosis
    | RaiseAlarm
    | ArmStrategy
    | RecordRestore
    | AdoptOrder
    | CompleteRecovery
)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A command was declined; the state is as before.

    `code` is the machine's word, `text` a person's. `mends_with_time` says whether waiting
    alone can make the same command pass.
    """

    code: str
    text: str
    mends_with_time: bool = False
