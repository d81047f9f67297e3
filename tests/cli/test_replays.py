"""Runs at speed 0, in process, over files written here; and looks at what they left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.cli.candle_files import BROKEN, HEADER, REPLAY, rows, write
from tests.cli.place import Place, Said
from tests.store.tampering import flip, tamper

CHANGE = "UPDATE position_events SET actor = 'nobody' WHERE event_id = 5"


@pytest.fixture
def replay(place: Place) -> Place:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    return place


@pytest.fixture
def lived(replay: Place) -> Place:
    """Give a place whose replay has been run to its end."""
    assert replay.say("run").code == 0
    return replay


def row(said: Said, name: str) -> str:
    """Return what a table says beside a name."""
    found = [line for line in said.out.splitlines() if line.startswith(name)]
    assert len(found) == 1, f"Expected one row {name} in {said.out}"
    return found[0].removeprefix(name).strip()


def test_a_replay_ends_by_itself_with_a_table(replay: Place) -> None:
    said = replay.say("run")
    assert said.code == 0
    assert int(row(said, "Trades")) >= 3
    assert row(said, "Candles").startswith("60 in ")
    for name in ("Win rate", "Average P&L", "Total P&L ", "Fees", "Profit factor"):
        assert row(said, name) != ""
    assert row(said, "Worst drawdown").endswith("USDT")
    assert row(said, "Stop and target both touched") == "0 candles"
    assert len(row(said, "Head hash")) == 64


def test_without_a_command_it_runs(replay: Place) -> None:
    assert row(replay.say(), "Candles").startswith("60 in ")


def test_nothing_is_shown_of_a_piped_run_but_its_result(replay: Place) -> None:
    assert replay.say("run").err == ""


def test_json_says_the_same_as_the_table(replay: Place) -> None:
    told = replay.say("run", "--json").json
    assert told["trades"] >= 3
    assert told["candles"] == 60
    assert Decimal(told["pnl_total"]) < 0
    assert Decimal(told["fees"]) > 0
    assert {"win_rate_pct", "pnl_average", "profit_factor", "drawdown_worst"} <= told.keys()
    assert told["candles_both_touched"] == 0
    assert told["pnl_total_best"] == told["pnl_total"]


def test_the_json_option_may_stand_before_the_command(replay: Place) -> None:
    assert replay.say("--json", "run").json["candles"] == 60


def test_equal_replays_end_with_the_same_head_hash(replay: Place) -> None:
    first = replay.say("run", "--json").json["head_hash"]
    replay.configure(REPLAY + '[store]\npath = "data/other.db"\n')
    assert replay.say("run", "--json").json["head_hash"] == first


def test_a_replay_that_has_ended_ends_again_at_once(lived: Place) -> None:
    told = lived.say("run", "--json")
    assert told.code == 0
    assert told.json["candles"] < 60


def test_what_is_left_open_is_named(replay: Place) -> None:
    replay.configure(REPLAY.replace("300", "1800"))
    write(replay.folder, [HEADER, *rows(50)])
    said = replay.say("run")
    left = row(said, "Left open")
    assert left.startswith("BTC/USDT 0.00")
    assert "entry 40,0" in left
    assert "stop 39,2" in left
    assert "nothing guards them until AEGIS runs again" in said.out


def test_a_table_says_when_nothing_is_left_open(replay: Place) -> None:
    write(replay.folder, [HEADER, *rows(54)])
    assert row(replay.say("run"), "Left open") == "no positions left open"


def test_a_replayed_store_verifies(lived: Place) -> None:
    said = lived.say("verify")
    assert said.code == 0
    assert said.out.startswith("ok: ")
    told = lived.say("verify", "--json").json
    assert told["ok"] is True
    assert told["problems"] == []
    assert told["events"] > 50
    assert len(told["head_hash"]) == 64


def test_the_status_tells_what_the_store_is_and_holds(lived: Place) -> None:
    said = lived.say("status")
    assert said.code == 0
    made_for = row(said, "Made for")
    assert made_for.startswith("paper, replay:candles.csv:")
    assert made_for.endswith(", main at cryptocom")
    assert row(said, "AEGIS").endswith("not running")
    assert row(said, "Trading") == "ACTIVE"
    told = lived.say("status", "--json").json
    assert told["is_running"] is False
    assert told["events"] == lived.say("verify", "--json").json["events"]
    assert Decimal(told["balances"]["USDT"]) < 10_000


def test_positions_are_the_open_ones_unless_all_are_wanted(lived: Place) -> None:
    everything = lived.say("positions", "--all", "--json").json
    opened = lived.say("positions", "--json").json
    assert {each["status"] for each in everything} >= {"CLOSED"}
    assert not any(each["status"] in {"CLOSED", "VOID"} for each in opened)
    assert len(everything) > len(opened)


def _first_position(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = place.say("positions", "--all", "--json").json[0]
    return found


def test_a_history_tells_the_life_of_a_position(lived: Place) -> None:
    position_id = _first_position(lived)["position_id"]
    said = lived.say("history", position_id)
    for event in ("OrderIntended", "OrderSubmitted", "OrderFilled", "PositionClosed"):
        assert event in said.out
    assert "t-1" in said.out


def test_the_history_ends_with_the_newest_event(lived: Place) -> None:
    told = lived.say("history", "--json", "--limit", "3").json
    events = lived.say("verify", "--json").json["events"]
    assert [each["event_id"] for each in told] == [events - 2, events - 1, events]


def test_an_id_that_no_position_has_is_told(lived: Place) -> None:
    said = lived.say("history", "nobody")
    assert said.code == 1
    assert "nobody" in said.err
    assert said.out == ""


@pytest.mark.parametrize("command", ["verify", "run"])
def test_a_page_that_was_changed_is_told_as_corrupt(lived: Place, command: str) -> None:
    flip(lived.store, lived.store.stat().st_size // 2)
    said = lived.say(command)
    assert said.code == 65
    assert "pages" in said.out + said.err


@pytest.mark.parametrize("command", ["status", "positions", "history", "health"])
def test_a_look_at_a_changed_store_has_an_answer_in_words(lived: Place, command: str) -> None:
    for offset in range(2_000, lived.store.stat().st_size, 4_096):
        flip(lived.store, offset)
    said = lived.say(command)
    assert said.code in {1, 65}
    assert said.out + said.err != ""


def test_verification_names_the_event_that_was_changed(lived: Place) -> None:
    tamper(lived.store, CHANGE)
    told = lived.say("verify", "--json")
    assert told.code == 65
    assert told.json["ok"] is False
    assert any("5" in problem["text"] for problem in told.json["problems"])
    assert lived.say("verify").out.splitlines()[-1].startswith("not ok: ")


def test_a_store_that_is_gone_is_not_told_as_one_that_never_was(lived: Place) -> None:
    for path in lived.store.parent.glob("aegis.db*"):
        if path.name not in {"aegis.db.mark", "aegis.db.paper"}:
            path.unlink()
    for command in ("verify", "status", "run"):
        said = lived.say(command)
        assert said.code == 65
        assert "the database is gone" in said.out + said.err


def test_a_store_of_another_market_is_refused(lived: Place) -> None:
    lived.configure("[market]\nspeed = 0\n")
    said = lived.say("run")
    assert said.code == 78
    assert "market" in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_replay_file_is_refused_before_anything_is_made(replay: Place, name: str) -> None:
    lines, expected = BROKEN[name]
    write(replay.folder, lines, end="" if name == "a torn last line" else "\n")
    before = replay.names()
    said = replay.say("run")
    assert said.code == 78
    assert expected in said.err
    assert said.out == ""
    assert "Traceback" not in said.err
    assert replay.names() == before


def test_every_fault_of_a_replay_file_is_told_at_once(replay: Place) -> None:
    made = [HEADER, *rows()]
    made[4], made[9] = made[4].replace(",12.5", ",x"), made[9].replace(",12.5", ",-3")
    write(replay.folder, made)
    said = replay.say("run")
    assert [line.split(": ")[0].rpartition(":")[2] for line in said.err.splitlines()] == ["5", "10"]


def test_a_gap_is_no_fault(replay: Place) -> None:
    made = rows()
    write(replay.folder, [HEADER, *made[:20], *made[30:]])
    assert replay.say("run", "--json").json["candles"] == 50
