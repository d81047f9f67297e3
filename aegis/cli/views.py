"""Looks at a store: each command reads, shows, and returns the exit code. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from aegis import __version__
from aegis.cli.codes import Code
from aegis.cli.output import complain, pairs, shown_progress, table, tell, tell_json
from aegis.cli.wording import (
    NOTHING,
    amount,
    balances,
    counted,
    moment,
    money,
    price,
    shown,
)
from aegis.config.model import Config
from aegis.domain.ids import Coin
from aegis.domain.instants import text_of
from aegis.domain.money import minus, plus, text, times
from aegis.store.errors import NoStore
from aegis.store.reading import (
    StoreStatus,
    read_fills,
    read_history,
    read_positions,
    read_status,
)
from aegis.store.verify import verify

EVENTS_SHOWN = 100
"""The latest events, where no position is named."""

EVENTS_OF_POSITION_MAX = 100_000
DETAIL_LENGTH_MAX = 120

View = Mapping[str, object]


def show_status(config: Config, *, is_json: bool) -> Code:
    """Show the store at a glance."""
    path = config.store.path
    try:
        status = read_status(path)
    except NoStore:
        return _no_store(path, {"is_there": False, "store": str(path)}, is_json=is_json)
    if is_json:
        tell_json(_status_json(status))
        return Code.DONE
    tell(pairs(_status_rows(status)))
    if status.positions:
        tell("\n" + _positions_table(status.positions, config.exchange.quote))
    return Code.DONE


def show_positions(config: Config, *, is_all: bool, is_json: bool) -> Code:
    """Show what is held, or every position that ever was."""
    path = config.store.path
    try:
        views = read_positions(path)
    except NoStore:
        return _no_store(path, [], is_json=is_json)
    if not is_all:
        views = tuple(view for view in views if view["status"] not in {"CLOSED", "VOID"})
    if is_json:
        tell_json(views)
    elif views:
        tell(_positions_table(views, config.exchange.quote, is_closing_told=is_all))
    else:
        tell("No positions yet" if is_all else "No positions open")
    return Code.DONE


def show_history(
    config: Config, position_id: str | None, *, limit: int | None, is_json: bool
) -> Code:
    """Show the latest events, or all of one position and its fills."""
    path = config.store.path
    most = limit or (EVENTS_SHOWN if position_id is None else EVENTS_OF_POSITION_MAX)
    try:
        events = read_history(path, position_id, most)
        fills = () if position_id is None else read_fills(path, position_id)
    except NoStore:
        return _no_store(path, [], is_json=is_json)
    if position_id is not None and not events:
        complain(f"Expected the id of a position, as `positions --all` shows it: {position_id}")
        return Code.NO
    if is_json:
        tell_json(events)
        return Code.DONE
    tell(_events_table(events) if events else "No events yet")
    if fills:
        tell("\n" + _fills_table(fills))
    return Code.DONE


def show_verification(config: Config, *, is_json: bool) -> Code:
    """Prove the store, and show what was found."""
    path = config.store.path
    try:
        with shown_progress("Verifying") as progress:
            found = verify(path, progress=progress)
    except NoStore:
        nothing = {"check": "store", "text": f"no store at {path}"}
        empty = {"ok": False, "events": 0, "head_hash": "", "problems": [nothing]}
        _no_store(path, empty, is_json=is_json)
        return Code.NO  # nothing is proved
    if is_json:
        tell_json(found)
    elif found.ok:
        counts = (
            counted(found.events, "event"),
            counted(found.positions, "position"),
            counted(found.orders, "order"),
            counted(found.fills, "fill"),
        )
        tell(f"ok: {', '.join(counts)}; head {found.head_hash}")
    else:
        for problem in found.problems:
            tell(f"{problem.check}: {problem.text}")
        what = counted(len(found.problems), "problem")
        tell(f"not ok: {what} in {shown(path)}; proved up to event {found.events}")
    return Code.DONE if found.ok else Code.CORRUPT


def _no_store(path: Path, empty: object, *, is_json: bool) -> Code:
    """Say that there is nothing yet; whoever reads JSON gets nothing in its usual shape."""
    line = f"No store yet at {shown(path)}; start with: python run.py"
    if is_json:
        tell_json(empty)
        complain(line)
    else:
        tell(line)
    return Code.DONE


def _status_rows(status: StoreStatus) -> list[tuple[str, str]]:
    identity, account = status.identity.identity, status.account
    state = f"{account.trading_state}" + (f": {account.reason}" if account.reason else "")
    made_for = f"{identity.mode}, {identity.market}, {identity.account} at {identity.exchange}"
    dust = [("Dust", balances(account.dust))] if account.dust else []
    blocked = [("Blocked", f"no entries in {', '.join(account.blocked)}")] * bool(account.blocked)
    return [
        ("AEGIS", f"{__version__}, {_running(status.writer_pid)}"),
        ("Store", shown(Path(status.path))),
        ("Made for", made_for),
        ("Trading", state),
        *blocked,
        ("Balances", balances(account.balances) if account.has_balances else "not known yet"),
        *dust,
        ("Positions", f"{len(status.positions)} open"),
        ("Orders", f"{status.orders_active} active, {status.orders_unsettled} without an answer"),
        ("Reconciled", _reconciled(status.last_reconciliation)),
        ("Diagnosed", _diagnosed(status.last_diagnosis)),
        ("Outbox", counted(status.notices_pending, "notice") + " waiting"),
        ("Events", f"{status.events:,}, the last at {moment(status.last_event_at)}"),
        ("Head hash", status.head_hash),
    ]


def _status_json(status: StoreStatus) -> dict[str, object]:
    identity, account = status.identity, status.account
    return {
        "is_there": True,
        "is_running": status.writer_pid is not None,
        "pid": status.writer_pid,
        "store": status.path,
        **msgspec.to_builtins(identity.identity),
        "incarnation": identity.incarnation,
        "created_at": text_of(identity.created_at),
        "trading_state": account.trading_state,
        "cause": account.cause,
        "reason": account.reason,
        "is_flattening": account.is_flattening,
        "balances": _texts(account.balances),
        "dust": _texts(account.dust),
        "blocked": account.blocked,
        "orphans": account.orphans,
        "day_started_at": account.day_started_at and text_of(account.day_started_at),
        "day_start_equity": text(account.day_start_equity),
        "peak_equity": text(account.peak_equity),
        "positions": status.positions,
        "orders_active": status.orders_active,
        "orders_unsettled": status.orders_unsettled,
        "notices_pending": status.notices_pending,
        "quarantined": status.quarantined,
        "last_reconciliation": status.last_reconciliation,
        "last_diagnosis": status.last_diagnosis,
        "events": status.events,
        "last_event_at": status.last_event_at,
        "head_hash": status.head_hash,
    }


def _texts(coins: Mapping[Coin, Decimal]) -> dict[Coin, str]:
    return {coin: text(amount) for coin, amount in coins.items()}


def _running(pid: int | None) -> str:
    if pid is None:
        return "not running"
    return f"running as pid {pid}" if pid else "running"


def _reconciled(view: View | None) -> str:
    if view is None:
        return "never"
    found = view["discrepancies"]
    return f"{moment(view['timestamp'])}, {found} discrepancies, {view['status']}"


def _diagnosed(views: Sequence[View]) -> str:
    if not views:
        return "never"
    odd = [f"{view['check_type']} {view['status']}" for view in views if view["status"] != "ok"]
    what = ", ".join(odd) or f"all {len(views)} checks ok"
    return f"{moment(views[0]['timestamp'])}, {what}"


def _positions_table(views: Sequence[View], quote: Coin, *, is_closing_told: bool = False) -> str:
    figures = ("Amount", "Entry", "Mark", "Stop", "Target", "P&L")
    times_told = ("Opened", "Closed") if is_closing_told else ("Opened",)
    columns = ("Position", "Symbol", "Status", *figures, *times_told)
    rows = [
        (
            str(view["position_id"]),
            str(view["symbol"]),
            str(view["status"]),
            amount(view["amount"]),
            price(view["entry_price"]),
            price(view["current_price"]),
            price(view["stop_price"]),
            price(view["take_profit_price"]),
            money(_gain(view), quote),
            moment(view["opened_at"]),
            moment(view["closed_at"]),
        )[: len(columns)]
        for view in views
    ]
    return table(columns, rows, right=figures)


def _gain(view: View) -> str | None:
    """Return what a position has gained, with what is held counted at its last mark."""
    booked, mark = view["pnl"], view["current_price"]
    if booked is None or mark is None or view["status"] in {"CLOSED", "VOID"}:
        return None if booked is None else str(booked)
    worth = times(Decimal(str(view["amount"])), Decimal(str(mark)))
    return text(plus(minus(worth, Decimal(str(view["cost"]))), Decimal(str(booked))))


def _events_table(events: Sequence[View]) -> str:
    rows = [
        (
            str(view["event_id"]),
            moment(view["timestamp"]),
            str(view["position_id"]),
            str(view["event_type"]),
            str(view["actor"]),
            details(view["data"]),
        )
        for view in events
    ]
    columns = ("Event", "Time", "Position", "What", "Who", "Details")
    return table(columns, rows, right=("Event",), folded="Details")


def _fills_table(fills: Sequence[View]) -> str:
    rows = [
        (
            moment(view["filled_at"]),
            f"{view['role']} {view['side']}",
            amount(view["amount"]),
            price(view["price"]),
            f"{view['fee']} {view['fee_currency']}",
            str(view["trade_id"]),
        )
        for view in fills
    ]
    return table(
        ("Filled", "Order", "Amount", "Price", "Fee", "Trade"), rows, right=("Amount", "Price")
    )


def details(data: object, before: str = "") -> str:
    """Return what an event says in a few words: its plain fields, those of a part after it."""
    if not isinstance(data, Mapping):
        return NOTHING
    words = []
    for key, value in data.items():
        if isinstance(value, Mapping):
            words.append(details(value, f"{before}{key}."))
        elif key != "schema" and value not in (None, "", []):
            words.append(f"{before}{key}={_short(value)}")
    line = " ".join(word for word in words if word)
    return line if before or len(line) <= DETAIL_LENGTH_MAX else f"{line[:DETAIL_LENGTH_MAX]}..."


def _short(value: object) -> str:
    return f"[{len(value)}]" if isinstance(value, list) else str(value)
