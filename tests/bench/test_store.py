"""The store's bench compares like with like, and its goals say what was missed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.engines import ROOT
from tests.bench.store import command
from tests.bench.store.command import Sizes, compare
from tests.bench.store.goals import Bound, Goal, rows_of
from tests.bench.store.plain import Deciding, Raw, Stdlib, run_writer
from tests.bench.store.reading import append_marks
from tests.bench.store.workload import Timing, marks, opened, store_of, written

TINY = Sizes(single=10, grouped=60, asked=128, positions_many=20, log=50)
EVENTS = """
SELECT event_id, position_id, event_type, event_data, actor, version
FROM position_events WHERE event_type = 'PositionMarked' ORDER BY event_id
"""
POSITIONS = "SELECT * FROM positions WHERE symbol <> '' ORDER BY position_id"


def rows(path: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(question).fetchall()


def timing(events: int, wall_s: float) -> Timing:
    return Timing(events=events, wall_s=wall_s, cpu_s=wall_s / 2)


@pytest.mark.parametrize(
    ("kind", "name"), [(Raw, "raw.db"), (Deciding, "raw.db"), (Stdlib, "stdlib.db")]
)
def test_raw_writes_the_rows_that_the_store_writes(
    kind: type[Raw | Stdlib], name: str, tmp_path: Path
) -> None:
    begun = opened(3)
    store = store_of(tmp_path, begun)
    append_marks(store, marks(begun.positions, 30), begun.at, batch=7)
    store.close()

    run_writer(kind, tmp_path, begun, written(begun, 30), 7)

    assert len(rows(store.path, EVENTS)) == 30
    assert rows(tmp_path / name, EVENTS) == rows(store.path, EVENTS)
    assert rows(tmp_path / name, POSITIONS) == rows(store.path, POSITIONS)


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_medians() -> None:
    timings = {
        "ours": [timing(10, 1.0), timing(10, 4.0), timing(10, 2.0)],
        "theirs": [timing(10, 1.0), timing(10, 2.0), timing(10, 8.0)],
    }
    met, other = rows_of(timings, [Goal("ours", "theirs", 1.0)])

    assert (met.ratio, met.goal, met.is_met) == (1.0, "1", True)
    assert (met.rate, met.wall_us, met.cpu_us) == (5.0, 200_000.0, 100_000.0)
    assert (other.ratio, other.is_met) == (None, None)


def test_a_goal_that_is_missed_is_told_as_missed() -> None:
    timings = {"ours": [timing(10, 2.0)], "theirs": [timing(10, 1.0)]}

    missed, told, _ = rows_of(timings, [Goal("ours", "theirs", 0.51), Goal("ours", "theirs")])

    assert (missed.ratio, missed.is_met) == (0.5, False)
    assert (told.ratio, told.is_met) == (0.5, None)


def test_a_bound_is_of_the_time_of_one_event() -> None:
    timings = {"ours": [timing(10, 2.0)]}
    met, missed = rows_of(timings, [Bound("ours", 200), Bound("ours", 199)])
    assert (met.goal, met.is_met) == ("200 ms", True)
    assert (missed.goal, missed.is_met) == ("199 ms", False)


@pytest.mark.parametrize("walls", [(1.0, 1.0, 1.0, 9.0), (1.0, 1.1, 1.2, 1.3), (2.0,)])
def test_rounds_that_are_near_each_other_are_not_noisy(walls: tuple[float, ...]) -> None:
    timings = {"a": [timing(10, wall) for wall in walls], "b": [timing(10, 1.0) for _ in walls]}
    assert not any(row.is_noisy for row in rows_of(timings, [Goal("a", "b", 0.1)]))


def test_a_disk_that_is_slow_for_both_sides_makes_no_ratio_noisy() -> None:
    timings = {name: [timing(10, wall) for wall in (1.0, 5.0, 25.0)] for name in ("a", "b")}
    judged, plain = rows_of(timings, [Goal("a", "b")])
    assert (judged.is_noisy, judged.spread) == (False, 0.0)
    assert plain.is_noisy


def test_the_table_says_how_ratio_and_rates_belong_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    timings = {"a": [timing(10, wall) for wall in (1.0, 5.0, 25.0)], "b": [timing(10, 1.0)] * 3}
    command._tell(rows_of(timings, [Goal("a", "b", 0.1)]), 300.0, 3)
    said = capsys.readouterr().out
    assert "met, noisy" in said
    assert "not that of the two medians of rates" in said


def test_a_library_that_is_missing_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "pytest.py").write_text("raise ModuleNotFoundError(name='pytest')")
    said = subprocess.run(
        (sys.executable, "-m", "tests.bench", "--help"),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert said.returncode == 1
    assert said.stderr == "Expected pytest, of the tests' libraries: pip install -e '.[test]'\n"


@pytest.mark.long
def test_every_contender_runs_and_every_goal_is_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(TINY, runs=1, is_json=True, folder=tmp_path)

    told = json.loads(capsys.readouterr().out)
    assert list(tmp_path.iterdir()) == []
    names = {row["name"] for row in told["rows"]}
    assert {goal.of for goal in command.GOALS} <= names
    assert all(row["rate"] > 0 for row in told["rows"])
    assert told["bytes_an_event"] > 100
