"""The hand as a person uses it: a command line of its own, beside AEGIS or without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.cli.conftest import *  # noqa: F403  the fixtures of the command line's tests
from tests.cli.place import METRONOME, Foreground, Place
from tests.paper_hand import main


@pytest.fixture
def account(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place where AEGIS has lived, on the seed, over a few candles."""
    from tests.cli.candle_files import HEADER, REPLAY, rows, write

    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    assert place.say("run").code == 0
    monkeypatch.chdir(place.folder)
    return place


def said(capture: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capture.readouterr()
    try:
        code = main(arguments)
    except SystemExit as end:
        code = int(str(end.code))
    told = capture.readouterr()
    return code, told.out, told.err


def test_what_is_done_by_hand_is_shown(account: Place, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "buy", "BTC/USDT", "0.5", "--price", "50")
    assert (code, out.partition(": ")[2]) == (0, "buy 0.5 BTC/USDT at 50\n")
    assert said(capsys, "deposit", "ETH", "3")[:2] == (0, "ETH: 3\n")
    code, out, _ = said(capsys, "show")
    assert code == 0
    assert "ETH 3\n" in out
    assert "buy 0.5 BTC/USDT at 50" in out


@pytest.mark.parametrize(
    ("arguments", "expected", "line"),
    [
        ((), 2, "required: command"),
        (("buy",), 2, "required: symbol, amount"),
        (("buy", "BTC/USDT", "x"), 2, "expected a positive figure, was 'x'"),
        (("buy", "BTC/USDT", "1", "--price", "NaN"), 2, "expected a positive figure, was 'NaN'"),
        (("withdraw", "USDT", "-5"), 2, "expected a positive figure, was '-5'"),
        (("buy", "nonsense", "1"), 1, "expected a symbol like BTC/USDT, was 'nonsense'"),
        (("buy", "CRO/USDT", "1"), 1, "nobody has traded CRO/USDT yet; say at which --price"),
        (("buy", "BTC/USDT", "0.123456"), 1, "expected an amount in steps of 0.00001"),
        (("sell", "ETH/USDT", "1", "--price", "5"), 1, "expected 1 ETH free, was 0"),
        (("withdraw", "USDT", "1000000"), 1, "expected 1000000 USDT free"),
        (("cancel", "x-99"), 1, "expected an open order, as `show` lists them, was 'x-99'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    account: Place,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    expected: int,
    line: str,
) -> None:
    code, out, err = said(capsys, *arguments)
    assert (code, out) == (expected, "")
    assert line in err
    assert err.count("\n") == 1


def test_an_account_that_is_not_there_is_told_and_not_made(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.configure(METRONOME.format(speed=3600, period_s=600))
    before = place.names()
    code, _, err = said(capsys, "--config", str(place.folder / "config.toml"), "show")
    assert (code, err.count("\n")) == (1, 1)
    assert "start AEGIS once" in err
    assert place.names() == before


def test_another_store_s_account_is_named_by_its_path(
    account: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "--store", "elsewhere.db", "show")
    assert code == 1
    assert "elsewhere.db.paper" in err


ONCE = """
from aegis.domain.strategies import Signal

class Once:
    warmup = 0

    def __init__(self, params):
        self.has_held = False

    def on_candle(self, candle, *, is_holding):
        self.has_held = self.has_held or is_holding
        return None if self.has_held else Signal.ENTER
"""

HOLDING = """
[market]
speed = 600
[strategy]
name = "once:Once"
[risk]
stop_loss_pct = 0
take_profit_pct = 0
"""


@pytest.fixture
def holding(place: Place, foreground: Callable[..., Foreground]) -> Place:
    """AEGIS in the foreground, holding a position that it will never leave by itself."""
    (place.folder / "once.py").write_text(ONCE)
    place.configure(HOLDING)
    foreground().wait_for("PositionOpened")
    return place


def held(place: Place) -> tuple[str, str]:
    (position,) = place.run("positions", "--json").json
    return position["position_id"], position["amount"]


def by_hand(
    place: Place, capture: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str, str]:
    return said(capture, "--config", str(place.folder / "config.toml"), *arguments)


def test_beside_a_running_aegis_a_position_sold_by_hand_is_found_and_closed(
    holding: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    _, amount = held(holding)
    assert by_hand(holding, capsys, "sell", "BTC/USDT", amount)[0] == 0

    told = holding.run("reconcile")

    assert told.code == 0, told.out
    assert "phantom BTC/USDT" in told.out
    (closed,) = holding.run("positions", "--all", "--json").json
    assert (closed["status"], closed["notes"]) == ("CLOSED", "closed_by_hand")
    assert holding.run("reconcile", "--dry-run").out == "0 discrepancies, nothing changed\n"


def test_beside_a_running_aegis_what_was_withdrawn_is_resolved_by_a_word(
    holding: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    position, amount = held(holding)
    assert holding.run("resolve", position, "--transferred").code == 1
    assert by_hand(holding, capsys, "withdraw", "BTC", amount)[0] == 0

    told = holding.run("resolve", position, "--transferred")

    assert told.code == 0, told.out
    assert f"OPEN {amount} BTC -> CLOSED, neither gain nor loss (resolve)" in told.out
    assert holding.run("reconcile").out == "0 discrepancies, nothing changed\n"
    assert holding.run("verify").code == 0
