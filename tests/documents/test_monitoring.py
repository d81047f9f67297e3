"""Each question of docs/monitoring.md is asked, read-only, of a store that has lived."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.codes import Code
from aegis.dialogue import PlaceOrder
from aegis.store.reading import read_positions, read_status, read_totals
from tests.documents.log_lines import ROOT
from tests.simulation.candles import flat
from tests.simulation.faults import REQUEST_LOST, on
from tests.simulation.world import World
from tests.store.looking import read_history

DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text()
QUESTIONS = dict(
    re.findall(r"^### (.+?)\n(?:(?!^###).)*?```sql\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
)
OPENING = re.search(r"^sqlite3 'file:data/aegis\.db(\?[^']*)'$", DOCUMENT, re.MULTILINE)

Rows = list[sqlite3.Row]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with closed trades, a halt, and an exit that nobody answered; its AEGIS died.

    So it has everything that a question asks for, and its log is partly in the -wal file.
    """
    folder = tmp_path_factory.mktemp("monitored")
    world = World(folder, flat(40), script={"enters": [2, 12, 20], "leaves": [8, 16, 26]}).start()
    world.run_until(lambda: len(world.said("PositionClosed")) == 2)
    world.say("halt")
    world.say("resume")
    world.run_until(lambda: len(world.said("PositionOpened")) == 3)
    world.faults = on(PlaceOrder, REQUEST_LOST)
    world.run_until(lambda: world.has_said("OrderOutcomeUnknown"))
    world.drop()
    return world.store_path


def ask(store: Path, title: str) -> Rows:
    assert OPENING is not None
    with closing(sqlite3.connect(f"file:{store}{OPENING[1]}", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return db.execute(QUESTIONS[title]).fetchall()


def test_the_document_has_the_questions_of_the_blueprint() -> None:
    assert {"Reconciliations", "Self-diagnosis", "Positions here and at the exchange"} <= set(
        QUESTIONS
    )
    assert len(QUESTIONS) == DOCUMENT.count("```sql") == DOCUMENT.count("\n### ")


@pytest.mark.parametrize("title", QUESTIONS)
def test_a_question_has_an_answer(store: Path, title: str) -> None:
    rows = ask(store, title)
    assert rows
    assert any(cell is not None for cell in tuple(rows[0]))


def test_asking_changes_nothing_and_may_not(store: Path) -> None:
    before = read_status(store).head_hash, sorted(path.name for path in store.parent.iterdir())
    for title in QUESTIONS:
        ask(store, title)
    assert (read_status(store).head_hash, sorted(p.name for p in store.parent.iterdir())) == before
    assert OPENING is not None
    db = sqlite3.connect(f"file:{store}{OPENING[1]}", uri=True)
    with closing(db), pytest.raises(sqlite3.OperationalError, match="readonly"):
        db.execute("DELETE FROM notifications")


def test_the_days_add_up_to_what_the_store_has(store: Path) -> None:
    days, totals = ask(store, "P&L by day"), read_totals(store)
    assert sum(day["trades"] for day in days) == totals.trades == 2
    assert Decimal(str(sum(day["pnl"] for day in days))) == round(totals.pnl, 2)


def test_the_order_that_nobody_answered_is_in_doubt(store: Path) -> None:
    (order,) = ask(store, "Orders in doubt")
    assert (order["state"], order["role"]) == ("UNKNOWN", "exit")


def test_the_open_positions_are_those_of_the_command(store: Path) -> None:
    told = [row["position_id"] for row in ask(store, "Open positions")]
    assert told == [
        view["position_id"] for view in read_positions(store) if view["status"] != "CLOSED"
    ]
    (row,) = ask(store, "Open positions")
    assert 0 < row["pct_to_stop"] < 3


def test_held_counts_what_is_open(store: Path) -> None:
    (row,) = ask(store, "Positions here and at the exchange")
    assert (row["held"], row["local_positions"]) == (1, 0)


def test_events_are_counted_whole(store: Path) -> None:
    counted: dict[str, Any] = {
        row["event_type"]: row["events"] for row in ask(store, "Events by type")
    }
    assert sum(counted.values()) == len(read_history(store, limit=1_000_000))


def test_the_head_is_the_status_s(store: Path) -> None:
    (row,) = ask(store, "The head")
    status = read_status(store)
    assert (row["event_id"], row["hash"]) == (status.events, status.head_hash)


def test_a_person_s_halt_is_told_with_who_and_why(store: Path) -> None:
    resumed, halted = ask(store, "Trading halted and resumed")[:2]
    assert (halted["state"], halted["actor"]) == ("REDUCING", "operator")
    assert resumed["state"] == "ACTIVE"


def test_every_exit_code_but_usage_is_judged() -> None:
    table = DOCUMENT.partition("| `run.py` exits with")[2].partition("## ")[0]
    told = {
        int(code)
        for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
        for code in row.split(",")
    }
    assert told == {int(code) for code in Code} - {Code.USAGE, Code.INTERRUPTED} | {70}
