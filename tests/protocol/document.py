"""The tables of docs/protocol.md, as the code has them: moves of an order, and what is done when.

`python -m tests.protocol --tables` prints them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from aegis.dialogue import (
    HELD_BACK,
    CancelOrder,
    ExchangeAnswer,
    FetchAccount,
    FindOrder,
    NoAnswer,
    OrderFound,
    OrderNotFound,
    OrderPlaced,
    PlaceOrder,
    RequestRefused,
)
from aegis.domain.commands import EndOrder, IntendOrder, Refusal
from aegis.domain.events import OrderAccepted, OrderCancelRequested, OrderOutcomeUnknown
from aegis.domain.ids import ExchangeOrderId
from aegis.domain.order import TRANSITIONS, Order, OrderState, OrderStep, Side
from aegis.domain.venue import VenueOrderStatus
from aegis.exchange.heard import (
    AccountHeard,
    AlarmLater,
    AskLeave,
    CancelHeard,
    Declined,
    Doubt,
    Effect,
    FindHeard,
    Halted,
    Heard,
    Leave,
    LookDue,
    LookLater,
    LookWanted,
    Make,
    PlaceHeard,
    Send,
    StopTimer,
    TakenUp,
    TellLost,
    TellWaiting,
    Told,
    Watch,
)
from aegis.exchange.outcomes import AT_THE_EXCHANGE, since_of
from aegis.exchange.protocol import step
from tests.domain.kit import START, Desk, entry, opening
from tests.protocol.life import StillClock
from tests.protocol.venue import There, Venue, instant
from tests.protocol.world import PATIENCE

S = OrderState
ALIVE = (S.INTENT, S.SUBMITTING, S.UNKNOWN, S.NEEDS_HUMAN, S.OPEN, S.PARTIAL, S.CANCELING)
LOOKED_UP = ALIVE[2:]
LONG_PAST = 100  # seconds, of a barrier of 2.5

replace = msgspec.structs.replace

ORDER = replace(entry("2"), submitted_at=START)
KEY, X_ID = ORDER.client_order_id, ExchangeOrderId("x-0")
(INTENDED,) = (e for e in Desk().does(IntendOrder(order=ORDER, opening=opening())))
ACCEPTED = OrderAccepted(client_order_id=KEY, exchange_order_id=X_ID)
LOST = OrderOutcomeUnknown(client_order_id=KEY, reason="")
CANCELED = OrderCancelRequested(client_order_id=KEY, reason="")
MISSING = Refusal(code="fills_missing", text="", mends_with_time=True)


def moves_table() -> str:
    """Return each lawful move of an order's state, those with one end in one row."""
    moves: dict[tuple[OrderStep, OrderState], list[str]] = {}
    for (state, how), after in TRANSITIONS.items():
        moves.setdefault((how, after), []).append(state)
    rows = [f"| {how} | {', '.join(named)} | {after} |" for (how, after), named in moves.items()]
    return "\n".join(["| step | from | to |", "|---|---|---|", *rows])


def steps_table() -> str:
    """Return what is done at each thing that is heard; states that act alike are one row."""
    rows: list[str] = []
    for name, states, heard, watch in _cases():
        done: dict[str, list[str]] = {}
        for state in states:
            _, effects = step(_order(state), watch, heard, PATIENCE, StillClock(0))
            done.setdefault("; ".join(map(_word, effects)) or "nothing", []).append(state)
        rows.extend(f"| {name} | {', '.join(named)} | {what} |" for what, named in done.items())
    return "\n".join(["| heard | of an entry in | done |", "|---|---|---|", *rows])


def _order(state: OrderState) -> Order:
    is_there = state in AT_THE_EXCHANGE
    return replace(
        ORDER,
        state=state,
        submitted_at=None if state is S.INTENT else START,
        exchange_order_id=ExchangeOrderId("x-0") if is_there else None,
    )


def _word(effect: Effect) -> str:
    match effect:
        case AskLeave():
            return "ask leave of the store"
        case Send(request=PlaceOrder()):
            return "send it"
        case Send(request=CancelOrder()):
            return "send a cancel"
        case Send(request=FindOrder()):
            return "look it up"
        case Send(request=FetchAccount()):
            return "read the account"
        case Make(command=EndOrder(step=how)):
            return f"`EndOrder` ({how})"
        case Make(command=command):
            return f"`{type(command).__name__}`"
        case LookLater():
            return "set the timer"
        case AlarmLater():
            return "set the alarm"
        case StopTimer():
            return "stop the timer"
        case Doubt():
            return "have the books compared"
        case TellLost() | TellWaiting():
            return "tell people"
        case _:
            raise AssertionError(f"Expected an effect with a word, was {effect}")


Case = tuple[str, tuple[OrderState, ...], Heard, Watch]


def _cases() -> Iterator[Case]:
    """Yield each thing to hear, the states in which it can be, and what is remembered."""
    fresh, looking = Watch(), Watch(is_looking=True)
    yield "a life begins", ALIVE, TakenUp(), fresh
    yield "it was intended", (S.INTENT,), Told(event=INTENDED), fresh
    yield "it was submitted, and the leave is ours", (S.SUBMITTING,), Leave(at=START), fresh
    yield "it was accepted", (S.OPEN,), Told(event=ACCEPTED), fresh
    yield "its outcome is unknown", (S.UNKNOWN,), Told(event=LOST), fresh
    yield "a cancel was wanted", (S.CANCELING,), Told(event=CANCELED), fresh
    for name, answer in _answers_to_place():
        heard = PlaceHeard(client_order_id=KEY, answer=answer)
        yield f"placing: {name}", (S.SUBMITTING,), heard, fresh
    yield "cancelling: any answer, or none", LOOKED_UP, CancelHeard(), fresh
    for name, answer in _answers_to_find():
        yield f"look-up: {name}", LOOKED_UP, FindHeard(answer=answer), looking
    missed = replace(looking, missed_at=instant(LONG_PAST))
    late = OrderNotFound(client_order_id=KEY, as_of=instant(LONG_PAST + 10))
    yield "look-up: not found past it, a lag later", LOOKED_UP, FindHeard(answer=late), missed
    scanning = replace(missed, is_proving=True)
    for name, venue, is_second in _accounts():
        seen = venue.account(since_of(ORDER), now=200, orders_at=200, trades_at=200)
        heard_account = AccountHeard(asked_since=seen.trades_since, account=seen)
        watch = replace(scanning, is_missed_twice=is_second)
        yield f"account: {name}", LOOKED_UP, heard_account, watch
    yield "its timer", LOOKED_UP, LookDue(), fresh
    yield "the books are about to be compared", ALIVE, LookWanted(), fresh
    yield "a command of ours has to wait", LOOKED_UP, Declined(refusal=MISSING), fresh
    yield "entries are halted", ALIVE, Halted(), fresh


def _answers_to_place() -> Iterator[tuple[str, ExchangeAnswer]]:
    yield "an exchange id", OrderPlaced(client_order_id=KEY, exchange_order_id=X_ID)
    yield "a refusal from the list", RequestRefused(code="insufficient_funds", reason="")
    yield "it never left us", RequestRefused(code=HELD_BACK, reason="")
    yield "duplicate id", RequestRefused(code="duplicate_id", reason="")
    yield "anything else", NoAnswer(reason="")


def _answers_to_find() -> Iterator[tuple[str, ExchangeAnswer]]:
    there = There(0, KEY, Side.BUY, 2, 0)
    yield "open", OrderFound(order=there.told(), trades=())
    part = there.traded(0, 1)
    yield "open, with a new trade", OrderFound(order=part.told(), trades=part.told_trades())
    ended = part.ended(0, VenueOrderStatus.CANCELED)
    told = OrderFound(order=ended.told(), trades=ended.told_trades())
    yield "ended, with a new trade", told
    yield "not found before the barrier", OrderNotFound(client_order_id=KEY, as_of=START)
    past = OrderNotFound(client_order_id=KEY, as_of=instant(LONG_PAST))
    yield "not found past it", past
    yield "no answer", NoAnswer(reason="")


def _accounts() -> Iterator[tuple[str, Venue, bool]]:
    there = There(0, KEY, Side.BUY, 2, 0)
    yield "open there", Venue(0, (there,)), False
    part = there.traded(0, 1).ended(0, VenueOrderStatus.CANCELED)
    yield "a trade of it, and not open", Venue(0, (part,)), True
    yield "nothing of it", Venue(), False
    yield "nothing of it for the second time", Venue(), True
