"""Small replay files: sound ones, and each kind of broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

HEADER = "timestamp,open,high,low,close,volume"
BEGIN_S = 1_704_067_200

REPLAY = """
[market]
source = "replay"
path = "candles.csv"
speed = 0
[strategy]
name = "metronome"
params = { period_s = 300 }
"""


def rows(count: int = 60, begin_s: int = BEGIN_S) -> list[str]:
    """Return minutes of a price that goes up and down by a per cent."""
    made, last = [], 40_000
    for number in range(count):
        close = 40_000 + 20 * abs(number % 20 - 10)
        high, low = max(last, close) + 5, min(last, close) - 5
        made.append(f"{begin_s + 60 * number},{last},{high},{low},{close},12.5")
        last = close
    return made


def write(folder: Path, lines: Iterable[str], *, end: str = "\n") -> None:
    (folder / "candles.csv").write_text("\n".join(lines) + end)


def _with(place: int, change: Callable[[str], str]) -> list[str]:
    """Return a file with one row changed; rows count from the first candle."""
    made = rows()
    made[place] = change(made[place])
    return [HEADER, *made]


def _cell(place: int, column: int, value: str) -> list[str]:
    def change(row: str) -> str:
        cells = row.split(",")
        cells[column] = value
        return ",".join(cells)

    return _with(place, change)


BROKEN: dict[str, tuple[list[str], str]] = {
    "empty": ([], "candles.csv"),
    "only a header": ([HEADER], "candles.csv"),
    "no header": (rows(), "candles.csv:1"),
    "a column is missing": (
        ["timestamp,open,high,low,close", *(row.rpartition(",")[0] for row in rows())],
        "volume",
    ),
    "not a number": (_cell(3, 4, "NaN"), "candles.csv:5: close"),
    "infinite": (_cell(3, 1, "inf"), "candles.csv:5: open"),
    "a price of zero": (_cell(7, 3, "0"), "candles.csv:9: low"),
    "a negative volume": (_cell(8, 5, "-1"), "candles.csv:10: volume"),
    "the high below the low": (_cell(9, 2, "1"), "candles.csv:11"),
    "time goes back": (_cell(20, 0, str(BEGIN_S)), "candles.csv:22: timestamp"),
    "off the grid": (_cell(5, 0, str(BEGIN_S + 311)), "candles.csv:7: timestamp"),
    "a time of words": (_cell(5, 0, "yesterday"), "candles.csv:7: timestamp"),
    "a torn last line": ([*_with(0, str), "17040708"], "candles.csv:62"),
}
"""What is in the file, and what its fault must name."""
