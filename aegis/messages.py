"""What actors say to each other: one closed union per actor. The market's words are in `news`.

A message is never the truth, the log is; whoever receives one may have to look it up.
"""

from __future__ import annotations

from aegis.dialogue import ExchangeReplied, Message
from aegis.domain.book import Book
from aegis.domain.commands import Command, Quote, Reading, Refusal, ResolveOrder, ResolvePosition
from aegis.domain.delivery import Failed, Notice
from aegis.domain.events import CheckResult, Discrepancy, Recorded
from aegis.domain.findings import Trade
from aegis.domain.ids import ClientOrderId, EventId, Generation, Incarnation, Instant, Symbol
from aegis.domain.instrument import Instrument
from aegis.domain.judgement import Judgement
from aegis.domain.lives import Life, Taught
from aegis.domain.mends import Mend
from aegis.domain.order import Fill
from aegis.domain.venue import VenueAccount
from aegis.letters import ChannelDue, OutboxCheckDue, SendEnded
from aegis.news import CandleClosed, FeedStarted, HistoryRead, MarketMoved
from aegis.tuning import Reconfigured
from aegis.vitals import ArmingRead, NoteCalls, PricesRead, ReadVitals, TreeRead, Vitals, VitalsDue

# PositionStore ----------------------------------------------------------------------------


class Execute(Message, frozen=True, kw_only=True):
    """Make a command true. `reply_to` hears `Executed`; None when nobody needs to."""

    command: Command
    by: str
    reply_to: str | None = None


class Executed(Message, frozen=True, kw_only=True):
    """What came of a command: the new records (none when it was known), or the refusal."""

    command: Command
    records: tuple[Recorded, ...]
    refusal: Refusal | None


class ReadBook(Message, frozen=True, kw_only=True):
    """Ask for the book as of now. Everything told to the store before it is in the answer."""

    reply_to: str


class BookRead(Message, frozen=True, kw_only=True):
    """A book of the receiver's own, and what this process has seen completed so far."""

    book: Book
    incarnation: Incarnation
    reconciled: Generation
    diagnosed: Generation


class ReadKnown(Message, frozen=True, kw_only=True):
    """Ask what the store knows of orders and trades that the exchange has named."""

    client_order_ids: tuple[ClientOrderId, ...]
    trades: tuple[Trade, ...]
    reply_to: str


class KnownRead(Message, frozen=True, kw_only=True):
    """The book with those orders in it that the store knows, and the trades that are booked."""

    book: Book
    fills: dict[Trade, Fill]


class ReadPast(Message, frozen=True, kw_only=True):
    """Ask what a strategy was taught, and when positions in its symbols lived."""

    strategy: str
    symbols: tuple[Symbol, ...]
    reply_to: str


class PastRead(Message, frozen=True, kw_only=True):
    """As of the last commit; whoever heard is told of each later one."""

    taught: dict[Symbol, Taught]
    lives: tuple[Life, ...]


class ReadNotices(Message, frozen=True, kw_only=True):
    """Ask for the eldest notices that wait for a channel; the answer carries `turn` back."""

    channel: str
    limit: int
    turn: int
    reply_to: str


class MarkNotified(Message, frozen=True, kw_only=True):
    """Rows of the outbox that were told: event and channel."""

    told: tuple[tuple[EventId, str], ...]


class MarkNotifyFailed(Message, frozen=True, kw_only=True):
    """A row of the outbox that was tried in vain."""

    failed: Failed


class MendStore(Message, frozen=True, kw_only=True):
    """Do something to the store that is no event; `reply_to` hears `StoreMended`."""

    mend: Mend
    reply_to: str


class StoreMended(Message, frozen=True, kw_only=True):
    """It was done, or there was nothing left to do."""

    mend: Mend


StoreMessage = (
    Execute | ReadBook | ReadKnown | ReadPast | ReadNotices | MarkNotified
    | MarkNotifyFailed | MendStore | NoteCalls | Reconfigured
)  # fmt: skip


class Committed(Message, frozen=True, kw_only=True):
    """What just became durable, in order; told to whoever folds along."""

    records: tuple[Recorded, ...]


class NoticesAdded(Message, frozen=True, kw_only=True):
    """There is something in the outbox."""


class NoticesRead(Message, frozen=True, kw_only=True):
    """The eldest that wait for a channel, in order; none when nothing waits."""

    channel: str
    turn: int
    notices: tuple[Notice, ...]


# ExchangeGateway --------------------------------------------------------------------------


class ReadAccount(Message, frozen=True, kw_only=True):
    """Ask for a look at the account, after each order that is not settled was looked up."""

    trades_since: Instant
    reply_to: str


class AccountRead(Message, frozen=True, kw_only=True):
    """What the exchange showed, or None and why it did not."""

    account: VenueAccount | None
    reason: str


class LookAgain(Message, frozen=True, kw_only=True):
    """A timer of the gateway's own: look this order up, or tell people that it is out of sight."""

    client_order_id: ClientOrderId
    is_alarm: bool = False


class ReadQuote(Message, frozen=True, kw_only=True):
    """Ask the exchange itself for a price, where the feed is silent; Guard hears `QuoteRead`."""

    symbol: Symbol


class QuoteRead(Message, frozen=True, kw_only=True):
    symbol: Symbol
    quote: Quote


class ReadBalance(Message, frozen=True, kw_only=True):
    """Ask what there is of a symbol's coins; Guard hears `BalanceRead` where it is told in time."""

    symbol: Symbol


class BalanceRead(Message, frozen=True, kw_only=True):
    reading: Reading


class ReadInstruments(Message, frozen=True, kw_only=True):
    """Ask what can be traded; the answer comes as soon as the exchange has said it."""

    reply_to: str


class InstrumentsWanted(Message, frozen=True, kw_only=True):
    """A timer of the gateway's own: ask again what can be traded; `is_anew` where it was told."""

    is_anew: bool = False


GatewayMessage = (
    Committed | BookRead | Executed | ExchangeReplied | MarketMoved | ReadAccount | LookAgain
    | ReadBalance | ReadInstruments | ReadQuote | InstrumentsWanted
)  # fmt: skip


# Reconciler, Diagnostician ----------------------------------------------------------------


class ReconcileNow(Message, frozen=True, kw_only=True):
    """`reply_to` hears `ReconciliationReported` with the same `token` when this run ends."""

    trigger: str
    is_dry_run: bool = False
    reply_to: str | None = None
    token: int = 0


class ReconciliationReported(Message, frozen=True, kw_only=True):
    is_dry_run: bool
    discrepancies: tuple[Discrepancy, ...]
    token: int = 0
    unread: str = ""  # why there was none, where the account cannot be read


class SecondLook(Message, frozen=True, kw_only=True):
    """A timer of the Reconciler's own."""


ReconcilerMessage = (
    ReconcileNow | BookRead | AccountRead | KnownRead | Executed | SecondLook | Reconfigured
)  # fmt: skip


class DiagnoseNow(Message, frozen=True, kw_only=True):
    """`reply_to` hears `DiagnosisReported` with the same `token` when this run ends.

    `is_light` leaves out the look into files that takes seconds.
    """

    trigger: str
    is_dry_run: bool = False
    is_light: bool = False
    reply_to: str | None = None
    token: int = 0


class DiagnosisReported(Message, frozen=True, kw_only=True):
    checks: tuple[CheckResult, ...]
    token: int = 0


class Inspected(Message, frozen=True, kw_only=True):
    """What a look at everything but the book found."""

    judgements: tuple[Judgement, ...]


DiagnosticianMessage = (
    Committed | DiagnoseNow | BookRead | Inspected | StoreMended | Executed | Reconfigured
)


# Strategy, Guard, Notifier, CommandListener -----------------------------------------------


class InstrumentsKnown(Message, frozen=True, kw_only=True):
    """What can be traded, as the exchange says."""

    instruments: tuple[Instrument, ...]


class Beat(Message, frozen=True, kw_only=True):
    """A timer of a timed strategy."""

    symbol: Symbol


class HistoryWanted(Message, frozen=True, kw_only=True):
    """A timer of the Strategy's own: ask again for the history that did not come."""

    symbol: Symbol


class FeedCheckDue(Message, frozen=True, kw_only=True):
    """A timer of the Guard's own: see whether prices still come."""


class UnpricedDue(Message, frozen=True, kw_only=True):
    """A timer of the Guard's own: see whether who leaves waits for a price."""


class HeartbeatDue(Message, frozen=True, kw_only=True):
    """A timer of the Guard's own."""


StrategyMessage = (
    Committed | BookRead | PastRead | Executed | CandleClosed | HistoryRead | FeedStarted
    | InstrumentsKnown | Beat | HistoryWanted | ReadVitals | Reconfigured
)  # fmt: skip

GuardMessage = (
    Committed | BookRead | Executed | MarketMoved | QuoteRead | BalanceRead | CandleClosed
    | FeedCheckDue | FeedStarted | UnpricedDue | HistoryRead | HeartbeatDue | ReadVitals
    | Reconfigured
)  # fmt: skip


NotifierMessage = NoticesAdded | NoticesRead | SendEnded | ChannelDue | OutboxCheckDue


class ControlRequest(Message, frozen=True, kw_only=True):
    """A person's command from the control socket. `token` finds the waiting connection."""

    token: int
    command: str
    is_dry_run: bool = False
    resolve: ResolvePosition | ResolveOrder | None = None


class ControlReply(Message, frozen=True, kw_only=True):
    """`is_done` is false when the answer is no, `unread` says where the exchange is why."""

    token: int
    is_done: bool
    text: str
    unread: str = ""
    vitals: Vitals | None = None
    checks: tuple[CheckResult, ...] = ()


ListenerMessage = (
    ControlRequest | BookRead | Executed | ReconciliationReported | DiagnosisReported
    | TreeRead | PricesRead | ArmingRead | VitalsDue
)  # fmt: skip
