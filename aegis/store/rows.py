"""Many rows by few statements.

Each step of SQLite gives the interpreter up, and must win it back from whatever thread took it
meanwhile. A row a step, a commit of 256 events beside a busy thread took six times as long as
alone; so, twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Final

import apsw

from aegis.store.projections import Cell

ROWS_MAX: Final = 128
"""Of one statement. Its text stays below 16 kB, up to which apsw keeps it compiled."""


def write_rows(db: apsw.Connection, statement: str, rows: Sequence[Sequence[Cell]]) -> None:
    """Run an `INSERT ... VALUES (?, ...)` of one row for all rows, in their order."""
    start = 0
    while left := len(rows) - start:
        count = min(ROWS_MAX, 1 << (left.bit_length() - 1))  # powers of two: few texts to keep
        cells = tuple(chain.from_iterable(rows[start : start + count]))
        db.execute(_of_rows(statement, count), cells).fetchall()
        start += count


@cache
def _of_rows(statement: str, count: int) -> str:
    head, rest = statement.split("VALUES ", 1)
    row, tail = rest.split(")", 1)
    rows = ",".join([row.replace(" ", "").replace("\n", "") + ")"] * count)
    return f"{head}VALUES {rows}{tail}"
