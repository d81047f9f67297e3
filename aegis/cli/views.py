"""Looks at a store: each command reads, shows, and returns the exit code. Nothing is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from aegis.cli.codes import Code
from aegis.cli.holdings import positions_table, with_figures
from aegis.cli.output import complain, shown_progress, table, tell, tell_json
from aegis.cli.wording import NOTHING, amount, counted, moment, no_store_at, price, shown
from aegis.config.model import Config
from aegis.store.errors import NoStore
from aegis.store.reading import (
    read_alive,
    read_fills,
    read_history,
    read_positions,
)
from aegis.store.verify import verify

EVENTS_SHOWN = 100
"""The latest events, where no position is named."""

EVENTS_OF_POSITION_MAX = 100_000
DETAIL_LENGTH_MAX = 120

View = Mapping[str, object]


def show_positions(config: Config, *, is_all: bool, is_json: bool) -> Code:
    """Show what is held, or every position that ever was."""
    path = config.store.path
    try:
        views = read_positions(path) if is_all else read_alive(path)
    except NoStore:
        return no_store(path, [], is_json=is_json)
    if is_json:
        tell_json([with_figures(view) for view in views])
    elif views:
        tell(positions_table(views, config.exchange.quote, is_closing_told=is_all))
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
        return no_store(path, [], is_json=is_json)
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
        no_store(path, empty, is_json=is_json)
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


def no_store(path: Path, empty: object, *, is_json: bool) -> Code:
    """Say that there is nothing yet; whoever reads JSON gets nothing in its usual shape."""
    line = no_store_at(path)
    if is_json:
        tell_json(empty)
        complain(line)
    else:
        tell(line)
    return Code.DONE


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
    return table(columns, rows, right=("Event",))


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
