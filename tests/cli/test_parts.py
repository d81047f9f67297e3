"""The pure parts of the command line."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from aegis.cli import output
from aegis.cli.asking import not_answering
from aegis.cli.settings import config_path
from aegis.cli.summary import Ending, Result, left_rows, replay_rows
from aegis.cli.vitals import is_last, judged
from aegis.cli.wording import balances, counted, moment, money, price, shown
from aegis.domain.ids import Coin, Instant
from aegis.domain.statistics.summary import summarize

USDT, BTC = Coin("USDT"), Coin("BTC")
NOW = "2026-01-01T00:01:00.000Z"


def ending(*left: dict[str, object], unsettled: int = 0) -> Ending:
    return Ending(
        reason="SIGINT",
        trading_state="ACTIVE",
        halted_because="",
        quote=USDT,
        left_open=left,
        orders_unsettled=unsettled,
        events=3,
        head_hash="ab",
    )


def view(**changed: object) -> dict[str, object]:
    usual: dict[str, object] = {
        "symbol": "BTC/USDT",
        "status": "OPEN",
        "amount": "0.5",
        "entry_price": "40000",
        "stop_price": "39200",
    }
    return {**usual, **changed}


@pytest.mark.parametrize(
    ("value", "quote", "expected"),
    [
        (Decimal("-0.3499161050"), USDT, "-0.35"),
        (Decimal("1234567.891"), USDT, "1,234,567.89"),
        ("0.00012345678", BTC, "0.00012346"),
        (None, USDT, "-"),
    ],
)
def test_money_is_rounded_for_people(
    value: Decimal | str | None, quote: Coin, expected: str
) -> None:
    assert money(value, quote) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("40646.561234", "40,646.56"),
        ("12.3456789", "12.3457"),
        ("0.00001234", "0.00001234"),
        (None, "-"),
    ],
)
def test_a_price_has_as_many_decimals_as_its_size_asks_for(
    value: str | None, expected: str
) -> None:
    assert price(value) == expected


def test_words_for_people() -> None:
    assert moment("2024-01-01T00:38:09.122497200Z") == "2024-01-01 00:38:09"
    assert moment(Instant(1_704_067_200_000_000_000)) == "2024-01-01 00:00:00"
    assert moment(None) == "-"
    assert counted(1, "candle") == "1 candle"
    assert counted(2_000, "candle") == "2,000 candles"
    assert balances({USDT: Decimal("10.500"), BTC: Decimal(1)}) == "10.5 USDT, 1 BTC"


def test_a_path_is_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "data" / "aegis.db") == "data/aegis.db"
    assert shown(Path("/elsewhere")) == "/elsewhere"


def test_the_settings_are_those_of_the_folder_then_those_beside_run_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    beside = Path("/opt/aegis")
    assert config_path(None, beside) == beside / "config.toml"
    (tmp_path / "config.toml").touch()
    assert config_path(None, beside) == Path("config.toml")
    assert config_path(Path("mine.toml"), beside) == Path("mine.toml")


def test_what_is_left_open_is_told_by_name() -> None:
    rows = left_rows(ending(view(), view(symbol="ETH/USDT", stop_price=None)))
    assert rows[0] == ("Left open", "BTC/USDT 0.5, entry 40,000.00, stop 39,200.00")
    assert rows[1] == ("Left open", "ETH/USDT 0.5, entry 40,000.00, no stop")
    assert "nothing guards them" in rows[2][1]


@pytest.mark.parametrize(
    ("stops", "told"),
    [
        (1, "1 stop at the exchange, further away, and nothing the other, until AEGIS runs again"),
        (2, "2 stops at the exchange, further away, until AEGIS runs again"),
    ],
)
def test_what_a_stop_at_the_exchange_guards_is_told(stops: int, told: str) -> None:
    left = msgspec.structs.replace(ending(view(), view()), stops_at_exchange=stops)
    assert left_rows(left)[2] == ("", told)


def test_nothing_left_open_is_told_too() -> None:
    assert left_rows(ending()) == [("Left open", "no positions left open")]


def test_an_entry_on_its_way_is_not_told_as_held() -> None:
    assert left_rows(ending(view(status="OPENING", amount="0")))[0] == (
        "Left open",
        "BTC/USDT, its entry at 40,000.00 is on the way",
    )


def test_orders_without_an_answer_are_told() -> None:
    assert left_rows(ending(unsettled=2))[-1][1].startswith("2 orders without an answer")


def test_a_run_without_trades_has_a_table() -> None:
    result = Result(ending=ending(), closed=(), refused={}, summary=summarize([]))
    rows = dict(replay_rows(result, candles=0, seconds=0.0))
    assert rows["Trades"] == "0"
    assert rows["Win rate"] == rows["Profit factor"] == rows["Average P&L"] == "-"
    assert rows["Candles"] == "0 in 0.0 s, 0 a second"


@pytest.mark.parametrize("told", ["a\x1b[2Jb", "a\nb", "a\u2028b", "a\x07b"])
def test_nothing_that_is_shown_gives_orders_to_a_terminal(told: str) -> None:
    assert output.plain(told).isprintable()
    shown_table = output.table(("One",), [(told,)], right=())
    assert all(line.isprintable() for line in shown_table.splitlines())


def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    assert "[red]x[/red] :smile:" in output.table(("One",), [("[red]x[/red] :smile:",)], right=())


def test_no_cell_of_a_piped_table_is_cut() -> None:
    assert "x" * 400 in output.table(("One", "Two"), [("x" * 400, "y" * 400)], right=())


def test_a_terminal_without_our_letters_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    output.make_safe()
    output.tell("ü")
    stream.seek(0)
    assert stream.read() == "\\xfc\n"


def beat(ts: str, **changed: object) -> dict[str, object]:
    usual: dict[str, object] = {"ts": ts, "completed": 5, "is_first": False, "cause": ""}
    return {**usual, **changed}


START = {"ts": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    ("pid", "found", "verdict", "word"),
    [
        (None, beat("2026-01-01T00:00:55.000Z"), "ill", "stopped"),
        (7, None, "ill", "not armed yet"),
        (7, beat("2026-01-01T00:00:55.000Z"), "well", "healthy"),
        (7, beat("2026-01-01T00:00:55.000Z", completed=0), "ill", "idle"),
        (7, beat("2026-01-01T00:00:55.000Z", completed=0, is_first=True), "well", "armed 5 s ago"),
        (7, beat("2026-01-01T00:00:10.000Z"), "ill", "stuck"),
        (7, beat("2025-12-31T23:59:59.000Z"), "ill", "not armed yet"),
        (7, beat("2026-01-01T00:00:55.000Z", cause="strategy"), "ill", "strategy"),
        (7, beat("not a time"), "ill", "not armed yet"),
    ],
)
def test_health_is_judged_by_the_last_heartbeat_of_this_life(
    pid: int | None, found: dict[str, object] | None, verdict: str, word: str
) -> None:
    health = judged(pid, START, found, now=NOW, interval_s=20)
    assert health.is_healthy is (verdict == "well")
    assert word in health.text


@pytest.mark.parametrize(
    ("denied_at", "others", "is_so"),
    [
        (None, (START, None), False),
        ("2026-01-01T00:00:30.000Z", (START, None), True),
        ("2025-12-31T23:59:59.000Z", (START, None), False),
        ("2026-01-01T00:00:30.000Z", (START, {"ts": "2026-01-01T00:00:40.000Z"}), False),
        ("2026-01-01T00:00:30.000Z", (START, {"ts": "2026-01-01T00:00:20.000Z"}), True),
    ],
)
def test_a_line_counts_that_is_of_this_life_and_not_taken_back(
    denied_at: str | None, others: tuple[dict[str, object] | None, ...], *, is_so: bool
) -> None:
    assert is_last(None if denied_at is None else {"ts": denied_at}, *others) is is_so


def test_who_has_the_store_and_does_not_answer_is_named_where_it_is_known() -> None:
    assert "AEGIS (pid 7) has data/aegis.db" in not_answering("data/aegis.db", 7, is_quick=False)
    assert "AEGIS has data/aegis.db" in not_answering("data/aegis.db", 0, is_quick=False)


def test_a_healthy_run_at_full_speed_is_not_called_stuck() -> None:
    told = not_answering("data/aegis.db", 7, is_quick=True)
    assert "a run at market.speed 0 takes no commands" in told
    assert "stuck" not in told
