"""`export`: what a store holds, for another program, closed against the account's balances.

It streams: a store of any size goes through in the memory of a small one. It must never leave half
a file where a whole one was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path

import msgspec

from aegis.cli.codes import Code
from aegis.cli.files import refusal_of_file, replacing
from aegis.cli.output import Progress, complain, pairs, shown_progress, table, tell, tell_json
from aegis.cli.sheets import (
    EVENT_COLUMNS,
    FILL_COLUMNS,
    TRADE_COLUMNS,
    Row,
    csv_chunks,
    event_cells,
    fill_cells,
    jsonl_chunks,
    trade_cells,
)
from aegis.cli.wording import NOTHING, counted, no_store_at, shown
from aegis.config.model import Config
from aegis.domain.bookkeeping import Books, Flow
from aegis.domain.ids import Instant
from aegis.domain.money import text
from aegis.store.errors import NoStore
from aegis.store.exporting import Exporter, exporter_of

TOLD_EACH = 1_000


class What(StrEnum):
    TRADES = "trades"
    FILLS = "fills"
    EVENTS = "events"


class Form(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be exported, of which interval, and where to; stdout without `file`.

    `settings` is the file of the settings, which is not for rows.
    """

    what: What
    form: Form
    begin: Instant
    end: Instant | None
    file: Path | None
    settings: Path


ROWS_OF: dict[What, tuple[tuple[str, ...], Callable[[Exporter], Iterator[Row]]]] = {
    What.TRADES: (TRADE_COLUMNS, lambda store: (trade_cells(*each) for each in store.trades())),
    What.FILLS: (FILL_COLUMNS, lambda store: map(fill_cells, store.fills())),
    What.EVENTS: (EVENT_COLUMNS, lambda store: map(event_cells, store.events())),
}


def export_store(config: Config, wanted: Wanted, *, is_json: bool) -> Code:
    """Write what is wanted, then the books; 1 where these do not close."""
    refusal = _refusal_of(config, wanted, is_json=is_json)
    if refusal is not None:
        complain(refusal)
        return Code.USAGE
    try:
        with (
            exporter_of(config.store.path, wanted.begin, wanted.end) as store,
            shown_progress("Exporting") as progress,
        ):
            rows = store.count(wanted.what)
            is_read = _write(store, wanted, rows, progress)
            books = store.books()
    except NoStore:
        complain(no_store_at(config.store.path))
        return Code.NO
    if is_read:
        _tell_books(wanted, rows, books, is_json=is_json)
    return Code.NO if books.differences else Code.DONE


def _refusal_of(config: Config, wanted: Wanted, *, is_json: bool) -> str | None:
    if wanted.file is not None:
        return refusal_of_file(wanted.file, "--out", config, wanted.settings)
    if is_json:
        return "--json: expected --out FILE with it, as it tells of the books and stdout has rows"
    return None


def _write(store: Exporter, wanted: Wanted, rows: int, progress: Progress) -> bool:
    """Write all rows; say whether anybody read them to the end."""
    columns, rows_of = ROWS_OF[wanted.what]
    chunks_of = csv_chunks if wanted.form is Form.CSV else jsonl_chunks
    chunks = chunks_of(columns, _counted(rows_of(store), rows, progress))
    if wanted.file is None:
        return all(tell(chunk.removesuffix("\n")) for chunk in chunks)
    with replacing(wanted.file) as file:
        for chunk in chunks:
            file.write(chunk.encode())
    return True


def _counted(rows: Iterator[Row], total: int, progress: Progress) -> Iterator[Row]:
    for done, row in enumerate(rows, start=1):
        yield row
        if done % TOLD_EACH == 0:
            progress(done, total)
    progress(total, total)


# The books ----------------------------------------------------------------------------------


def _tell_books(wanted: Wanted, rows: int, books: Books, *, is_json: bool) -> None:
    """Show what was written and whether it closes: on stdout, or beside rows that went there."""
    if is_json:
        tell_json(_books_json(wanted, rows, books))
        return
    what = counted(rows, wanted.what.removesuffix("s"))
    told = [pairs([("Exported", what if wanted.file is None else f"{what}, {shown(wanted.file)}")])]
    told += [_lines_table(books)] if books.lines else []
    told.append(_closing(books))
    if wanted.file is None:
        complain(*(line for block in told for line in block.splitlines()))
    else:
        tell("\n\n".join(told))


def _lines_table(books: Books) -> str:
    flows = [flow for flow in Flow if any(flow in line.flows for line in books.lines)]
    columns = ("Coin", "Opening", *(flow.replace("_", " ").capitalize() for flow in flows))
    rows = [
        (
            line.coin,
            text(line.opening),
            *(text(line.flows[flow]) if flow in line.flows else NOTHING for flow in flows),
            text(line.closing),
        )
        for line in books.lines
    ]
    return table((*columns, "Closing"), rows, right=(*columns[1:], "Closing"))


def _closing(books: Books) -> str:
    if not books.differences:
        return "The books close: all that came and went makes the balances of now, coin by coin"
    return "\n".join(
        f"The books do not close: {each.coin} has {text(each.balance)}, and what came and went "
        f"makes {text(each.moved)}; {text(each.missing)} is not explained"
        for each in books.differences
    )


def _books_json(wanted: Wanted, rows: int, books: Books) -> dict[str, object]:
    return {
        "what": wanted.what,
        "rows": rows,
        "file": None if wanted.file is None else str(wanted.file),
        "is_closed": not books.differences,
        "books": [
            {
                "coin": line.coin,
                "opening": text(line.opening),
                **{flow: text(amount) for flow, amount in line.flows.items()},
                "closing": text(line.closing),
            }
            for line in books.lines
        ],
        "differences": [
            {
                "coin": each.coin,
                "balance": text(each.balance),
                "moved": text(each.moved),
                "missing": text(each.missing),
            }
            for each in books.differences
        ],
    }
