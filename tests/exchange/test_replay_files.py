"""Several files as one market: read together, and what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from aegis.domain.ids import Symbol
from aegis.exchange.replay import FileFormat, ReplayFaults, ReplayFile
from aegis.exchange.replay_files import read_files, remarks_of

BTC, ETH, DOGE = Symbol("BTC/USDT"), Symbol("ETH/USDT"), Symbol("DOGE/USDT")
MINUTE_S = 60
DAY_MINUTES = 1440
BEGIN_S = 1_704_067_200


def write(
    folder: Path, name: str, minutes: Sequence[int], *, length_s: int = MINUTE_S, row: str = ""
) -> Path:
    path = folder / f"{name}.csv"
    rows = [f"{BEGIN_S + length_s * minute},1,1,1,1,1" for minute in minutes]
    path.write_text("\n".join(("timestamp,open,high,low,close,volume", *rows, row)).rstrip() + "\n")
    return path


def read(*paths: Path, timeframe_s: int = MINUTE_S) -> tuple[ReplayFile, ...]:
    return read_files(paths, (BTC, ETH, DOGE)[: len(paths)], FileFormat(timeframe_s=timeframe_s))


def test_each_symbol_has_the_candles_of_its_own_file(tmp_path: Path) -> None:
    one, two = read(write(tmp_path, "one", range(3)), write(tmp_path, "two", range(1, 5)))

    assert (one.symbol, len(one.candles)) == (BTC, 3)
    assert (two.symbol, len(two.candles)) == (ETH, 4)
    assert {candle.symbol for candle in two.candles} == {ETH}


def test_the_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    paths = [write(tmp_path, name, range(3), row="x,1,1,1,1,1") for name in ("one", "two")]

    with pytest.raises(ReplayFaults) as refused:
        read(*paths)

    assert refused.value.count == 2
    assert [fault.partition(": ")[0] for fault in refused.value.faults] == [
        f"{path}:5" for path in paths
    ]


def test_files_over_the_same_time_need_no_remark(tmp_path: Path) -> None:
    files = read(write(tmp_path, "one", range(9)), write(tmp_path, "two", range(3, 9)))

    assert remarks_of(files) == ()


def test_a_file_that_ends_early_is_told(tmp_path: Path) -> None:
    files = read(write(tmp_path, "one", range(9)), write(tmp_path, "two", range(8)))

    (remark,) = remarks_of(files)
    assert remark.startswith("ETH/USDT has no candle after 2024-01-01T00:08Z, the others go on")


def test_files_that_only_touch_have_no_time_in_common(tmp_path: Path) -> None:
    files = read(write(tmp_path, "one", range(5, 9)), write(tmp_path, "two", range(5)))

    assert any(
        "BTC/USDT has no candle before 2024-01-01T00:05Z" in remark for remark in remarks_of(files)
    )


def test_a_file_within_another_s_time_has_it_in_common(tmp_path: Path) -> None:
    files = read(
        write(tmp_path, "one", range(20)),
        write(tmp_path, "two", range(2, 4)),
        write(tmp_path, "three", range(10, 20)),
    )

    assert not any("before" in remark for remark in remarks_of(files))


@pytest.mark.parametrize(("days", "is_fault"), [(31, False), (32, True)])
def test_a_hole_between_files_may_be_as_long_as_in_one(
    tmp_path: Path, days: int, *, is_fault: bool
) -> None:
    first = write(tmp_path, "one", range(1))
    second = write(tmp_path, "two", range(days * DAY_MINUTES + 1, days * DAY_MINUTES + 3))

    if is_fault:
        with pytest.raises(ReplayFaults, match=r"two\.csv: expected candles within 31 days"):
            read(first, second)
    else:
        assert len(read(first, second)) == 2


@pytest.mark.parametrize(
    ("length_s", "was"),
    [(60, "shorter ones: 16 of 20 begin in between"), (900, "longer ones: they are 900 s apart")],
)
def test_candles_of_another_length_are_one_fault(tmp_path: Path, length_s: int, was: str) -> None:
    path = write(tmp_path, "one", range(20), length_s=length_s)

    with pytest.raises(ReplayFaults) as refused:
        read(path, timeframe_s=300)

    assert refused.value.count == 1
    assert str(refused.value).startswith(f"{path}: timestamp: expected candles of 300 s")
    assert was in str(refused.value)


def test_gaps_alone_are_not_candles_of_another_length(tmp_path: Path) -> None:
    minutes = [*range(0, 60, 5), 60, 61]

    (file,) = read(write(tmp_path, "one", minutes))

    assert len(file.gaps) == 12


def test_a_file_is_named_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    one, same = read(write(tmp_path, "one", range(3)), write(tmp_path, "two", range(3)))
    (other,) = read(write(tmp_path, "three", range(4)))

    assert one.sha256 == same.sha256 != other.sha256
    assert len(one.sha256) == 64
