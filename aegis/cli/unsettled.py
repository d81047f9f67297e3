"""What needs a person: each thing that is not as it should be, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from aegis.cli.wording import counted, moment
from aegis.domain.account import CANARY, Account, TradingState
from aegis.domain.foreign import ORPHANS_DO, told_orphans
from aegis.domain.ids import PositionId, Symbol
from aegis.domain.money import text
from aegis.domain.unsold import Unsold, told_unsold
from aegis.store.reading import StoreStatus
from aegis.store.unsent import told_unsent_in
from aegis.vitals import PricesRead

View = Mapping[str, object]

UNPRICED = "no stop can be due before one comes; look at the network and the exchange"

TOLD_ABOVE = frozenset({"exits", "differences"})
"""The checks whose findings are told as they are now, and not as the last diagnosis saw them."""


def to_settle(
    status: StoreStatus,
    *,
    is_silent: bool,
    exits_wait: str | None = None,
    is_key_taken: bool = False,
    prices: PricesRead | None = None,
    stale_after_s: float | None = None,
) -> Iterator[str]:
    """Yield what is not as it should be, the worst first, each with what to do about it.

    `is_silent` where a process that should answer questions does not. `exits_wait` says why the
    exchange takes no exit, where it is known to; `is_key_taken` that it takes the key. `prices`
    are what the process watches by, and `stale_after_s` is the age in seconds from which on one
    is overdue; None where none ever is.
    """
    if exits_wait is not None:
        yield (
            f"NO EXIT PASSES: {exits_wait}. A key is mended at the exchange or in its file (then "
            "kill -HUP), a ban or a limit ends by itself; until then sell by hand what cannot wait"
        )
    if prices is not None:
        yield from _unguarded(status.positions, prices, stale_after_s)
    for each in status.unsold:
        is_gone = each.position_id in status.account.unresolved
        advice = "its coins are gone, see below" if is_gone else _advice(each)
        yield f"{told_unsold(each)} ({counted(each.tries, 'try', 'tries')} so far); {advice}"
    yield from _orders_to_settle(status)
    yield from _differences_to_settle(status)
    yield from _exits_to_settle(status)
    yield from _halt_to_settle(status.account, is_key_taken=is_key_taken)
    for check in status.last_diagnosis:
        if check["status"] not in {"ok", "fixed"} and check["check_type"] not in TOLD_ABOVE:
            yield f"diagnosis, {check['check_type']}: {check['status']}: {check['details']}"
    for backlog in status.outbox:
        if backlog.error is not None:
            yield f"{backlog.channel} does not take notices: {backlog.error}"
    if status.quarantined:
        yield f"{counted(status.quarantined, 'event')} set aside: run.py verify says which"
    bare = len(status.positions) - status.stops_at_exchange
    if status.writer_pid is None and bare > 0:
        what = counted(bare, "position")
        yield f"nothing guards {what}: start it with: python run.py"
    if status.writer_pid is not None and is_silent:
        yield "the process does not answer: it is starting, stopping or stuck; see run.py health"


def _unguarded(
    held: Sequence[View], prices: PricesRead, stale_after_s: float | None
) -> Iterator[str]:
    """Yield what is held and cannot be left now: an exit that waits, a stop without a price."""
    for waiting, why in prices.waiting.items():
        yield f"{waiting}: an exit is due and waits: {why}"
    if stale_after_s is None:
        return
    for view in held:
        symbol = Symbol(str(view["symbol"]))
        last = prices.prices.get(symbol)
        if last is None:
            yield f"{symbol} is held, and had no price since the start: {UNPRICED}"
        elif last.age_s > stale_after_s:
            yield f"{symbol} is held, and had no price for {last.age_s:.0f} s: {UNPRICED}"


def _advice(unsold: Unsold) -> str:
    if unsold.is_untraded:
        return "if it is delisted, take the coins out by hand in time; then: run.py resolve"
    return "sell by hand what cannot wait"


def _orders_to_settle(status: StoreStatus) -> Iterator[str]:
    for view in status.orders:
        name, symbol = view["client_order_id"], view["symbol"]
        if view["state"] == "NEEDS_HUMAN":
            yield (
                f"order {name} needs you, {symbol} takes no entries: look for it at the exchange; "
                f"where it never was: run.py resolve {name} --never-placed"
            )
        elif view["state"] == "UNKNOWN":
            since = moment(view["unknown_at"])
            yield f"order {name} has no answer since {since}: wait, and never repeat it by hand"
        elif view["state"] == "CANCELING" and status.writer_pid is None:
            yield f"order {name} is to be called off, and may fill until AEGIS starts and does so"
        elif (view["state"], view["role"]) == ("INTENT", "exit") and status.writer_pid is not None:
            yield f"{told_unsent_in(status, view)}; if that lasts, end it there and sell by hand"


def _differences_to_settle(status: StoreStatus) -> Iterator[str]:
    account, asked = status.account, set()
    for view in status.positions:
        name = PositionId(str(view["position_id"]))
        if name in account.unresolved:
            asked.add(view["symbol"])
            yield (
                f"the exchange lacks {text(account.unresolved[name])} of {view['symbol']} "
                f"(position {name}), no entries there: say what became of them: "
                f"run.py resolve {name} --transferred | --closed-at PRICE"
            )
    symbols = ", ".join(symbol for symbol in account.blocked if symbol not in asked)
    if symbols:
        how = "run.py reconcile --dry-run says how, and what to do"
        yield f"{symbols} differs from the exchange, no entries there: {how}"
    if account.orphans:
        yield f"{told_orphans(account.orphans)}: {ORPHANS_DO}"


def _exits_to_settle(status: StoreStatus) -> Iterator[str]:
    """Yield which exits wait until it is known whose coins are there."""
    account, held = status.account, status.positions
    doubted = [
        str(view["symbol"])
        for view in held
        if account.is_doubted(PositionId(str(view["position_id"])))
    ]
    if doubted:
        yield (
            f"what this store does not know may have sold what it holds of {', '.join(doubted)}: "
            "no exit goes before run.py recover, AEGIS stopped"
        )
    elif account.restored_at is not None and held and not account.orphans:
        yield (
            "the store was restored: no exit goes before the books are compared with the "
            "exchange's, by run.py reconcile or a start"
        )


def _halt_to_settle(account: Account, *, is_key_taken: bool) -> Iterator[str]:
    if account.is_flattening:
        yield "flatten is under way while AEGIS runs; where it does not: python run.py flatten"
    elif account.trading_state is TradingState.ACTIVE:
        return
    elif account.cause == "daily_loss":
        yield "no entries until the next day starts"
    elif account.cause == "strategy":
        yield "no entries: mend the strategy, start again, then: python run.py resume"
    elif account.cause == CANARY:
        yield (
            "no entries: the canary is over: raise live.canary_orders, or set it to 0, start "
            "again, then: python run.py resume"
        )
    elif account.cause == "key_denied" and is_key_taken:
        yield "no entries: the exchange denied the key, which it takes again: python run.py resume"
    elif account.cause == "key_denied":
        yield (
            "no entries, and no exit passes, while the exchange denies the key: mend it there or "
            "in its file, kill -HUP or start again, then: python run.py resume"
        )
    else:
        yield "no entries until: python run.py resume"
