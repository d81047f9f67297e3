"""Backtests as a person makes them: what is tried, what is told, and that nothing is left."""

from __future__ import annotations

import hashlib
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.running import Outcome, Start
from tests.cli.candle_files import BROKEN, HEADER, REPLAY, rows, write
from tests.cli.place import Place, Said, engine_of_aegis

METRONOME = """
[strategy]
name = "metronome"
params = { period_s = 300 }
"""
MANY = 600  # candles, so that one is interrupted far from the end

INTERRUPTING = """
import os, signal

class Interrupting:
    warmup = 0

    def __init__(self, params):
        self.times, self.seen = int(params["times"]), 0

    def on_candle(self, candle, *, is_holding):
        self.seen += 1
        if self.seen == 20:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
"""

TALKING = """
class Talking:
    warmup = 0

    def __init__(self, params):
        print("made")

    def on_candle(self, candle, *, is_holding):
        print("seen")
"""

FAILING = """
class Failing:
    warmup = 0

    def __init__(self, params):
        self.seen = 0

    def on_candle(self, candle, *, is_holding):
        self.seen += 1
        if self.seen > 10:
            raise KeyError("boom")
"""

HANGING = """
import os, signal, time

class Hanging:
    warmup = 0

    def __init__(self, params):
        self.seen = 0

    def on_candle(self, candle, *, is_holding):
        self.seen += 1
        if self.seen == 20:
            if not os.path.exists("told"):
                open("told", "w").close()
                os.kill(os.getpid(), signal.SIGINT)
            time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture
def tried(place: Place, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Give a place with a metronome and candles; what is thrown away goes to `temporary`."""
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    place.configure(METRONOME)
    write(place.folder, [HEADER, *rows()])
    return place


def write_scaled(place: Place, name: str, scale: str, *, count: int = 60, first: int = 0) -> None:
    """Write the candles of `rows` at another price, as a file of that name."""
    made = [HEADER]
    for row in rows(first + count)[first:]:
        time, *prices, volume = row.split(",")
        figures = [str(Decimal(price) * Decimal(scale)) for price in prices]
        made.append(",".join((time, *figures, str(Decimal(volume) / Decimal(scale)))))
    (place.folder / name).write_text("\n".join(made) + "\n")


def backtest(place: Place, *arguments: str) -> Said:
    return place.say("backtest", "--data", "candles.csv", *arguments)


def row(said: Said, name: str) -> str:
    found = [line for line in said.out.splitlines() if line.startswith(name)]
    assert len(found) == 1, f"Expected one row {name} in {said.out}"
    return found[0].removeprefix(name).strip()


# What it does -----------------------------------------------------------------------------


def test_a_backtest_ends_with_a_table_and_leaves_nothing(tried: Place, temporary: Path) -> None:
    before = tried.names()
    said = backtest(tried)
    assert said.code == 0
    assert int(row(said, "Trades")) >= 3
    assert row(said, "Candles").startswith("60 in ")
    assert row(said, "Data").startswith("BTC/USDT: 60 candles of candles.csv, 2024-01-01 00:00:00 ")
    assert said.err == ""
    assert tried.names() == before
    assert list(temporary.iterdir()) == []


def test_it_is_the_run_that_the_same_settings_give(tried: Place) -> None:
    told = backtest(tried, "--json").json
    tried.configure(REPLAY)
    run = tried.say("run", "--json").json
    assert told["head_hash"] == run["head_hash"]
    assert told["pnl_total"] == run["pnl_total"]


def test_json_says_what_it_was_tried_on_and_each_trade(tried: Place) -> None:
    told = backtest(tried, "--json", "--set", "risk.stop_loss_pct=1.5").json
    content = (tried.folder / "candles.csv").read_bytes()
    (file,) = told["data"]
    assert file["sha256"] == hashlib.sha256(content).hexdigest()
    assert (file["symbol"], file["candles"], file["gaps"]) == ("BTC/USDT", 60, 0)
    assert told["settings"] == {
        "strategy.name": "metronome",
        "strategy.params": {"period_s": 300},
        "risk.stop_loss_pct": "1.5",
    }
    assert len(told["closed"]) == told["trades"] >= 3
    assert told["is_early"] is False
    trade = told["closed"][0]
    gain = Decimal(trade["exit_price"]) - Decimal(trade["entry_price"])
    assert Decimal(trade["pnl"]) == Decimal(trade["amount"]) * gain - Decimal(trade["fees"])
    assert trade["opened_at"] < trade["closed_at"]


def test_nobody_is_told_of_a_backtest_and_no_token_is_needed(tried: Place) -> None:
    tried.configure(METRONOME + "[notify.telegram]\nenabled = true\nchat_ids = [1]\n")
    assert backtest(tried).code == 0


def test_a_kept_store_can_be_looked_at_afterwards(
    tried: Place, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = backtest(tried, "--json", "--keep", "kept/one.db").json
    monkeypatch.setenv("AEGIS_STORE__PATH", "kept/one.db")
    assert tried.say("status", "--json").json["head_hash"] == told["head_hash"]
    assert tried.say("verify").code == 0
    assert len(tried.say("positions", "--all", "--json").json) >= told["trades"]
    assert list(temporary.iterdir()) == []
    assert not (tried.folder / "data").exists()


@pytest.mark.parametrize(("options", "is_kept"), [((), False), (("--keep", "one.db"), True)])
def test_only_a_store_that_is_thrown_away_does_not_wait_for_the_disk(
    tried: Place, options: tuple[str, ...], *, is_kept: bool
) -> None:
    asked: list[object] = []

    def engine() -> Start:
        def run(*args: Any, **kwargs: Any) -> Outcome:
            asked.append(kwargs["is_kept"])
            return engine_of_aegis()(*args, **kwargs)

        return run

    said = tried.say("backtest", "--data", "candles.csv", *options, engine=engine)
    assert said.code == 0
    assert asked == [is_kept]


@pytest.mark.parametrize("ending", ["", ".paper", ".mark"])
def test_a_store_is_never_kept_where_something_is(tried: Place, ending: str) -> None:
    (tried.folder / f"one.db{ending}").write_text("mine")
    before = tried.names()
    said = backtest(tried, "--keep", "one.db")
    assert said.code == 78
    assert (
        said.err
        == f"--keep: expected a path where nothing is, was 'one.db{ending}', which exists\n"
    )
    assert tried.names() == before


# Settings ---------------------------------------------------------------------------------


def test_an_option_wins_over_a_variable_and_a_variable_over_the_file(
    tried: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried.configure(METRONOME + "[sizing]\nvalue = 50\n")
    monkeypatch.setenv("AEGIS_SIZING__VALUE", "60")
    monkeypatch.setenv("AEGIS_PAPER__FEE_RATE", "0")
    settings = backtest(tried, "--json", "--set", "sizing.value=70").json["settings"]
    assert settings["sizing.value"] == "70"
    assert settings["paper.fee_rate"] == "0"


def test_the_settings_of_trading_may_be_tried_as_they_are(tried: Place) -> None:
    expected = backtest(tried, "--json").json["head_hash"]
    tried.configure(f'mode = "live"\n{METRONOME}[market]\nsource = "simulated"\nspeed = 60\n')
    told = backtest(tried, "--json").json
    assert told["candles"] == 60
    assert told["settings"].keys() == {"strategy.name", "strategy.params"}
    assert told["head_hash"] == expected


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("risk.stop_los_pct=1", "risk.stop_los_pct: unknown; did you mean risk.stop_loss_pct?"),
        ("risk.stop_loss_pct=x", 'risk.stop_loss_pct: expected a number from 0 to 100, was "x"'),
        (
            "paper.balances={EUR=1}",
            "paper.balances: expected USDT among the coins, for BTC/USDT, was EUR",
        ),
        ("paper.balances.usdt=1", "paper.balances.usdt: expected coins in capitals"),
        ("strategy.params.perod_s=1", "strategy.params.perod_s: unknown"),
        ("risk.stop_loss_pct.x=1", "risk.stop_loss_pct.x: unknown"),
        ("market.speed=1", "market.speed: a backtest says this itself: it goes as fast as it can"),
        ("store.path=x.db", "store.path: a backtest says this itself: its store is thrown away"),
    ],
)
def test_a_bad_setting_is_told_under_its_option(tried: Place, setting: str, expected: str) -> None:
    said = backtest(tried, "--set", setting)
    assert said.code == 78
    assert said.err.startswith(f"--set {expected}")
    assert said.out == ""


@pytest.mark.parametrize("setting", ["risk.stop_loss_pct", "=3", ""])
def test_what_is_no_setting_at_all_is_told(tried: Place, setting: str) -> None:
    said = backtest(tried, "--set", setting)
    assert said.code == 78
    assert said.err == f"--set: expected key=value, was {setting!r}\n"


def test_every_bad_setting_is_told_at_once(tried: Place) -> None:
    said = backtest(tried, "--set", "risk.stop_loss_pct=x", "--set", "sizing.value=0")
    assert [line.partition(":")[0] for line in said.err.splitlines()] == [
        "--set risk.stop_loss_pct",
        "--set sizing.value",
    ]


def test_a_secret_in_an_option_is_not_repeated_anywhere(tried: Place) -> None:
    key = "k3y-of-mine"
    said = backtest(tried, "--set", f"exchange.api_key={key}", "--set", f"exchange.name={key}")
    assert said.code == 78
    assert "AEGIS_EXCHANGE__API_KEY" in said.err
    assert "--set exchange.name: expected a known exchange" in said.err
    assert key not in said.err


def test_what_was_refused_again_and_again_is_told_once(tried: Place) -> None:
    said = backtest(tried, "--set", "sizing.value=0.5")
    assert said.code == 0
    assert row(said, "Trades") == "0"
    assert said.err.startswith("EntryRefused code=too_small text=")
    assert said.err.endswith(" more)\n")
    assert said.err.count("\n") == 1


def test_each_thing_that_was_warned_of_is_told_once(tried: Place) -> None:
    made = rows()
    write(tried.folder, [HEADER, *made[:20], *made[22:40], *made[44:]])
    said = backtest(tried, "--set", "sizing.value=0.5")
    events = [line.partition(" ")[0] for line in said.err.splitlines()]
    assert sorted(events) == ["EntryRefused", "MarketGap"]
    assert "MarketGap symbol=BTC/USDT at=2024-01-01T00:22:00.000000000Z (and 1 more)" in said.err


# Files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_told_by_its_line(tried: Place, temporary: Path, name: str) -> None:
    lines, expected = BROKEN[name]
    write(tried.folder, lines, end="" if name == "a torn last line" else "\n")
    said = backtest(tried)
    assert said.code == 78
    assert expected in said.err
    assert said.out == ""
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (("nowhere.csv",), "--data: expected a file that exists"),
        (("candles.csv", "more.csv"), "--data: expected one file for each of exchange.symbols"),
        (("BTC/USDT=candles.csv", "more.csv"), "--data: expected SYMBOL= before each file"),
        (("BTC/USDT=candles.csv", "ETH/EUR=more.csv"), "--data: expected symbols of one quote"),
        (("BTC/USDT=candles.csv", "BTC/USDT=more.csv"), "--data: expected each symbol once"),
        (("BTC/USDT=candles.csv", "ETH/USDT=candles.csv"), "--data: expected each file once"),
        (("btc/usdt=candles.csv",), '--data: expected symbols as "BTC/USDT", in capitals'),
        (("BTC/USDT=",), "--data: expected a file, as candles.csv or BTC/USDT=candles.csv"),
        (("",), "--data: expected a file, as candles.csv or BTC/USDT=candles.csv"),
        (("BTC/EUR=candles.csv",), "config.toml: paper.balances: expected EUR among the coins"),
    ],
)
def test_files_and_symbols_that_do_not_fit_are_told(
    tried: Place, data: tuple[str, ...], expected: str
) -> None:
    write_scaled(tried, "more.csv", "0.05")
    said = tried.say("backtest", *(word for each in data for word in ("--data", each)))
    assert said.code == 78
    assert said.err.startswith(expected)
    assert said.err.count("\n") == 1


def test_a_file_s_name_may_hold_an_equals_sign(tried: Place) -> None:
    (tried.folder / "a=b.csv").write_text((tried.folder / "candles.csv").read_text())
    assert tried.say("backtest", "--data", "a=b.csv").code == 0


def test_candles_of_another_length_are_told_once(tried: Place) -> None:
    said = backtest(tried, "--set", "market.timeframe=5m")
    assert said.code == 78
    assert "expected candles of 300 s (market.timeframe), was shorter ones" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("symbol", ["ETH/USDT", "DOGE/USDT", "SHIB/USDT", "BTC/EUR", "YFI/USDT"])
def test_any_symbol_can_be_tried_at_its_own_prices(tried: Place, symbol: str) -> None:
    scale = {"ETH": "0.05", "DOGE": "0.000002", "SHIB": "0.0000000003", "BTC": "1", "YFI": "0.2"}
    base, quote = symbol.split("/")
    write_scaled(tried, "own.csv", scale[base])
    said = tried.say(
        "backtest", "--json", "--data", f"{symbol}=own.csv",
        "--set", f"paper.balances.{quote}=10000",
    )  # fmt: skip
    told = said.json
    assert said.code == 0
    assert told["trades"] >= 3
    for trade in told["closed"]:
        # A per cent up and down, less 6 basis points each way: coarse steps would lose more.
        change = Decimal(trade["exit_price"]) / Decimal(trade["entry_price"])
        assert Decimal("0.98") < change < Decimal("1.02")
        worth = Decimal(trade["entry_price"]) * Decimal(trade["amount"])
        assert Decimal("98.9") < worth <= Decimal(101)


# Several symbols --------------------------------------------------------------------------


@pytest.fixture
def three(tried: Place) -> Place:
    write_scaled(tried, "eth.csv", "0.05")
    write_scaled(tried, "doge.csv", "0.000002")
    return tried


THREE = (
    *("--data", "BTC/USDT=candles.csv"),
    *("--data", "ETH/USDT=eth.csv"),
    *("--data", "DOGE/USDT=doge.csv"),
)


def test_several_symbols_are_traded_side_by_side(three: Place) -> None:
    told = three.say("backtest", "--json", *THREE).json
    traded = [trade["symbol"] for trade in told["closed"]]
    assert {traded.count(symbol) >= 3 for symbol in ("BTC/USDT", "ETH/USDT", "DOGE/USDT")} == {True}
    assert told["candles"] == 180


def test_several_symbols_come_to_the_same_end_each_time(three: Place) -> None:
    hashes = {three.say("backtest", "--json", *THREE).json["head_hash"] for _ in range(2)}
    assert len(hashes) == 1


def test_without_symbols_the_files_are_those_of_the_config_in_order(three: Place) -> None:
    expected = three.say("backtest", "--json", *THREE).json
    three.configure(METRONOME + '[exchange]\nsymbols = ["BTC/USDT", "ETH/USDT", "DOGE/USDT"]\n')
    data = [word for name in ("candles", "eth", "doge") for word in ("--data", f"{name}.csv")]
    assert three.say("backtest", "--json", *data).json["head_hash"] == expected["head_hash"]


def test_data_that_end_early_are_told_and_what_is_held_stays_open(tried: Place) -> None:
    write_scaled(tried, "eth.csv", "0.05", count=17)
    said = tried.say("backtest", *THREE[:4])
    assert said.code == 0
    assert "ETH/USDT has no candle after 2024-01-01T00:17Z, the others go on until" in said.err
    left = [line for line in said.out.splitlines() if "ETH/USDT 0." in line]
    assert len(left) == 1


def test_files_without_a_time_in_common_are_told_and_traded(tried: Place) -> None:
    write_scaled(tried, "eth.csv", "0.05", first=60, count=60)
    said = tried.say("backtest", "--json", *THREE[:4])
    assert said.code == 0
    assert {trade["symbol"] for trade in said.json["closed"]} == {"BTC/USDT", "ETH/USDT"}
    apart = "ETH/USDT has no candle before 2024-01-01T01:00Z, when all others' have ended"
    assert apart in said.err


# Its end ----------------------------------------------------------------------------------


def interrupted(place: Place, temporary: Path, times: int) -> Said:
    (place.folder / "own.py").write_text(INTERRUPTING)
    write(place.folder, [HEADER, *rows(MANY)])
    return place.run(
        *("backtest", "--data", "candles.csv", "--set", "strategy.name=own:Interrupting"),
        *("--set", f"strategy.params={{times={times}}}"),
        TMPDIR=str(temporary),
    )


def test_a_backtest_that_is_interrupted_shows_what_there_is(tried: Place, temporary: Path) -> None:
    said = interrupted(tried, temporary, 1)
    assert said.code == 130
    assert row(said, "Ended").startswith("stopped early at 2024-01-01T0")
    assert int(row(said, "Candles").partition(" ")[0]) < MANY
    assert list(temporary.iterdir()) == []


def test_a_second_signal_ends_it_at_once_and_leaves_nothing(tried: Place, temporary: Path) -> None:
    said = interrupted(tried, temporary, 2)
    assert (said.code, said.out) == (1, "")
    assert list(temporary.iterdir()) == []


def test_a_strategy_that_cannot_be_loaded_leaves_nothing(tried: Place, temporary: Path) -> None:
    said = backtest(tried, "--set", "strategy.name=own:Nothing")
    assert said.code == 78
    assert list(temporary.iterdir()) == []


def test_a_strategy_that_hangs_holds_up_no_ctrl_c(tried: Place) -> None:
    write(tried.folder, [HEADER, *rows(MANY)])
    (tried.folder / "hanging.py").write_text(HANGING)

    said = tried.run("backtest", "--data", "candles.csv", "--set", "strategy.name=hanging:Hanging")

    assert said.code == 130
    assert row(said, "Ended").startswith("stopped early")
    assert "it did not return within 1 s of the word to stop" in said.err


def test_a_backtest_whose_entries_were_halted_says_so_and_why(tried: Place) -> None:
    (tried.folder / "failing.py").write_text(FAILING)
    setting = "strategy.name=failing:Failing"

    table, figures = backtest(tried, "--set", setting), backtest(tried, "--set", setting, "--json")

    assert "KeyError: 'boom'" in row(table, "Entries halted")
    assert figures.json["trading_state"] == "REDUCING"
    assert "KeyError: 'boom'" in figures.json["halted_because"]


def test_a_backtest_that_was_never_halted_says_nothing_of_it(tried: Place) -> None:
    assert "Entries halted" not in backtest(tried).out
    assert backtest(tried, "--json").json["trading_state"] == "ACTIVE"


def test_what_refused_the_entries_is_counted_by_name(tried: Place) -> None:
    limited = ("--set", "risk.exposure_max=50")
    said, told = backtest(tried, *limited), backtest(tried, "--json", *limited).json
    refused = told["entries_refused"]["exposure_max"]
    assert (told["trades"], list(told["entries_refused"])) == (0, ["exposure_max"])
    assert refused > 1
    assert row(said, "Entries refused") == f"{refused} by exposure_max"
    assert "Entries refused" not in backtest(tried).out


def test_a_section_is_no_setting_and_one_of_its_own_is_named(tried: Place) -> None:
    said = backtest(tried, "--set", "risk=1")
    expected = "expected a setting, was a section of them; one is risk.cooldown_s"
    assert (said.code, said.err) == (78, f"--set risk: {expected}\n")


def test_a_place_without_a_name_keeps_no_store(tried: Place) -> None:
    said = backtest(tried, "--keep", ".")

    assert said.code == 78
    assert said.err.count("\n") == 1
    assert "--keep" in said.err


def test_what_a_strategy_prints_is_no_data(tried: Place) -> None:
    (tried.folder / "talking.py").write_text(TALKING)

    said = backtest(tried, "--set", "strategy.name=talking:Talking", "--json")

    assert said.json["trades"] == 0
    assert "made" in said.err
    assert "seen" in said.err
