"""Rows for another program: exact, harmless, whole, and closed against the balances."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from aegis.cli.sheets import TRADE_COLUMNS, csv_chunks, jsonl_chunks, trade_cells
from aegis.domain.ids import Coin
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import Place, Said, lived_once
from tests.domain.kit import Desk
from tests.store.tampering import tamper

NASTY = ('=HYPERLINK("http://x")', "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=1")


def live(place: Place) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows(90)])
    assert place.say("run").code == 0


@pytest.fixture
def lived(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where a replay has made some trades."""
    return lived_once(place, tmp_path_factory.getbasetemp() / "lived-export", live)


def told(said: Said) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said.out)))


def test_trades_are_the_default_and_csv(lived: Place) -> None:
    said = lived.say("export")
    found = told(said)
    summary = lived.say("statistics", "--json").json
    assert said.code == 0
    assert len(found) == summary["trades"] > 2
    assert sum(Decimal(row["pnl"]) for row in found) == Decimal(summary["pnl_total"])
    assert sum(Decimal(row["fees_in_quote"]) for row in found) == Decimal(summary["fees"])


def test_what_a_trade_brought_is_what_its_row_says(lived: Place) -> None:
    for row in told(lived.say("export")):
        made = Decimal(row["proceeds"]) - Decimal(row["cost"]) - Decimal(row["fees_in_quote"])
        assert Decimal(row["pnl"]) == made
        assert (row["base"], row["quote"], row["side"]) == ("BTC", "USDT", "long")
        assert row["fees"] == f"USDT {row['fees_in_quote']}"
        assert row["opened_at"] < row["closed_at"]


@pytest.mark.parametrize(("coin", "worth"), [("BTC", Decimal(5)), ("BNB", None)])
def test_what_fees_in_a_third_coin_are_worth_is_left_empty(
    coin: str, worth: Decimal | None
) -> None:
    held = replace(Desk().holding("1"), fees={Coin(coin): Decimal(1)}, fees_quote=Decimal(5))
    row = dict(zip(TRADE_COLUMNS, trade_cells(held, ()), strict=True))
    assert row["fees_in_quote"] == worth


def test_fills_add_up_to_the_trades_that_name_them(lived: Place) -> None:
    fills = told(lived.say("export", "--what", "fills"))
    trades = told(lived.say("export"))
    closed = {trade["position_id"] for trade in trades}
    named = " ".join(trade["trade_ids"] for trade in trades).split()
    assert [fill["trade_id"] for fill in fills if fill["position_id"] in closed] == named
    for trade in trades:
        own = [fill for fill in fills if fill["position_id"] == trade["position_id"]]
        paid = sum(Decimal(fill["cost"]) for fill in own if fill["side"] == "buy")
        assert paid == Decimal(trade["cost"])


def test_events_are_the_log(lived: Place) -> None:
    said = lived.say("export", "--what", "events", "--format", "jsonl")
    events = [json.loads(line) for line in said.out.splitlines()]
    history = lived.say("history", "--limit", "100000", "--json").json
    assert [event["hash"] for event in events] == [event["hash"] for event in history]
    assert [event["data"] for event in events] == [event["data"] for event in history]


def test_both_forms_say_the_same(lived: Place) -> None:
    plain = told(lived.say("export", "--what", "fills"))
    lines = lived.say("export", "--what", "fills", "--format", "jsonl").out.splitlines()
    assert [{key: str(cell) for key, cell in json.loads(line).items()} for line in lines] == plain


def test_the_books_are_told_beside_the_rows_and_close(lived: Place) -> None:
    said = lived.say("export")
    assert "The books close" in said.err
    for word in ("Coin", "Opening", "Traded in", "Fees", "Closing", "USDT"):
        assert word in said.err


def test_a_file_has_the_rows_and_stdout_the_books(lived: Place) -> None:
    target = lived.folder / "fills.csv"
    target.write_text("old")
    said = lived.say("export", "--what", "fills", "--out", str(target), "--json")
    (usdt,) = (line for line in said.json["books"] if line["coin"] == "USDT")
    balances = lived.say("status", "--json").json["balances"]
    assert said.json["is_closed"] is True
    assert usdt["closing"] == balances["USDT"]
    assert target.read_bytes().decode() == lived.say("export", "--what", "fills").out
    assert len(target.read_text().splitlines()) == said.json["rows"] + 1
    assert [name for name in lived.names() if name.startswith(".")] == []


def test_books_that_do_not_close_are_told_and_end_with_1(lived: Place) -> None:
    first = "event_id = (SELECT min(event_id) FROM fills)"
    tamper(lived.store, f"UPDATE fills SET fee_exact = '0' WHERE {first}")  # noqa: S608  a stranger's
    said = lived.say("export")
    assert said.code == 1
    assert "The books do not close: USDT has" in said.err
    found = lived.say("export", "--out", str(lived.folder / "x.csv"), "--json")
    assert found.code == 1
    assert found.json["differences"][0]["coin"] == "USDT"


def test_an_interval_is_by_the_instant_that_counts(lived: Place) -> None:
    bound = "2024-01-01T00:45"
    early = told(lived.say("export", "--to", bound))
    late = told(lived.say("export", "--from", bound))
    assert early + late == told(lived.say("export"))
    assert max(row["closed_at"] for row in early) < bound <= late[0]["closed_at"]


BAD: Mapping[str, tuple[tuple[str, ...], str]] = {
    "json without a file": (("--json",), "expected --out FILE"),
    "a folder that is not there": (("--out", "no/where.csv"), "make it first"),
    "a folder": (("--out", "."), "expected a file"),
    "no date": (("--from", "soon"), "expected a UTC date"),
    "an end before the beginning": (
        ("--from", "2023-01-01", "--to", "2022-01-01"),
        "expected a date after --from 2023-01-01",
    ),
    "nothing in between": (("--from", "2023-01-01", "--to", "2023-01-01"), "expected a date after"),
    "the store": (
        ("--out", "data/aegis.db"),
        "a file of your own, was data/aegis.db, which is the",
    ),
    "the settings": (("--out", "config.toml"), "which is the settings' own"),
    "no such rows": (("--what", "orders"), "orders"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_mistake_is_usage_and_writes_nothing(lived: Place, what: str) -> None:
    arguments, word = BAD[what]
    before = lived.files()
    said = lived.say("export", *arguments)
    assert (said.code, said.out) == (2, "")
    assert word in said.err
    assert lived.files() == before


def test_before_the_first_run_a_line_says_so_and_no_file_is_made(place: Place) -> None:
    said = place.say("export", "--out", "x.csv")
    assert (said.code, said.out) == (1, "")
    assert "No store yet" in said.err
    assert "x.csv" not in place.names()


# Cells --------------------------------------------------------------------------------------


def cells(*row: Any) -> list[str]:
    columns = [f"c{number}" for number in range(len(row))]
    (found,) = csv.reader(io.StringIO("".join(csv_chunks(columns, [row])).partition("\n")[2]))
    return found


@pytest.mark.parametrize("text", NASTY)
def test_no_text_is_a_formula(text: str) -> None:
    assert cells(text, (text, "b"), {Coin(text): Decimal(1)}) == [
        f"'{text}",
        f"'{text} b",
        f"'{text} 1",
    ]


def test_a_loss_is_a_figure_and_stays_one() -> None:
    assert cells(Decimal("-0.5"), Decimal("1E+3"), Decimal("1E-9"), None, 7) == [
        "-0.5",
        "1000",
        "0.000000001",
        "",
        "7",
    ]


def test_json_has_texts_as_they_are_and_figures_as_text() -> None:
    (line,) = jsonl_chunks(["a", "b", "c"], [("=1", Decimal("-0.50"), None)])
    assert json.loads(line) == {"a": "=1", "b": "-0.5", "c": None}


def test_a_sheet_without_rows_has_its_header() -> None:
    assert list(csv_chunks(["a", "b"], [])) == ["a,b\r\n"]
    assert list(jsonl_chunks(["a"], [])) == []
