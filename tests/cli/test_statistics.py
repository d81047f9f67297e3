"""`statistics`, over replays written here: what it says, and that all agree on it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aegis.cli.figures import exact_json, notes
from aegis.cli.session import since_of
from aegis.cli.wording import size, span
from aegis.domain.ids import Instant
from aegis.domain.instants import text_of
from aegis.domain.statistics.summary import summarize
from aegis.store import PositionStateManager
from tests.cli.candle_files import BEGIN_S, HEADER, REPLAY, rows, write
from tests.cli.place import Place
from tests.domain.test_statistics import trade


@pytest.fixture
def lived(place: Place) -> Place:
    """Give a place whose replay has been run to its end: a few short trades within an hour."""
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows(54)])
    assert place.say("run").code == 0
    return place


def test_it_tells_the_figures_by_story(lived: Place) -> None:
    said = lived.say("statistics")
    assert (said.code, said.err) == (0, "")
    for title in ("Trades", "Money", "Risk", "Time", "Store", "By reason", "By day", "R-multiple"):
        assert any(line.startswith(title) for line in said.out.splitlines())


def test_json_has_the_figures_of_the_run_s_own_table(place: Place) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows(54)])
    ran, told = place.say("run", "--json").json, place.say("statistics", "--json").json
    common = ran.keys() & told.keys() - {"notes"}
    assert {"trades", "pnl_total", "fees", "drawdown_worst", "exposure_pct", "by_day"} <= common
    assert {name: ran[name] for name in common} == {name: told[name] for name in common}


def test_no_figure_in_json_is_a_float(lived: Place) -> None:
    told = lived.say("statistics", "--json").json
    assert not any(isinstance(value, float) for value in told.values())
    assert Decimal(told["pnl_total"]) < 0
    equity = Decimal(told["equity_first"]) + Decimal(told["pnl_total"])
    assert equity == Decimal(told["equity_last"])


def test_an_hour_has_neither_ratio_nor_interval_and_says_why(lived: Place) -> None:
    told = lived.say("statistics", "--json").json
    assert told["sharpe"] is told["sortino"] is told["pnl_interval"] is None
    assert told["reconciliations_a_day"] is None
    said = lived.say("statistics").out
    assert "need 2 days" in said
    assert "fewer than 30 trades" in said


def test_what_was_closed_before_since_is_left_out(lived: Place) -> None:
    everything = lived.say("statistics", "--json").json
    half = text_of(Instant((BEGIN_S + 1_620) * 10**9))[:19]
    later = lived.say("statistics", "--since", half, "--json").json
    assert 0 < later["trades"] < everything["trades"]
    assert later["begin_at"].startswith(half)
    gained = Decimal(later["equity_last"]) - Decimal(later["equity_first"])
    assert abs(gained - Decimal(later["pnl_total"])) < 1
    assert later["equity_last"] == everything["equity_last"]


def test_no_trades_since_then_is_said_kindly(lived: Place) -> None:
    said = lived.say("statistics", "--since", "2030-01-01")
    assert (said.code, said.out.splitlines()[0]) == (0, "No trades yet since 2030-01-01 00:00:00")
    assert lived.say("statistics", "--since", "2030-01-01", "--json").json["trades"] == 0


@pytest.mark.parametrize(
    "word", ["yesterday", "2024-13-01", "2024-01-01T00:00:00+02:00", "0001-01-01", "2024-W01-1"]
)
def test_a_date_that_is_none_is_a_usage_error(lived: Place, word: str) -> None:
    said = lived.say("statistics", "--since", word)
    assert said.code == 2
    assert "expected a UTC date" in said.err
    assert "Traceback" not in said.err


def test_a_date_is_its_first_moment() -> None:
    assert since_of("2024-01-01") == BEGIN_S * 10**9
    assert since_of("2024-01-01T00:01") == (BEGIN_S + 60) * 10**9
    assert since_of(None) == 0


def test_what_is_unpriced_is_named_and_left_out() -> None:
    summary = summarize([trade("5"), trade("0", 1, is_unpriced=True)])
    assert any("p-1" in note and note.startswith("Left out") for note in notes(summary))


def test_a_trade_without_a_stop_is_told() -> None:
    summary = summarize([trade("5", stop_first=None)])
    assert any("1 trade without an R-multiple" in note for note in notes(summary))


def test_figures_are_texts_at_every_depth() -> None:
    value = summarize([trade("5.50")])
    told = exact_json(value)
    assert isinstance(told, dict)
    assert told["pnl_total"] == "5.5"
    assert told["by_day"] == [
        {"name": "2024-01-01", "trades": 1, "won": 1, "pnl": "5.5", "fees": "0.2"}
    ]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(None, "-"), (59, "59 s"), (61, "1 min 1 s"), (3_660, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_a_span_has_its_two_largest_units(seconds: int | None, expected: str) -> None:
    assert span(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"), [(999, "999 bytes"), (1_000, "1.0 kB"), (12_800_000, "12.8 MB")]
)
def test_a_size_has_a_fitting_unit(count: int, expected: str) -> None:
    assert size(count) == expected


def test_money_is_in_the_store_s_own_coin_whatever_the_settings_trade(place: Place) -> None:
    with PositionStateManager(place.store) as manager:
        held = manager.open_position("BTC/EUR", "long", "40000", "1")
        manager.close_position(held, "39000")
    assert place.say("statistics", "--json").json["quote"] == "EUR"
    said = place.say("statistics").out
    assert "-1,000.00 EUR" in said
    assert "USDT" not in said
    assert place.say("report", "--html", "page.html").code == 0
    assert " EUR" in (page := (place.folder / "page.html").read_text())
    assert " USDT" not in page
