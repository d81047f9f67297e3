"""An order of ours: what was intended, what the exchange said, and what may follow.

The transition table is data. Gateway, store and tests all run from it.

Invariants:
1. UNKNOWN is neither failed nor done; only evidence from the exchange ends it.
2. An order in an ended state leaves it only where the exchange shows it after all.
3. The fills of an order never exceed its amount, but where an exit went out twice under one id:
   a copy of the store has sent it too.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from aegis.domain.ids import ClientOrderId, Coin, ExchangeOrderId, Instant, PositionId, Symbol
from aegis.domain.money import ZERO, minus


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"  # rests until the price falls to its trigger, and then goes at market


class Role(StrEnum):
    ENTRY = "entry"
    EXIT = "exit"
    PROTECTIVE = "protective"  # rests on the exchange as a stop
    FORCED = "forced"  # the exchange's own: liquidation, settlement


class OrderState(StrEnum):
    INTENT = "INTENT"
    SUBMITTING = "SUBMITTING"
    UNKNOWN = "UNKNOWN"
    NEEDS_HUMAN = "NEEDS_HUMAN"
    OPEN = "OPEN"
    PARTIAL = "PARTIAL"
    CANCELING = "CANCELING"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    NOT_PLACED = "NOT_PLACED"


ENDED = frozenset({
    OrderState.FILLED,
    OrderState.CANCELED,
    OrderState.REJECTED,
    OrderState.EXPIRED,
    OrderState.NOT_PLACED,
})  # fmt: skip

UNSETTLED = frozenset({OrderState.SUBMITTING, OrderState.UNKNOWN, OrderState.NEEDS_HUMAN})
"""States in which nobody can say yet whether the exchange has the order."""


class OrderStep(StrEnum):
    """What can happen to an order after it was intended."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    LOSE_SIGHT = "lose sight"
    FILL = "fill"
    COMPLETE = "complete"
    WANT_CANCEL = "want cancel"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    PROVE_ABSENT = "prove absent"
    GIVE_UP = "give up"


_S = OrderState
_E = OrderStep

TRANSITIONS: dict[tuple[OrderState, OrderStep], OrderState] = {
    (_S.INTENT, _E.SUBMIT): _S.SUBMITTING,
    (_S.INTENT, _E.REJECT): _S.REJECTED,  # a gate of ours said no; it was never sent
    (_S.INTENT, _E.EXPIRE): _S.EXPIRED,  # found after a crash: it was never sent
    (_S.SUBMITTING, _E.ACCEPT): _S.OPEN,
    (_S.SUBMITTING, _E.REJECT): _S.REJECTED,
    (_S.SUBMITTING, _E.LOSE_SIGHT): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ACCEPT): _S.OPEN,
    (_S.UNKNOWN, _E.PROVE_ABSENT): _S.NOT_PLACED,
    (_S.UNKNOWN, _E.GIVE_UP): _S.NEEDS_HUMAN,
    (_S.NEEDS_HUMAN, _E.ACCEPT): _S.OPEN,
    (_S.NEEDS_HUMAN, _E.PROVE_ABSENT): _S.NOT_PLACED,
    (_S.NOT_PLACED, _E.ACCEPT): _S.OPEN,  # the tombstone speaks: adopt, cancel, alarm
    (_S.REJECTED, _E.ACCEPT): _S.OPEN,  # as are these, where the exchange shows it
    (_S.EXPIRED, _E.ACCEPT): _S.OPEN,
    (_S.CANCELED, _E.ACCEPT): _S.OPEN,
    (_S.OPEN, _E.FILL): _S.PARTIAL,
    (_S.PARTIAL, _E.FILL): _S.PARTIAL,
    (_S.CANCELING, _E.FILL): _S.CANCELING,
    (_S.OPEN, _E.COMPLETE): _S.FILLED,
    (_S.PARTIAL, _E.COMPLETE): _S.FILLED,
    (_S.CANCELING, _E.COMPLETE): _S.FILLED,
    (_S.FILLED, _E.COMPLETE): _S.FILLED,  # more than its amount
    (_S.OPEN, _E.WANT_CANCEL): _S.CANCELING,
    (_S.PARTIAL, _E.WANT_CANCEL): _S.CANCELING,
    (_S.OPEN, _E.CANCEL): _S.CANCELED,
    (_S.PARTIAL, _E.CANCEL): _S.CANCELED,
    (_S.CANCELING, _E.CANCEL): _S.CANCELED,
    (_S.OPEN, _E.REJECT): _S.REJECTED,
    (_S.PARTIAL, _E.REJECT): _S.REJECTED,
    (_S.CANCELING, _E.REJECT): _S.REJECTED,
    (_S.OPEN, _E.EXPIRE): _S.EXPIRED,
    (_S.PARTIAL, _E.EXPIRE): _S.EXPIRED,
    (_S.CANCELING, _E.EXPIRE): _S.EXPIRED,
}
"""Each lawful move; a pair that is absent is never taken."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order. `amount`, `filled` in base; `price`, `cost` and the quotes in quote.

    `trigger_price` is the level whose crossing made Guard want this exit: a venue that knows
    candles only fills there or worse; a real one ignores it on market orders. Of a stop that rests
    at the exchange it is where that fires.
    `reason` says why it was wanted, `end_reason` why it ended as it did.
    """

    client_order_id: ClientOrderId
    position_id: PositionId
    symbol: Symbol
    role: Role
    side: Side
    type: OrderType
    amount: Decimal
    strategy: str
    reason: str
    decision_price: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None
    reduce_only: bool = False
    state: OrderState = OrderState.INTENT
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    fees: dict[Coin, Decimal] = {}
    trade_ids: tuple[str, ...] = ()
    exchange_order_id: ExchangeOrderId | None = None
    intended_at: Instant = Instant(0)
    submitted_at: Instant | None = None
    unknown_at: Instant | None = None
    ended_at: Instant | None = None
    end_reason: str = ""

    @property
    def is_ended(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.state in ENDED

    @property
    def is_given_up(self) -> bool:
        """Whether it has ended short of its amount: where the exchange shows it, it is adopted."""
        return self.is_ended and self.state is not OrderState.FILLED

    @property
    def adds(self) -> bool:
        """Whether its fills make the position larger."""
        return self.role is Role.ENTRY

    @property
    def leaves(self) -> bool:
        """Whether somebody wants out by it, or was put out: a stop at the exchange only waits."""
        return self.role in (Role.EXIT, Role.FORCED)

    @property
    def only_waits(self) -> bool:
        """Whether it is a stop that rests at the exchange untouched: nothing of it is in flight."""
        return self.role is Role.PROTECTIVE and self.state is OrderState.OPEN

    @property
    def remaining(self) -> Decimal:
        """What may still fill, in base; UNKNOWN counts at full size."""
        return ZERO if self.is_ended else minus(self.amount, self.filled)


TOLD = "told"
"""The liquidity of a trade that a person tells of, and no exchange: its record is not asked."""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of one of our orders, as the exchange booked it."""

    trade_id: str
    amount: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: Coin
    liquidity: str
    filled_at: Instant
