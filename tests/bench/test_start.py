"""What the measurement of starts makes of what it sees."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.bench.measuring import Failed
from tests.bench.start import command
from tests.bench.start.command import AGAIN, NEW, PAPER, Memory, Round, memory_of, starts_of
from tests.bench.start.lives import ARMED, GATEWAY, RECONCILED, STORE, Held, Life, life_of
from tests.bench.start.watched import Watch, resident_kib

BEGAN = 1_700_000_000.0


def line(event: str, seconds: float) -> str:
    ts = datetime.fromtimestamp(BEGAN + seconds, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"ts": ts, "event": event})


def life(store_s: float) -> Life:
    return Life(store_s=store_s, gateway_s=store_s, reconciled_s=store_s, armed_s=store_s)


def round_of(bare_s: float, store_s: float) -> Round:
    return Round(bare_s, {NEW.format(PAPER): life(9), AGAIN.format(PAPER): life(store_s)})


def test_a_life_is_told_by_the_first_line_of_each_kind() -> None:
    lines = [line(STORE, 0.25), line(GATEWAY, 0.5), line(RECONCILED, 0.75), line(ARMED, 1.0)]
    found = life_of("\n".join([*lines, line(RECONCILED, 60)]), BEGAN)
    expected = Life(store_s=0.25, gateway_s=0.5, reconciled_s=0.75, armed_s=1.0)
    assert found == expected


def test_a_log_without_an_arming_is_no_life() -> None:
    with pytest.raises(Failed, match=f"tell of {ARMED}$"):
        life_of("\n".join(line(event, 0) for event in (STORE, GATEWAY, RECONCILED)), BEGAN)


@pytest.mark.parametrize(("store_s", "is_met"), [(0.4, True), (0.41, False)])
def test_a_start_is_judged_by_the_bare_import_of_its_own_round(
    store_s: float, *, is_met: bool
) -> None:
    rounds = [round_of(0.2, store_s), round_of(0.2, store_s), round_of(0.9, 1.0)]
    new, again = starts_of(rounds)
    assert (new.is_met, again.is_met) == (None, is_met)
    assert again.ratio == pytest.approx(store_s / 0.2)


def test_memory_is_the_most_of_some_lives_and_all_of_it_where_no_class_is_loaded() -> None:
    held = [Held(before_mib=None, armed_mib=50), Held(before_mib=None, armed_mib=61)]
    assert memory_of(PAPER, held) == Memory(name=PAPER, before_mib=61, armed_mib=61)
    assert not memory_of(PAPER, held).is_met
    held = [Held(before_mib=60, armed_mib=90), Held(before_mib=40, armed_mib=91)]
    assert memory_of("live", held) == Memory(name="live", before_mib=60, armed_mib=91)
    assert memory_of("live", held).is_met


@pytest.mark.parametrize(
    ("store_s", "before_mib", "code"), [(0.4, 60, 0), (0.5, 60, 1), (0.4, 61, 1)]
)
def test_a_goal_of_time_or_memory_that_is_missed_is_an_exit_code(
    store_s: float,
    before_mib: float,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    memory = Memory(name=PAPER, before_mib=before_mib, armed_mib=70)
    turns = ([round_of(0.2, store_s)], [memory])
    monkeypatch.setattr(command, "turns_beside_an_exchange", lambda *_: turns)
    assert command.compare(1, is_json=True) == code
    told = json.loads(capsys.readouterr().out)
    assert [each["is_met"] for each in told["starts"]] == [None, store_s == 0.4]


def test_memory_is_noted_once_when_an_exchanges_library_is_asked_for(tmp_path: Path) -> None:
    note = tmp_path / "note"
    watch = Watch(note)
    watch.find_spec("ccxtras")
    assert not note.exists()
    watch.find_spec("ccxt")
    assert int(note.read_text()) > 1_000
    note.write_text("5")
    watch.find_spec("ccxt")
    assert note.read_text() == "5"


def test_memory_is_read_from_a_status_of_linux() -> None:
    assert resident_kib("VmHWM:\t  999 kB\nVmRSS:\t   58952 kB\n") == 58_952


@pytest.mark.long
def test_all_starts_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    command.compare(1, is_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told["starts"]] == [
        "paper, a new store",
        "paper, again",
        "live, a new store",
        "live, again",
    ]
    paper, live = told["memory"]
    assert paper["before_mib"] == paper["armed_mib"]
    assert live["before_mib"] < live["armed_mib"]
