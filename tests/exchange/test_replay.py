from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aegis.domain.candles import fault_of
from aegis.domain.ids import NANOS_PER_SECOND, Instant, Symbol
from aegis.exchange.replay import (
    FAULTS_NAMED_MAX,
    FileFormat,
    Gap,
    ReplayFaults,
    ReplayFile,
    read_candles,
)
from tests.real_candles import CANDLES, FORMAT, needs_real_candles

BTC_USDT = Symbol("BTC/USDT")
HEAD = "timestamp,open,high,low,close,volume\n"
MINUTE = 60
T = 1_704_067_200  # 2024-01-01, in seconds


def at(seconds: int) -> Instant:
    return Instant(seconds * NANOS_PER_SECOND)


MINUTES = FileFormat(timeframe_s=MINUTE)


def read(folder: Path, content: str | bytes, form: FileFormat = MINUTES) -> ReplayFile:
    path = folder / "candles.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_candles(path, BTC_USDT, form)


def faults(folder: Path, content: str | bytes) -> list[str]:
    """Return the faults of a file that must have some, without the folder's name."""
    with pytest.raises(ReplayFaults) as caught:
        read(folder, content)
    return [fault.removeprefix(f"{folder}/") for fault in caught.value.faults]


def row(minute: int, price: str = "100", volume: str = "1") -> str:
    return f"{T + minute * MINUTE},{price},{price},{price},{price},{volume}\n"


def test_epoch_seconds_and_volume_in_base_are_taken_as_they_are(tmp_path: Path) -> None:
    (candle,) = read(tmp_path, HEAD + f"{T},100.5,102,99.25,101,0.123456789\n").candles
    assert candle.open_at == at(T)
    assert candle.length_s == MINUTE
    assert (candle.open, candle.high) == (Decimal("100.5"), Decimal(102))
    assert (candle.low, candle.close) == (Decimal("99.25"), Decimal(101))
    assert candle.volume == Decimal("0.123456789")


def test_epoch_milliseconds_are_known_by_their_size(tmp_path: Path) -> None:
    (candle,) = read(tmp_path, HEAD + f"{T}000,1,1,1,1,1\n").candles
    assert candle.open_at == at(T)


@pytest.mark.parametrize("time", [str(T), f"{T}000", "2024-01-01 00:00:00.000000"])
def test_volume_is_in_the_coin_that_is_named_whatever_the_time_looks_like(
    tmp_path: Path, time: str
) -> None:
    in_quote = FileFormat(timeframe_s=MINUTE, volume="quote")
    (candle,) = read(tmp_path, HEAD + f"{time},3,3,3,3,10\n").candles
    (divided,) = read(tmp_path, HEAD + f"{time},3,3,3,3,10\n", in_quote).candles
    assert candle.open_at == divided.open_at == at(T)
    assert candle.volume == 10
    assert divided.volume == Decimal("3.33333333")  # rounded down


def test_a_stamp_at_the_close_is_a_candle_earlier(tmp_path: Path) -> None:
    (candle,) = read(tmp_path, HEAD + row(1), FileFormat(timeframe_s=MINUTE, stamp="close")).candles
    assert (candle.open_at, candle.close_at) == (at(T), at(T + MINUTE))


def test_columns_come_in_any_order_and_more_are_ignored(tmp_path: Path) -> None:
    content = f"Close,note,volume,timestamp, low ,high,open\n3,x,9,{T},1,4,2\n"
    (candle,) = read(tmp_path, content).candles
    assert [candle.open, candle.high, candle.low, candle.close, candle.volume] == [2, 4, 1, 3, 9]


def test_a_byte_order_mark_windows_lines_and_quotes_are_read(tmp_path: Path) -> None:
    content = "\ufeff" + (HEAD + f'"{T}","1","1","1","1","1e-05"\n').replace("\n", "\r\n")
    (candle,) = read(tmp_path, content).candles
    assert candle.volume == Decimal("0.00001")


def test_a_gap_is_no_fault_and_is_told(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + row(0) + row(1) + row(5) + row(6))
    assert len(found.candles) == 4
    assert found.gaps == (Gap(begins_at=at(T + 120), ends_at=at(T + 300), candles_missing=3),)


def test_an_equal_candle_again_is_ignored_and_counted(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + row(0) + row(0) + row(1))
    assert (len(found.candles), found.repeated, found.gaps) == (2, 1, ())


BAD: dict[str, tuple[str | bytes, list[str]]] = {
    "an empty file": (
        b"",
        ["1: line: expected a header with timestamp,open,high,low,close,volume, was nothing"],
    ),
    "a header alone": (HEAD, ["1: line: expected at least one candle"]),
    "no header": (row(0), ["1: line: expected a header with timestamp,open,"]),
    "a missing column": (
        "timestamp,open,high,low,close\n",
        ["1: volume: expected this column once in the header, was 0 of them"],
    ),
    "a column twice": (
        HEAD.replace("volume", "volume,open"),
        ["1: open: expected this column once in the header, was 2 of them"],
    ),
    "text for a price": (
        HEAD + f"{T},1,1,cheap,1,1\n", ["2: low: expected a positive price, was 'cheap'"],
    ),
    "an empty field": (HEAD + f"{T},1,1,1,1,\n", ["2: volume: expected zero or more, was ''"]),
    "not a number": (
        HEAD + f"{T},NaN,1,1,1,1\n", ["2: open: expected a positive price, was 'NaN'"],
    ),
    "an infinite volume": (
        HEAD + f"{T},1,1,1,1,inf\n", ["2: volume: expected zero or more, was 'inf'"],
    ),
    "a zero price": (
        HEAD + row(0) + f"{T + 60},1,1,0,1,1\n", ["3: low: expected a positive price, was '0'"],
    ),
    "a negative price": (
        HEAD + f"{T},1,1,1,-1,1\n", ["2: close: expected a positive price, was '-1'"],
    ),
    "a negative volume": (
        HEAD + f"{T},1,1,1,1,-1\n", ["2: volume: expected zero or more, was '-1'"],
    ),
    "a high below the close": (
        HEAD + f"{T},5,5,4,6,1\n", ["2: high, low: expected low <= open, close <= high"],
    ),
    "a low above the open": (
        HEAD + f"{T},3,5,4,5,1\n", ["2: high, low: expected low <= open, close <= high"],
    ),
    "a price of endless digits": (
        HEAD + f"{T},1,1,1,1.{'1' * 50},1\n",
        ["2: close: expected a positive price, was '1.11111111111111111111111111111111111111...'"],
    ),
    "a price beyond measure": (
        HEAD + f"{T},1,1,1,1e999,1\n", ["2: close: expected a positive price, was '1e999'"],
    ),
    "digits of another script": (
        HEAD + f"{T},1,1,1,\u0661,1\n", ["2: close: expected a positive price, was '\u0661'"],
    ),
    "an underscore": (
        HEAD + f"{T},1,1,1,1_0,1\n", ["2: close: expected a positive price, was '1_0'"],
    ),
    "time going back": (
        HEAD + row(1) + row(0),
        ["3: timestamp: expected a time after the one before, was 60 s before it"],
    ),
    "a time again with other figures": (
        HEAD + row(0) + row(0, "101"), ["3: timestamp: expected each candle once"],
    ),
    "a time off the grid": (
        HEAD + f"{T + 1},1,1,1,1,1\n",
        ["2: timestamp: expected a multiple of 60 s, was '1704067201'"],
    ),
    "no time at all": (
        HEAD + "yesterday,1,1,1,1,1\n", ["2: timestamp: expected YYYY-MM-DD HH:MM:SS"],
    ),
    "a day that never was": (
        HEAD + "2024-02-31 00:00:00,1,1,1,1,1\n", ["2: timestamp: expected YYYY-MM-DD HH:MM:SS"],
    ),
    "a time before there were coins": (
        HEAD + "0,1,1,1,1,1\n", ["2: timestamp: expected a time from 2000 to 2099, was '0'"],
    ),
    "a gap of a hundred days": (
        HEAD + row(0) + f"{T + 100 * 86_400},1,1,1,1,1\n",
        ["3: timestamp: expected the next candle within 31 days, was a gap of 99 days"],
    ),
    "epoch microseconds": (
        HEAD + f"{T}000000,1,1,1,1,1\n", ["2: timestamp: expected YYYY-MM-DD HH:MM:SS"],
    ),
    "two kinds of stamps": (
        HEAD + row(0) + "2024-01-01 00:01:00,1,1,1,1,1\n",
        ["3: timestamp: expected an epoch figure, as in the first candle"],
    ),
    "a field too few": (HEAD + f"{T},1,1,1,1\n", ["2: line: expected 6 fields, was 5"]),
    "a field too many": (HEAD + f"{T},1,1,1,1,1,1\n", ["2: line: expected 6 fields, was 7"]),
    "a blank line": (HEAD + "\n" + row(0), ["2: line: expected 6 fields, was 0"]),
    "a last line torn in a figure": (
        HEAD + row(0) + f"{T + 60},1,1,1,1,1", ["3: line: expected a newline at its end"],
    ),
    "a last line torn in a row": (
        HEAD + row(0) + f"{T + 60},1,",
        ["3: line: expected 6 fields, was 3", "3: line: expected a newline at its end"],
    ),
    "a quote left open": (
        HEAD + f'"{T},1,1,1,1,1\n', ["2: line: expected columns divided by commas"],
    ),
    "bytes that are no UTF-8": (
        HEAD.encode() + row(0).encode() + b"\xff\n", ["3: text: expected UTF-8, was byte 0xff"],
    ),
    "a zero byte": (
        HEAD + f"{T},1,1,1,\0,1\n", ["2: close: expected a positive price, was '\\x00'"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_by_line_and_column(tmp_path: Path, name: str) -> None:
    content, expected = BAD[name]
    found = faults(tmp_path, content)
    assert len(found) == len(expected), found
    for fault, beginning in zip(found, expected, strict=True):
        assert fault.startswith(f"candles.csv:{beginning}"), fault


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReplayFaults, match=r"nowhere\.csv: expected a readable file, was: No such"):
        read_candles(tmp_path / "nowhere.csv", BTC_USDT, MINUTES)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ReplayFaults, match="expected a readable file, was: Is a directory"):
        read_candles(tmp_path, BTC_USDT, MINUTES)


def test_all_faults_of_a_row_are_told_at_once(tmp_path: Path) -> None:
    assert len(faults(tmp_path, HEAD + "never,x,y,z,0,-1\n")) == 6


def test_beyond_twenty_faults_only_their_number_is_told(tmp_path: Path) -> None:
    content = HEAD + "".join(row(minute, price="x") for minute in range(1_000))
    with pytest.raises(ReplayFaults) as caught:
        read(tmp_path, content)
    assert caught.value.count == 4_000
    assert len(caught.value.faults) == FAULTS_NAMED_MAX
    assert str(caught.value).endswith("\nand 3980 more faults")


@needs_real_candles
def test_the_real_month_is_read_whole_and_without_gaps() -> None:
    found = read_candles(CANDLES, BTC_USDT, FORMAT)
    assert (len(found.candles), found.gaps, found.repeated) == (45_031, (), 0)
    assert found.candles[0].open_at == at(1_640_991_600)  # 2021-12-31 23:00:00
    assert found.candles[0].volume == Decimal("49.60246953")
    assert all(fault_of(candle) is None for candle in found.candles)
