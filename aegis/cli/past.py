"""`at`: how things were right after an event, or at a time; from the events alone."""

from __future__ import annotations

from decimal import Decimal

from aegis.cli.codes import Code
from aegis.cli.glance import ORDER_COLUMNS as ORDER_HEADS
from aegis.cli.glance import order_cells
from aegis.cli.holdings import positions_table, with_figures
from aegis.cli.output import complain, pairs, shown_progress, table, tell, tell_json
from aegis.cli.views import no_store
from aegis.cli.wording import balances, money
from aegis.config.model import Config
from aegis.domain.ids import Coin
from aegis.domain.instants import text_of
from aegis.domain.money import ZERO, text
from aegis.domain.points import Point
from aegis.domain.position import worth_of
from aegis.domain.risk import marked_equity
from aegis.store.errors import NoStore
from aegis.store.past import NotInLog, Past, order_view, position_view, read_past

SHOWN_MAX = 20
"""Positions, and orders, that fit into a look of a person's; JSON has all of them."""


def show_past(config: Config, point: Point, *, is_json: bool) -> Code:
    """Show positions, orders and balances as they were."""
    path = config.store.path
    try:
        with shown_progress("Folding") as progress:
            past = read_past(path, point, progress)
    except NoStore:
        no_store(path, None, is_json=is_json)
        return Code.NO
    if isinstance(past, NotInLog):
        complain(_outside(past, point))
        return Code.NO
    complain(*past.faults)
    quote = config.exchange.quote
    if is_json:
        tell_json(_json(past, quote))
    else:
        tell(_text(past, quote))
    return Code.DONE


def _outside(ends: NotInLog, point: Point) -> str:
    """Say which end of the log is the nearest to what was asked for."""
    if ends.first is None or ends.last is None:
        return "There is no event yet, so nothing was ever so"
    begins = ends.first.at if point.is_time else ends.first.event_id
    is_before = point.value < begins
    which, end = ("first", ends.first) if is_before else ("last", ends.last)
    side = "before" if is_before else "after"
    return f"That is {side} the {which} event: run.py at {end.event_id} ({text_of(end.at)})"


def _text(past: Past, quote: Coin) -> str:
    blocks = [pairs(_rows(past, quote))]
    if past.positions:
        views = [position_view(each) for each in past.positions[:SHOWN_MAX]]
        blocks.append(positions_table(views, quote))
    if past.orders:
        rows = [order_cells(order_view(order)) for order in past.orders[:SHOWN_MAX]]
        blocks.append(table(ORDER_HEADS, rows, right=("Amount", "Filled")))
    if max(len(past.positions), len(past.orders)) > SHOWN_MAX:
        blocks.append(f"The {SHOWN_MAX} eldest of each; --json has all of them")
    return "\n\n".join(blocks)


def _rows(past: Past, quote: Coin) -> list[tuple[str, str]]:
    account, equity = past.account, _equity(past, quote)
    why = f": {account.reason}" if account.reason else ""
    event = past.event
    coins = {quote: account.balances.get(quote, ZERO), **account.balances}
    rows = [
        ("After", f"event {event.event_id:,} at {text_of(event.at)}, hash {past.hash[:16]}"),
        ("Trading", f"{account.trading_state}{why}"),
        ("Balances", balances(coins) if account.has_balances else "not known yet"),
        ("Positions", f"{len(past.positions):,} open"),
        ("Orders", f"{len(past.orders):,} active"),
    ]
    if account.dust:
        rows.insert(3, ("Dust", balances(account.dust)))
    if equity is not None:
        rows.insert(2, ("Equity", f"{money(equity, quote)} {quote}, positions at their marks"))
    return rows


def _equity(past: Past, quote: Coin) -> Decimal | None:
    if not past.account.has_balances:
        return None
    return marked_equity(past.account, quote, map(worth_of, past.positions))


def _json(past: Past, quote: Coin) -> dict[str, object]:
    account, equity = past.account, _equity(past, quote)
    return {
        "event_id": past.event.event_id,
        "at": text_of(past.event.at),
        "hash": past.hash,
        "trading_state": account.trading_state,
        "cause": account.cause,
        "reason": account.reason,
        "is_flattening": account.is_flattening,
        "equity": None if equity is None else text(equity),
        "balances": {coin: text(much) for coin, much in account.balances.items()},
        "dust": {coin: text(much) for coin, much in account.dust.items()},
        "blocked": account.blocked,
        "positions": [with_figures(position_view(each)) for each in past.positions],
        "orders": [order_view(each) for each in past.orders],
        "events_folded": past.folded,
    }
