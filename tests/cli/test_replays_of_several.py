"""Replays of several symbols: what they trade, and which store belongs to which files."""

from __future__ import annotations

import hashlib

import pytest

from tests.cli.candle_files import HEADER, rows
from tests.cli.place import Place, Said

CONFIG = """
[exchange]
symbols = [{symbols}]
[market]
source = "replay"
path = [{files}]
speed = 0
[strategy]
name = "metronome"
params = {{ period_s = 300 }}
"""
BTC, ETH = '"BTC/USDT"', '"ETH/USDT"'
ONE, TWO = '"one.csv"', '"two.csv"'


def write(place: Place, name: str, count: int = 60, *, skipped: int = 0) -> None:
    made = rows(count)[skipped:]
    (place.folder / name).write_text("\n".join((HEADER, *made)) + "\n")


def run(place: Place, symbols: tuple[str, ...], files: tuple[str, ...]) -> Said:
    place.configure(CONFIG.format(symbols=", ".join(symbols), files=", ".join(files)))
    return place.say("run", "--json")


@pytest.fixture
def lived(place: Place) -> Place:
    """Give a place where two symbols have been replayed, a file each."""
    write(place, "one.csv")
    write(place, "two.csv", skipped=10)
    said = run(place, (BTC, ETH), (ONE, TWO))
    assert said.code == 0
    assert said.json["candles"] == 110
    return place


def test_each_symbol_trades_on_its_own_file(lived: Place) -> None:
    held = lived.say("positions", "--all", "--json").json
    begins = {
        symbol: min(str(each["opened_at"]) for each in held if each["symbol"] == symbol)
        for symbol in ("BTC/USDT", "ETH/USDT")
    }
    assert begins["BTC/USDT"] < "2024-01-01T00:10" <= begins["ETH/USDT"]


def test_a_store_of_several_files_goes_on_with_them(lived: Place) -> None:
    write(lived, "two.csv", 80, skipped=10)
    said = run(lived, (BTC, ETH), (ONE, TWO))
    assert said.code == 0
    assert said.json["candles"] == 20


def test_their_order_does_not_make_another_market(lived: Place) -> None:
    assert run(lived, (ETH, BTC), (TWO, ONE)).code == 0


@pytest.mark.parametrize(
    ("symbols", "files"),
    [((BTC, ETH), (TWO, ONE)), ((BTC,), (ONE,)), ((BTC, '"SOL/USDT"'), (ONE, TWO))],
    ids=["exchanged files", "one file less", "another symbol"],
)
def test_other_files_or_symbols_are_another_market(
    lived: Place, symbols: tuple[str, ...], files: tuple[str, ...]
) -> None:
    said = run(lived, symbols, files)
    assert said.code == 78
    assert "found one of market replay:one.csv,two.csv:" in said.err


def test_any_file_that_begins_otherwise_is_another_market(lived: Place) -> None:
    write(lived, "two.csv", skipped=11)
    said = run(lived, (BTC, ETH), (ONE, TWO))
    assert said.code == 78
    assert "found one of market replay:one.csv,two.csv:" in said.err


def test_the_market_of_one_file_is_named_as_ever(place: Place) -> None:
    """A store of the first version is still this market's."""
    write(place, "one.csv")
    run(place, (BTC,), (ONE,))
    beginning = "\n".join((HEADER, *rows(1))) + "\n"
    digest = hashlib.sha256(beginning.encode()).hexdigest()[:12]
    assert place.say("status", "--json").json["market"] == f"replay:one.csv:{digest}"
