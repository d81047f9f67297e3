"""`statistics`: what a store's trades and its equity have come to."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from aegis.cli.codes import Code
from aegis.cli.figures import (
    Rows,
    bin_name,
    exact_json,
    figures_json,
    money_rows,
    notes,
    risk_rows,
    share_row,
    time_rows,
    trade_rows,
)
from aegis.cli.output import pairs, shown_progress, table, tell, tell_json
from aegis.cli.summary import refused_rows
from aegis.cli.views import no_store
from aegis.cli.wording import NOTHING, counted, moment, size
from aegis.config.model import Config
from aegis.domain.ids import Coin, Instant
from aegis.domain.instants import text_of
from aegis.domain.money import ratio
from aegis.domain.statistics.path import DAY_NS
from aegis.domain.statistics.summary import Summary, summarize
from aegis.domain.statistics.trades import Share
from aegis.store.errors import NoStore
from aegis.store.measuring import Measures, read_measures
from aegis.store.reading import read_quote

DAYS_SHOWN = 31
"""The latest days on which a trade was closed; JSON has all of them."""


def show_statistics(config: Config, since: Instant, *, is_json: bool) -> Code:
    """Show the figures of what was closed since an instant, and of the equity since then."""
    path = config.store.path
    try:
        quote = read_quote(path) or config.exchange.quote
        with shown_progress("Reading") as progress:
            found = read_measures(path, quote, since=since, progress=progress)
    except NoStore:
        return no_store(path, {"is_there": False, "store": str(path)}, is_json=is_json)
    summary = summarize(found.closed, alive=found.alive, path=found.path)
    if is_json:
        tell_json(statistics_json(path, quote, found, summary))
    elif summary.trades:
        tell(_told(found, summary, quote))
    else:
        tell("No trades yet" + (f" since {moment(since)}" if since else ""))
        tell(pairs(store_rows(found)))
    return Code.DONE


def statistics_json(
    path: Path, quote: Coin, found: Measures, summary: Summary
) -> dict[str, object]:
    """Return all figures, exact."""
    return {
        "is_there": True,
        "store": str(path),
        "quote": quote,
        **_period_json(found),
        **figures_json(summary),
        "entries_refused": found.refused,
        "reconciliations": found.reconciliations,
        "reconciliations_a_day": exact_json(reconciliations_a_day(found)),
        "database_bytes": found.database_bytes,
        "events": found.events,
        "head_hash": found.head_hash,
        "notes": notes(summary),
    }


def reconciliations_a_day(found: Measures) -> Decimal | None:
    """Return how many there were a day; None below one day."""
    if found.begin_at is None or found.end_at is None or found.end_at - found.begin_at < DAY_NS:
        return None
    days = ratio(Decimal(found.end_at - found.begin_at), Decimal(DAY_NS))
    return ratio(Decimal(found.reconciliations), days)


def period(found: Measures) -> str:
    """Return from when to when, for people."""
    if found.begin_at is None:
        return NOTHING
    return f"{moment(found.begin_at)} to {moment(found.end_at)}"


def _period_json(found: Measures) -> dict[str, object]:
    ends = {"begin_at": found.begin_at, "end_at": found.end_at}
    return {name: None if at is None else text_of(at) for name, at in ends.items()}


def _told(found: Measures, summary: Summary, quote: Coin) -> str:
    """Return all of it for people: one table, a breakdown each, and what is not measured."""
    told = [
        pairs(
            [
                *_under("Trades", trade_rows(summary, quote)),
                *_under("Money", money_rows(summary, quote)),
                *_under("Risk", risk_rows(summary, quote)),
                *_under("Time", time_rows(summary)),
                *_under("Store", store_rows(found)),
            ]
        ),
        *(
            _breakdown(name, parts, quote)
            for name, parts in (
                ("By reason", summary.by_reason),
                ("By symbol", summary.by_symbol),
                ("By strategy", summary.by_strategy),
                ("By day", summary.by_day[-DAYS_SHOWN:]),
            )
        ),
    ]
    if summary.r_trades:
        bins = [(bin_name(each), f"{each.count:,}") for each in summary.r_histogram]
        told.append(table(("R-multiple", "Trades"), bins, right=("Trades",)))
    return "\n\n".join([*told, *notes(summary)])


def _under(title: str, rows: Rows) -> Rows:
    return [(title, ""), *((f"  {name}", value) for name, value in rows)]


def _breakdown(title: str, parts: Sequence[Share], quote: Coin) -> str:
    columns = (title, "Trades", "Won", f"P&L {quote}", f"Fees {quote}")
    return table(columns, [share_row(part, quote) for part in parts], right=columns[1:])


def store_rows(found: Measures) -> Rows:
    """Return what the store is, holds and takes."""
    identity, a_day = found.identity.identity, reconciliations_a_day(found)
    often = f", {a_day:.1f} a day" if a_day is not None else ""
    return [
        ("Made for", f"{identity.mode}, {identity.market}"),
        ("From", moment(found.begin_at)),
        ("To", moment(found.end_at)),
        ("Open now", counted(len(found.alive), "position")),
        *refused_rows(found.refused),
        ("Reconciliations", f"{found.reconciliations:,}{often}"),
        ("Size", f"{counted(found.events, 'event')}, {size(found.database_bytes)}"),
        ("Head hash", found.head_hash),
    ]
