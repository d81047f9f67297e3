"""A recording lived through again: the same to the digit, or with other settings beside it."""

from __future__ import annotations

import tempfile
from json import dumps
from pathlib import Path
from typing import Any

import pytest

from tests.cli.candle_files import HEADER, rows, write
from tests.cli.place import Foreground, Place, lived_once
from tests.store.tampering import tamper

CONFIG = """
[market]
source = "replay"
path = "candles.csv"
speed = 0
[strategy]
name = "ema_cross"
params = { fast = 2, slow = 5 }
[sizing]
value = {value}
"""
CANDLES = 120

INTERRUPTED = """
[market]
source = "replay"
path = "candles.csv"
speed = 0
[strategy]
name = "interrupting:Interrupting"
"""

INTERRUPTING = """
import os, signal
from aegis.domain.strategies import Signal

class Interrupting:
    warmup = 0

    def __init__(self, params):
        self.seen = 0

    def on_candle(self, candle, *, is_holding):
        self.seen += 1
        if self.seen == 40 and os.path.exists("stops"):
            os.kill(os.getpid(), signal.SIGINT)
        if self.seen % 7 == 0:
            return Signal.LEAVE if is_holding else Signal.ENTER
"""


def configured(value: int = 100) -> str:
    return CONFIG.replace("{value}", str(value))


def live(place: Place) -> None:
    place.configure(configured())
    write(place.folder, [HEADER, *rows(CANDLES)])
    assert place.say("run").code == 0


@pytest.fixture
def lived(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where a replay has come to its end."""
    return lived_once(place, tmp_path_factory.getbasetemp() / "lived-what-if", live)


def what_if(place: Place, *arguments: str, code: int = 0) -> Any:
    said = place.say("what-if", "--json", *arguments)
    assert said.code == code, said
    return said.json


def head_hash(place: Place) -> str:
    return str(place.say("status", "--json").json["head_hash"])


def test_the_same_settings_make_the_same_log(lived: Place) -> None:
    found = what_if(lived)
    assert found["is_reproduced"] is True
    assert found["head_hash"] == head_hash(lived)
    assert found["original"] == found["what_if"]
    assert found["original"]["trades"] > 2
    assert {trade["kind"] for trade in found["trades"]} == {"same"}


def test_nothing_of_it_is_left_and_the_store_is_as_it_was(lived: Place) -> None:
    before, names = lived.store.read_bytes(), lived.names()
    temporary = set(Path(tempfile.gettempdir()).glob("aegis-what-if-*"))
    what_if(lived, "--set", "risk.stop_loss_pct=1")
    assert (lived.store.read_bytes(), lived.names()) == (before, names)
    assert set(Path(tempfile.gettempdir()).glob("aegis-what-if-*")) == temporary


def test_neither_the_files_nor_the_present_settings_are_needed(lived: Place) -> None:
    (lived.folder / "candles.csv").unlink()
    lived.configure(configured(value=700))
    assert what_if(lived)["is_reproduced"] is True


def test_runs_that_were_set_otherwise_are_gone_one_after_another(place: Place) -> None:
    place.configure(configured())
    write(place.folder, [HEADER, *rows(CANDLES)])
    assert place.say("run").code == 0
    place.configure(configured(value=300))
    write(place.folder, [HEADER, *rows(2 * CANDLES)])
    assert place.say("run").code == 0
    found = what_if(place)
    assert (found["is_reproduced"], found["runs"]) == (True, 2)
    assert found["head_hash"] == head_hash(place)
    assert any("each with its own settings" in note for note in found["notes"])


def test_a_run_that_was_stopped_on_the_way_is_stopped_there_again(place: Place) -> None:
    place.configure(INTERRUPTED)
    (place.folder / "interrupting.py").write_text(INTERRUPTING)
    (place.folder / "stops").touch()
    write(place.folder, [HEADER, *rows(3 * CANDLES)])
    assert "stopped early" in place.say("run").out
    (place.folder / "stops").unlink()
    (place.folder / "interrupting.py").write_text(f"{INTERRUPTING}# changed\n")
    assert place.say("run").code == 0
    found = what_if(place)
    assert (found["is_reproduced"], found["runs"]) == (True, 2)
    assert found["head_hash"] == head_hash(place)
    assert "the strategy's code is another one than when it was recorded" in found["notes"]


def test_a_run_over_data_that_had_ended_is_lived_again_too(lived: Place) -> None:
    assert lived.say("run").code == 0
    found = what_if(lived)
    assert (found["is_reproduced"], found["runs"]) == (True, 2), found["parting"]
    assert found["head_hash"] == head_hash(lived)


def test_another_setting_is_tried_over_each_trade(lived: Place) -> None:
    found = what_if(lived, "--set", "paper.fee_rate=0")
    assert found["tried"] == ["paper.fee_rate: 0.001 -> 0"]
    assert found["is_reproduced"] is None
    assert {trade["kind"] for trade in found["trades"] if trade["original"]["closed_at"]} == {
        "changed"
    }
    assert (found["what_if"]["fees"], found["original"]["fees"] != "0") == ("0", True)


def test_people_see_what_was_tried_both_totals_and_each_trade_that_differs(lived: Place) -> None:
    said = lived.say("what-if", "--set", "strategy.params.slow=9")
    assert said.code == 0
    for word in ("Tried", "slow = 9", "Original", "What if", "Total P&L", "only in the"):
        assert word in said.out


def test_without_a_setting_people_see_that_it_is_the_same(lived: Place) -> None:
    said = lived.say("what-if")
    assert f"head hash {head_hash(lived)}" in said.out
    assert "Reproduced" in said.out


def test_an_interval_begins_flat_with_the_equity_of_then(lived: Place) -> None:
    found = what_if(lived, "--from", "2024-01-01T00:30", "--to", "2024-01-01T01:30")
    assert found["is_flat_at_begin"]
    assert found["candles"] == 60
    assert found["is_reproduced"] is True
    opened = [trade["original"]["opened_at"] for trade in found["trades"]]
    assert opened
    assert min(opened) >= "2024-01-01T00:30"
    assert max(opened) < "2024-01-01T01:30"


def test_an_interval_begins_with_what_the_original_was_worth_then(place: Place) -> None:
    by_equity = configured(9).replace("[sizing]", "[paper]\nfee_rate = 0.01\n[sizing]")
    place.configure(f'{by_equity}method = "equity_pct"\n')
    write(place.folder, [HEADER, *rows(CANDLES)])
    assert place.say("run").code == 0
    flat_from = what_if(place)["trades"][1]["original"]["closed_at"][:17] + "30"
    found = what_if(place, "--from", flat_from)
    assert len(found["trades"]) > 1
    assert {trade["kind"] for trade in found["trades"]} == {"same"}


def test_what_was_held_where_it_begins_is_left_out_and_told(lived: Place) -> None:
    second = what_if(lived)["trades"][1]["original"]
    found = what_if(lived, "--from", second["opened_at"][:17] + "30")
    assert any("held 1 position then" in note for note in found["notes"])
    ids = [trade["original"] and trade["original"]["position_id"] for trade in found["trades"]]
    assert second["position_id"] not in ids


def test_what_was_imported_before_the_first_run_is_left_out_of_the_proof(place: Place) -> None:
    place.configure(configured())
    write(place.folder, [HEADER, *rows(CANDLES)])
    held = {"BTC/USDT": {"amount": 0.01, "entry_price": 40_000, "stop_loss": 30_000}}
    (place.folder / "old.json").write_text(dumps({"positions": held}), "utf-8")
    assert place.say("import", "old.json").code == 0
    assert place.say("run").code == 0

    found = what_if(place)

    assert found["is_reproduced"] is True, found["parting"]
    assert found["decisions"] > 0
    assert any("both sides are flat" in note for note in found["notes"])


def test_a_run_that_was_killed_is_compared_as_far_as_it_is_recorded(place: Place) -> None:
    place.configure(configured())
    write(place.folder, [HEADER, *rows(2 * CANDLES)])
    assert place.say("run").code == 0
    tamper(
        place.store,
        "DELETE FROM recorded_runs WHERE kind = 'end'",
        "DELETE FROM recorded_candles WHERE block_id = 2",
    )
    found = what_if(place)
    assert found["is_reproduced"] is True
    assert found["ends_at"] == "2024-01-01T02:08:00.000000000Z"
    assert {trade["kind"] for trade in found["trades"]} == {"same"}
    assert "each event up to the end" in place.say("what-if").out


def test_a_log_that_was_lived_otherwise_is_told_with_its_first_event(lived: Place) -> None:
    assert lived.say("halt").code == 0
    found = what_if(lived, code=1)
    assert found["is_reproduced"] is False
    assert found["parting"]["original"].startswith("TradingStateChanged by operator")
    assert found["parting"]["what_if"] == "has ended"
    assert found["notes"] == [
        "what people said or had booked counted 1 time and is not lived again: TradingStateChanged"
    ]
    said = lived.say("what-if")
    assert f"no, from event {found['parting']['event_id']} on" in said.out


BAD_OPTIONS = {
    "market.speed=3": "a what-if says this itself",
    "nonsense": "expected key=value",
    "risk.stop_los_pct=3": "did you mean risk.stop_loss_pct?",
    "sizing.value=-1": "--set sizing.value",
}


@pytest.mark.parametrize("setting", BAD_OPTIONS)
def test_a_setting_that_means_nothing_is_refused_in_a_line(lived: Place, setting: str) -> None:
    said = lived.say("what-if", "--set", setting)
    assert (said.code, said.out) == (78, "")
    assert BAD_OPTIONS[setting] in said.err
    assert len(said.err.splitlines()) == 1


def test_a_store_from_before_the_recording_is_told_so(lived: Place) -> None:
    tamper(lived.store, "DELETE FROM recorded_runs")
    said = lived.say("what-if")
    assert (said.code, said.out) == (1, "")
    assert "has recorded no run" in said.err
    assert what_if(lived, code=1)["reason"] in said.err


def test_before_the_first_run_a_line_says_what_to_do(place: Place) -> None:
    assert "No store yet" in place.say("what-if").err


def test_a_damaged_recording_is_corruption_and_nothing_is_run(lived: Place) -> None:
    tamper(lived.store, "UPDATE recorded_candles SET data = x'00'")
    said = lived.say("what-if")
    assert said.code == 65
    assert "the candles of BTC/USDT" in said.err


@pytest.mark.long
def test_a_run_on_threads_is_decided_alike(place: Place) -> None:
    place.configure("[strategy]\nparams = { fast = 3, slow = 8 }\n")
    running = Foreground(place.folder)
    running.wait_for("PositionClosed", 4)
    running.end()
    found = what_if(place)
    assert found["is_reproduced"] is True
    assert found["decisions"] >= 4
