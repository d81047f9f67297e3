"""AEGIS at a glance: what its store and its process say, as rows for people and as exact JSON.

Pure: the status, the process's vitals and the settings are handed in. Nothing is left out for
being unpleasant: what needs a person stands under "To settle", with what to do about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby

import msgspec

from aegis import __version__
from aegis.archive.shelf import Backup
from aegis.cli.calling import as_called
from aegis.cli.holdings import with_figures, worth_of
from aegis.cli.unsettled import to_settle
from aegis.cli.wording import amount, balances, counted, moment, money, percent, price, span
from aegis.config.model import Config
from aegis.domain.account import Account
from aegis.domain.ids import NANOS_PER_SECOND, Coin, Instant
from aegis.domain.instants import instant_of, text_of
from aegis.domain.money import negative, text
from aegis.domain.risk import Losses, losses_of, marked_equity
from aegis.store.housekeeping import CallsNoted
from aegis.store.outbox import Backlog
from aegis.store.reading import StoreStatus
from aegis.vitals import Part, Vitals

View = Mapping[str, object]
Rows = list[tuple[str, str]]

RUNNING = "running"
HASH_DIGITS_SHOWN = 16


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """A store at one moment, and the process that has it, if one answered."""

    status: StoreStatus
    vitals: Vitals | None
    config: Config
    shown_path: str
    backup: Backup | None = None

    @property
    def account(self) -> Account:
        return self.status.account

    @property
    def quote(self) -> Coin:
        return self.config.exchange.quote

    @property
    def equity(self) -> Decimal | None:
        """What is owned in the quote coin, positions at their marks; None before it is known."""
        if not self.account.has_balances:
            return None
        return marked_equity(self.account, self.quote, map(worth_of, self.status.positions))

    def losses_at(self, equity: Decimal | None) -> Losses | None:
        """Return how far the limits are used up at an equity; None before there is one."""
        if equity is None:
            return None
        return losses_of(self.account, equity, self.config.risk.drawdown_max_pct)


# For people ---------------------------------------------------------------------------------


def rows_of(glance: Glance) -> Rows:
    """Return what is so, one fact a row; what is not there has no row."""
    status, account, identity = glance.status, glance.account, glance.status.identity.identity
    made_for = f"{identity.mode}, {identity.market}, {identity.account} at {identity.exchange}"
    head = status.head_hash[:HASH_DIGITS_SHOWN]
    return [
        ("AEGIS", f"{__version__}, {_process(glance)}"),
        ("Made for", made_for),
        ("Store", glance.shown_path),
        ("Trading", _trading(account)),
        *(("Armed", line) for line in _armed(glance)),
        *(("Market", line) for line in _market(glance)),
        *(("Exchange", line) for line in _exchange(glance)),
        *([("Calls", told_calls(status.last_calls))] if status.last_calls is not None else []),
        *_tree(glance),
        *_equity(glance),
        ("Balances", balances(account.balances) if account.has_balances else "not known yet"),
        *([("Dust", balances(account.dust))] if account.dust else []),
        ("Reconciled", _reconciled(status.last_reconciliation)),
        ("Diagnosed", _diagnosed(status.last_diagnosis)),
        *_named("Notices", _notices(status)),
        ("Backup", _backup(glance)),
        ("Events", f"{status.events:,}, the last at {moment(status.last_event_at)}, head {head}"),
        ("Positions", f"{len(status.positions):,} open"),
        (
            "Orders",
            f"{status.orders_active:,} active, {status.orders_unsettled:,} without an answer",
        ),
        *_named("To settle", list(_to_settle(glance)) or ["nothing"]),
    ]


def order_cells(view: View) -> tuple[str, ...]:
    """Return an order that has not ended as cells; see ORDER_COLUMNS."""
    return (
        str(view["client_order_id"]),
        str(view["symbol"]),
        str(view["state"]),
        f"{view['role']} {view['side']}",
        amount(view["amount"]),
        amount(view["filled"]),
        moment(view["intended_at"]),
    )


ORDER_COLUMNS = ("Order", "Symbol", "State", "What", "Amount", "Filled", "Intended")


def _to_settle(glance: Glance) -> Iterator[str]:
    vitals, market = glance.vitals, glance.config.market
    exchange = None if vitals is None else vitals.exchange
    lines = to_settle(
        glance.status,
        is_silent=vitals is None and market.speed > 0,
        exits_wait=None if exchange is None else exchange.exits_wait,
        is_key_taken=exchange is not None and exchange.hold is None and not exchange.exits_wait,
        prices=None if vitals is None else vitals.prices,
        stale_after_s=market.stale_after_s if market.source == "exchange" else None,
    )
    return map(as_called, lines)


def _named(name: str, lines: Sequence[str]) -> Rows:
    return [("" if number else name, line) for number, line in enumerate(lines)]


def _process(glance: Glance) -> str:
    pid = glance.status.writer_pid
    if pid is None:
        return "not running"
    answers = "" if glance.vitals is not None else ", does not answer"
    return f"running as pid {pid}{answers}" if pid else f"running{answers}"


def _trading(account: Account) -> str:
    why = f": {account.reason}" if account.reason else ""
    return f"{account.trading_state}{why}"


def _armed(glance: Glance) -> Iterator[str]:
    vitals = glance.vitals
    if vitals is None:
        return
    if vitals.arming is None:
        state = next((p.state for p in _parts(vitals) if p.name == "Strategy"), "not there")
        yield f"no: the strategy does not answer, it is {state}"
    elif vitals.arming.is_armed:
        yield f"yes, {glance.config.strategy.name}"
    else:
        yield f"no: it waits for {vitals.arming.waits_for}"


def _exchange(glance: Glance) -> Iterator[str]:
    """Tell how the way to a real exchange is: what holds entries, and lanes that rest or queue."""
    exchange = None if glance.vitals is None else glance.vitals.exchange
    if exchange is None:
        return
    told = ["answers"]
    if exchange.exits_wait is not None:
        told = [f"no exit passes: {exchange.exits_wait}"]
    elif exchange.hold is not None:
        told = [f"entries wait: {exchange.hold}"]
    if exchange.offset_s is not None:
        told.append(f"its clock is {exchange.offset_s:+.1f} s from ours")
    for lane in exchange.lanes:
        if lane.breaker != "closed":
            told.append(f"{lane.name} {lane.breaker.replace('_', ' ')}")
        if lane.waiting:
            told.append(f"{counted(lane.waiting, 'call')} waiting for {lane.name}")
    yield "; ".join(told)


def told_calls(noted: CallsNoted) -> str:
    """Tell how calls fared, and which kind took longest."""
    calls = noted.note.calls
    count, failed = sum(each.count for each in calls), sum(each.failed for each in calls)
    text = f"{counted(count, 'call')} in {noted.note.interval_s} s until {moment(noted.at)}"
    if failed:
        worst = max(calls, key=lambda each: each.failed)
        text += f", {failed} failed, {worst.call} last of {worst.last_error}"
    if calls:
        slowest = max(calls, key=lambda each: each.ms_max)
        text += f"; slowest {slowest.call} {slowest.ms_max} ms"
    return text


def _market(glance: Glance) -> Iterator[str]:
    vitals = glance.vitals
    if vitals is None or vitals.prices is None:
        return
    prices = vitals.prices.prices
    if not prices:
        yield "no price yet"
        return
    stale_s = glance.config.market.stale_after_s
    told = []
    for symbol, last in prices.items():
        stale = f", stale after {stale_s:g} s" if last.age_s > stale_s else ""
        told.append(f"{symbol} {price(last.bid)} ({last.age_s:.1f} s ago{stale})")
    yield "; ".join(told)


def _parts(vitals: Vitals) -> tuple[Part, ...]:
    return () if vitals.tree is None else vitals.tree.parts


def _tree(glance: Glance) -> Rows:
    parts = () if glance.vitals is None else _parts(glance.vitals)
    branches = groupby(parts, key=lambda part: part.branch)
    return _named("Actors", ["; ".join(map(_part, each)) for _, each in branches])


def _part(part: Part) -> str:
    restarts = f", {counted(part.restarts, 'restart')}" if part.restarts else ""
    return f"{part.name} {part.state}{restarts}"


def _equity(glance: Glance) -> Rows:
    equity, quote = glance.equity, glance.quote
    losses = glance.losses_at(equity)
    if equity is None:
        return []
    rows = [("Equity", f"{money(equity, quote)} {quote}, positions at their marks")]
    if losses is not None:
        limit = money(glance.config.risk.daily_loss_max, quote)
        rows += [
            ("Today", f"{money(negative(losses.of_day), quote)} {quote}; at {limit} lost it halts"),
            ("Drawdown", _drawdown(losses, glance.config, quote)),
        ]
    return rows


def _drawdown(losses: Losses, config: Config, quote: Coin) -> str:
    limit = f"{money(losses.drawdown_max, quote)} ({percent(config.risk.drawdown_max_pct)})"
    return f"{money(losses.drawdown, quote)} {quote} below the highest; at {limit} it halts"


def _reconciled(view: View | None) -> str:
    if view is None:
        return "never"
    found = view["discrepancies"]
    what = "discrepancy" if found == 1 else "discrepancies"
    return f"{moment(view['timestamp'])}, {found} {what}, {view['status']}"


def _backup(glance: Glance) -> str:
    """Tell how far the last good one goes, and how much came after it."""
    if glance.backup is None:
        return as_called("none yet; make one with: python run.py backup")
    manifest, status = glance.backup.manifest, glance.status
    until = moment(manifest.last_event_at)
    behind = status.events - manifest.events
    if behind <= 0 or status.last_event_at is None:
        return f"until {until}, all there is"
    age_ns = instant_of(status.last_event_at) - manifest.last_event_at
    return (
        f"until {until}, {counted(behind, 'event')} and {span(age_ns // NANOS_PER_SECOND)} behind"
    )


def _diagnosed(views: Sequence[View]) -> str:
    if not views:
        return "never"
    odd = [f"{view['check_type']} {view['status']}" for view in views if view["status"] != "ok"]
    what = ", ".join(odd) or f"all {len(views)} checks ok"
    return f"{moment(views[0]['timestamp'])}, {what}"


# For machines -------------------------------------------------------------------------------


def json_of(glance: Glance) -> dict[str, object]:
    """Return everything, figures as exact texts; seconds are numbers."""
    status, account, identity = glance.status, glance.account, glance.status.identity
    equity = glance.equity
    losses = glance.losses_at(equity)
    return {
        "is_there": True,
        "is_running": status.writer_pid is not None,
        "pid": status.writer_pid,
        "is_answering": glance.vitals is not None,
        "vitals": None if glance.vitals is None else msgspec.to_builtins(glance.vitals),
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
        "equity": None if equity is None else text(equity),
        "day_pnl": None if losses is None else text(negative(losses.of_day)),
        "daily_loss_max": text(glance.config.risk.daily_loss_max),
        "drawdown": None if losses is None else text(losses.drawdown),
        "drawdown_max": None if losses is None else text(losses.drawdown_max),
        "positions": tuple(with_figures(view) for view in status.positions),
        "orders": status.orders,
        "orders_active": status.orders_active,
        "orders_unsettled": status.orders_unsettled,
        "unsold": msgspec.to_builtins(status.unsold),
        "notices_pending": status.notices_pending,
        "outbox": [_by_name(each) for each in status.outbox],
        "quarantined": status.quarantined,
        "last_reconciliation": status.last_reconciliation,
        "last_diagnosis": status.last_diagnosis,
        "last_calls": msgspec.to_builtins(status.last_calls),
        "last_backup": None if glance.backup is None else backup_json(glance.backup),
        "events": status.events,
        "last_event_at": status.last_event_at,
        "head_hash": status.head_hash,
        "to_settle": tuple(_to_settle(glance)),
    }


def _notices(status: StoreStatus) -> list[str]:
    """Tell how many notices wait, and what keeps each channel from taking its own."""
    lines = [f"{status.notices_pending:,} waiting"]
    for each in status.outbox:
        waits = f"{each.channel}: {each.pending:,} since {moment(each.eldest_at)}"
        tries = counted(each.attempts, "try", "tries")
        lines.append(waits if each.error is None else f"{waits}, {tries}, the last {each.error}")
    return lines


def backup_json(backup: Backup) -> dict[str, object]:
    """Return what a backup is, and how far it goes."""
    manifest = backup.manifest
    return {
        "folder": str(backup.folder),
        "made_at": manifest.made_at,
        "last_event_at": text_of(Instant(manifest.last_event_at)),
        "events": manifest.events,
        "head_hash": manifest.head_hash,
    }


def _by_name(backlog: Backlog) -> dict[str, object]:
    return {name: getattr(backlog, name) for name in backlog.__struct_fields__}


def _texts(coins: Mapping[Coin, Decimal]) -> dict[Coin, str]:
    return {coin: text(much) for coin, much in coins.items()}
