"""Files of positions: JSON and CSV in the shapes that people have, and each fault by its place."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from aegis.cli.position_file import BYTES_MAX, PositionFileFaults, read_position_file
from aegis.domain.old_books import Record

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str | bytes) -> Path:
        path = tmp_path / "old"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return make


def record(place: str, **fields: object) -> Record:
    return Record(place=place, fields=fields)


ONE = {"symbol": "BTC/USDT", "amount": Decimal("0.1"), "entry_price": 40000}
IN_JSON = '{"amount": 0.1, "entry_price": 40000}'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f'{{"positions": {{"BTC/USDT": {IN_JSON}}}}}', "positions.BTC/USDT"),
        (f'{{"positions": [{{"symbol": "BTC/USDT", {IN_JSON[1:]}]}}', "positions[0]"),
        (f'[{{"symbol": "BTC/USDT", {IN_JSON[1:]}]', "positions[0]"),
        (f'\ufeff  {{"positions": {{"BTC/USDT": {IN_JSON}}}}}', "positions.BTC/USDT"),
    ],
    ids=["by symbol", "a list", "a bare list", "with a mark of byte order"],
)
def test_json_is_read_in_each_shape_that_people_have(write: Write, text: str, place: str) -> None:
    assert read_position_file(write(text)) == ((record(place, **ONE),), ())


def test_a_figure_of_json_is_what_is_written_and_no_float(write: Write) -> None:
    text = '{"positions": {"BTC/USDT": {"amount": 0.30000000000000004}}}'
    (found,), _ = read_position_file(write(text))
    assert found.fields["amount"] == Decimal("0.30000000000000004")


def test_what_else_a_state_holds_is_told(write: Write) -> None:
    _, remarks = read_position_file(write('{"balance": 5, "positions": {}, "trades": []}'))
    assert remarks == ("beside positions, left out: balance, trades",)


def test_a_key_and_a_symbol_that_agree_are_one_symbol(write: Write) -> None:
    text = '{"positions": {"BTC/USDT": {"pair": "btc_usdt", "amount": 1}}}'
    (found,), _ = read_position_file(write(text))
    assert found.fields == {"symbol": "BTC/USDT", "amount": 1}


def test_a_key_and_a_symbol_that_differ_are_both_told(write: Write) -> None:
    text = '{"positions": {"BTC/USDT": {"symbol": "ETH/USDT"}}}'
    (found,), _ = read_position_file(write(text))
    assert found.fields == {"pair": "BTC/USDT", "symbol": "ETH/USDT"}


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_csv_is_a_record_a_line_with_its_number(write: Write, delimiter: str) -> None:
    text = "symbol,amount\r\nBTC/USDT, 0.1\r\n\r\nETH/USDT,2\r\n".replace(",", delimiter)
    assert read_position_file(write(text))[0] == (
        record("line 2", symbol="BTC/USDT", amount="0.1"),
        record("line 4", symbol="ETH/USDT", amount="2"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"positions": ', "line 1: expected JSON"),
        ('{\n "positions": {\n "BTC/USDT": }}', "line 3: expected JSON"),
        ('{"balance": 3}', "expected a key positions, found balance"),
        ("{}", "expected a key positions, found nothing"),
        ('{"positions": 7}', "positions: expected an object by symbol, or a list"),
        ('{"positions": {"BTC/USDT": 7}}', "positions.BTC/USDT: expected an object with amount"),
        ('[{"symbol": "BTC/USDT"}, 5]', "positions[1]: expected an object with amount"),
        ('{"positions": {"A": {}, "A": {}}}', "'A' stands twice in one object"),
        ("[" * 100_000, "expected the positions of a trading system"),
        ("amount,price\n1,2\n", "line 1: expected columns as symbol,amount"),
        ("symbol,amount,amount\nBTC/USDT,1,2\n", "line 1: column 'amount' stands there twice"),
        ("symbol,amount\nBTC/USDT\n", "line 2: expected 2 columns, were 1"),
        ('symbol,amount\n"BTC/USDT,1\n', "line 2: expected CSV"),
        ("null", "expected positions by symbol, or a list of them, was null"),
        (' "none" \n', 'expected positions by symbol, or a list of them, was "none"'),
        (b"symbol,amount\n\xff,1\n", "byte 14: expected UTF-8 text"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_a_file_of_another_form_is_refused_by_line_or_place(
    write: Write, text: str | bytes, said: str
) -> None:
    with pytest.raises(PositionFileFaults) as caught:
        read_position_file(write(text))
    assert str(caught.value).startswith(f"old: {said}")
    assert len(str(caught.value).splitlines()) == len(caught.value.faults)


def test_every_fault_of_its_form_is_told_at_once(write: Write) -> None:
    with pytest.raises(PositionFileFaults) as lines:
        read_position_file(write("symbol,amount\nBTC\nETH/USDT,1\nSOL,1,2\n"))
    assert lines.value.faults == (
        "line 2: expected 2 columns, were 1",
        "line 4: expected 2 columns, were 3",
    )
    with pytest.raises(PositionFileFaults) as objects:
        read_position_file(write('[1, {"symbol": "BTC/USDT"}, null]'))
    assert len(objects.value.faults) == 2


def test_a_file_beyond_all_measure_is_not_read(write: Write) -> None:
    with pytest.raises(PositionFileFaults, match="at most 9 MiB"):
        read_position_file(write(b" " * (BYTES_MAX + 1)))


def test_a_figure_with_an_exponent_beyond_all_measure_is_left_as_it_is_written(
    write: Write,
) -> None:
    (found,), _ = read_position_file(write('[{"amount": 1.5e9999999999999999999}]'))
    assert found.fields["amount"] == "1.5e9999999999999999999"
