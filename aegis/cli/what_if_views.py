"""What a what-if found, as rows and tables for people and as exact JSON. Pure, but for telling."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from aegis.cli.figures import rounded, sum_of
from aegis.cli.output import pairs, table, tell, tell_json
from aegis.cli.wording import NOTHING, counted, moment, money, price
from aegis.domain.contrast import Intent, Pair, PairKind, Stray, exit_price
from aegis.domain.events import Recorded, name_of
from aegis.domain.ids import Coin
from aegis.domain.instants import text_of
from aegis.domain.money import text
from aegis.domain.narrate import describe
from aegis.domain.position import Position
from aegis.domain.statistics.summary import Summary, summarize
from aegis.domain.way import Way, symbols_of
from aegis.store.comparing import Difference

KINDS = {
    PairKind.SAME: "same",
    PairKind.CHANGED: "changed",
    PairKind.ORIGINAL_ONLY: "only in the original",
    PairKind.WHAT_IF_ONLY: "only in the what-if",
}


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two lives of one market. `is_reproduced` is None where other settings were tried.

    `parting` is where they part: an event, or a decision. `original` and `other` are the trades
    that were opened on the way, as they stood at its end.
    """

    quote: Coin
    way: Way
    candles: int
    changes: tuple[str, ...]
    is_reproduced: bool | None
    parting: Difference | Stray | None
    decisions: int
    events: int
    head_hash: str
    original: tuple[Position, ...]
    other: tuple[Position, ...]
    pairs: tuple[Pair, ...]


def tell_compared(compared: Compared, *, is_json: bool) -> None:
    """Show what was found."""
    if is_json:
        tell_json(compared_json(compared))
        return
    tell(pairs(list(_rows(compared))))
    tell("\n" + _totals(compared))
    differing = [pair for pair in compared.pairs if pair.kind is not PairKind.SAME]
    if differing:
        tell("\n" + _trades(differing, compared.quote))


def _rows(compared: Compared) -> Iterator[tuple[str, str]]:
    way = compared.way
    first, last = way.legs[0], way.legs[-1]
    symbols = ", ".join(symbols_of(last))
    end = way.end or last.ends_at
    span = f"{moment(first.begins_at)} to {moment(end)}"
    yield "Recorded", f"{span}, {symbols}, {counted(compared.candles, 'candle')}"
    yield from (("Tried", change) for change in compared.changes)
    if compared.is_reproduced is None:
        if not compared.changes:
            yield "Tried", "what is set already"
    elif compared.is_reproduced:
        yield "Reproduced", f"yes, {_what_is_equal(compared)}"
    else:
        yield from _parting_rows(compared.parting)
    yield from (("Note", note) for note in way.notes)
    counts = Counter(pair.kind for pair in compared.pairs)
    told = ", ".join(f"{counts[kind]:,} {name}" for kind, name in KINDS.items() if counts[kind])
    yield "Trades", told or "none on either side"


def _what_is_equal(compared: Compared) -> str:
    way = compared.way
    if way.is_repeatable and way.begin is None and way.end is None:
        return f"all {compared.events:,} events, head hash {compared.head_hash}"
    if way.is_repeatable and way.begin is None:
        return "each event up to the end of what is recorded"
    if not compared.decisions:
        return "nothing was decided"
    return f"all {counted(compared.decisions, 'decision')}"


def _parting_rows(parting: Difference | Stray | None) -> Iterator[tuple[str, str]]:
    match parting:
        case Difference(event_id=event_id):
            yield "Reproduced", f"no, from event {event_id} on"
            yield "  original", _event_text(parting.original)
            yield "  what if", _event_text(parting.other)
        case Stray(original=original, other=other):
            at = "after its last decision" if original is None else f"event {original.event_id}"
            yield "Reproduced", f"no, it decides otherwise from {at} on"
            yield "  original", _intent_text(original)
            yield "  what if", _intent_text(other)


def _event_text(recorded: Recorded | None) -> str:
    if recorded is None:
        return "has ended"
    _, fields = describe(recorded)
    told = " ".join(f"{key}={value}" for key, value in fields.items())
    return f"{name_of(recorded.event)} by {recorded.actor} {told}"


def _intent_text(intent: Intent | None) -> str:
    if intent is None:
        return "decides nothing more"
    return (
        f"{intent.role} of {intent.symbol} at {text_of(intent.at)[:19]}, {text(intent.amount)}, "
        f"because of {intent.reason}"
    )


def _totals(compared: Compared) -> str:
    quote = compared.quote
    sides = [_summary(positions) for positions in (compared.original, compared.other)]
    lines = (
        ("Trades", [f"{each.trades:,}" for each in sides]),
        ("Win rate", [rounded(each.win_rate_pct, " %") for each in sides]),
        ("Total P&L", [sum_of(each.pnl_total, quote) for each in sides]),
        ("Fees (in the P&L)", [sum_of(each.fees, quote) for each in sides]),
        ("Profit factor", [rounded(each.profit_factor) for each in sides]),
        ("Left open", [f"{each.open_left:,}" for each in sides]),
    )
    rows = [(name, *cells) for name, cells in lines]
    return table(("", "Original", "What if"), rows, right=("Original", "What if"))


def _summary(positions: Sequence[Position]) -> Summary:
    closed = [position for position in positions if position.closed_at is not None]
    alive = [position for position in positions if position.closed_at is None]
    return summarize(closed, alive=alive)


def _trades(differing: Sequence[Pair], quote: Coin) -> str:
    columns = ("Trade", "Symbol", "Opened", "Original", "P&L", "What if", "P&L if")
    rows = [
        (
            KINDS[pair.kind],
            str((pair.original or pair.other or _nobody()).symbol),
            moment(pair.opened_at),
            *_side(pair.original, quote),
            *_side(pair.other, quote),
        )
        for pair in differing
    ]
    return table(columns, rows, right=("P&L", "P&L if"))


def _nobody() -> Position:
    raise AssertionError("Expected a pair of at least one trade")


def _side(trade: Position | None, quote: Coin) -> tuple[str, str]:
    if trade is None:
        return NOTHING, NOTHING
    entry = price(text(trade.entry_price))
    if trade.closed_at is None:
        return f"{entry}, still open", NOTHING
    left = exit_price(trade)
    out = NOTHING if left is None else price(text(left))
    when = moment(trade.closed_at)[5:]
    pnl = NOTHING if trade.is_unpriced else money(trade.pnl, quote)
    return f"{entry} to {out}, {trade.close_reason}, {when}", pnl


# For machines -------------------------------------------------------------------------------


def compared_json(compared: Compared) -> dict[str, object]:
    """Return all that was found, exact."""
    way = compared.way
    return {
        "tried": compared.changes,
        "is_reproduced": compared.is_reproduced,
        "parting": _parting_json(compared.parting),
        "runs": len(way.legs),
        "begins_at": text_of(way.legs[0].begins_at),
        "ends_at": None if way.end is None else text_of(way.end),
        "is_flat_at_begin": way.begin is not None,
        "notes": way.notes,
        "quote": compared.quote,
        "candles": compared.candles,
        "decisions": compared.decisions,
        "events": compared.events,
        "head_hash": compared.head_hash,
        "original": _side_json(compared.original),
        "what_if": _side_json(compared.other),
        "trades": [_pair_json(pair) for pair in compared.pairs],
    }


def _side_json(positions: Sequence[Position]) -> dict[str, object]:
    summary = _summary(positions)
    factor, rate = summary.profit_factor, summary.win_rate_pct
    return {
        "trades": summary.trades,
        "won": summary.won,
        "win_rate_pct": None if rate is None else text(rate),
        "pnl_total": text(summary.pnl_total),
        "fees": text(summary.fees),
        "profit_factor": None if factor is None else text(factor),
        "left_open": summary.open_left,
    }


def _pair_json(pair: Pair) -> dict[str, object]:
    return {
        "kind": pair.kind,
        "changes": pair.changes,
        "original": _trade_json(pair.original),
        "what_if": _trade_json(pair.other),
    }


def _trade_json(trade: Position | None) -> dict[str, object] | None:
    if trade is None:
        return None
    left = exit_price(trade)
    return {
        "position_id": trade.position_id,
        "symbol": trade.symbol,
        "opened_at": text_of(trade.opened_at),
        "closed_at": None if trade.closed_at is None else text_of(trade.closed_at),
        "amount": text(trade.entered),
        "entry_price": text(trade.entry_price),
        "exit_price": None if left is None else text(left),
        "fees": None if trade.closed_at is None else text(trade.fees_quote),
        "pnl": None if trade.is_unpriced or trade.closed_at is None else text(trade.pnl),
        "close_reason": trade.close_reason,
    }


def _parting_json(parting: Difference | Stray | None) -> dict[str, object] | None:
    match parting:
        case None:
            return None
        case Difference(event_id=event_id):
            ours, theirs = _event_text(parting.original), _event_text(parting.other)
        case Stray(original=original, other=other):
            event_id = 0 if original is None else int(original.event_id)
            ours, theirs = _intent_text(original), _intent_text(other)
    return {"event_id": event_id or None, "original": ours, "what_if": theirs}
