"""How other systems spell what a position has: which word means what here.

Pure tables, and one function that goes by them. Nothing is judged here but that one thing is told
once.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "symbol": ("symbol", "pair", "market", "instrument", "ticker"),
    "side": ("side", "direction", "position_side"),
    "amount": ("amount", "quantity", "qty", "size", "units", "position_size", "base_amount"),
    "entry_price": (
        "entry_price", "entry", "avg_price", "average_price", "avg_entry_price", "open_price",
        "buy_price", "price_open",
    ),
    "price": ("current_price", "mark_price", "last_price", "mark"),
    "stop_price": ("stop_price", "stop_loss", "stop", "sl", "stop_loss_price"),
    "stop_pct": ("stop_loss_pct", "stop_pct", "sl_pct"),
    "target": ("take_profit_price", "take_profit", "target", "tp", "target_price"),
    "target_pct": ("take_profit_pct", "target_pct", "tp_pct"),
    "trailing_pct": ("trailing_stop_pct", "trailing_pct", "trailing_stop"),
    "opened_at": (
        "opened_at", "entry_time", "open_time", "opened", "timestamp", "created_at", "entry_date",
        "date", "time",
    ),
    "status": ("status", "state"),
}  # fmt: skip
"""What a field is here -> how people write it."""

PLAIN_PRICE = "price"
"""The entry's, or beside one the last."""

LEFT = frozenset({
    "pnl", "pnl_pct", "profit", "unrealized_pnl", "realized_pnl", "fees", "fee", "commission",
    "id", "position_id", "order_id", "exchange_order_id", "client_order_id", "trade_id", "notes",
    "note", "metadata", "created_by", "strategy", "signal", "confidence", "reason", "value", "cost",
    "notional", "highest_price", "lowest_price", "peak_price", "closed_at", "exit_price",
    "exit_time", "updated_at", "leverage", "exchange",
})  # fmt: skip
"""Fields that are known, and stay behind: nobody needs to look at them."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a record tells, by what it is here: the word that told it, and the value.

    `twice` are things that two words tell differently, `left` known fields that stay behind,
    `unknown` all others.
    """

    given: dict[str, tuple[str, object]]
    twice: tuple[str, ...]
    left: tuple[str, ...]
    unknown: tuple[str, ...]


def told_of(fields: Mapping[str, object]) -> Told:
    """Return what fields mean; one without a value tells nothing."""
    plain = {_snake(name): (name, value) for name, value in fields.items()}
    there = {name: told for name, told in plain.items() if told[1] not in (None, "")}
    given: dict[str, tuple[str, object]] = {}
    twice: list[str] = []
    for meaning, spellings in SPELLINGS.items():
        told = [there[each] for each in spellings if each in there]
        if len({str(value) for _, value in told}) > 1:
            words = ", ".join(f"{name} {value}" for name, value in told)
            twice.append(f"{meaning} is told more than once: {words}")
        if told:
            given[meaning] = told[0]
    if PLAIN_PRICE in there:
        given.setdefault("price" if "entry_price" in given else "entry_price", there[PLAIN_PRICE])
    known = {PLAIN_PRICE, *LEFT, *(each for words in SPELLINGS.values() for each in words)}
    return Told(
        given=given,
        twice=tuple(twice),
        left=tuple(name for name in there if name in LEFT),
        unknown=tuple(told[0] for name, told in plain.items() if name not in known),
    )


def _snake(name: str) -> str:
    """Return a name in small letters and underscores, as entryPrice and Entry-Price are."""
    parts = []
    for before, letter in zip(" " + name, name, strict=False):
        is_new_word = letter.isupper() and before.islower()
        parts.append(f"_{letter}" if is_new_word else letter)
    return "".join(parts).strip().lower().replace("-", "_").replace(" ", "_")


def plain_symbol(written: str) -> str:
    """Return a symbol as people write it, btc-usdt or BTC_USDT, as BTC/USDT."""
    return written.strip().upper().replace("-", "/").replace("_", "/")


def is_same_symbol(one: str, other: str) -> bool:
    """Say whether two spellings are of one symbol."""
    return plain_symbol(one).replace("/", "") == plain_symbol(other).replace("/", "")
