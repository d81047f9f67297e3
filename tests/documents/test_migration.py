"""docs/migration.md, performed: each command of its phases in order, and the way back, by time."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aegis.clock import SystemClock
from aegis.domain.account import TradingState
from aegis.exchange.paper_ledger import read_ledger
from aegis.store.reading import read_positions, read_status
from aegis.store.verify import verify
from tests.cli.candle_files import HEADER, rows, write
from tests.cli.place import Foreground, Place
from tests.documents.log_lines import ROOT

DOCUMENT = (ROOT / "docs" / "migration.md").read_text()
PHASES = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^##).)*?```\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
)
PYTHON = ".venv/bin/python "
TIMES = [int(seconds) for seconds in re.findall(r"^\| .* \| (\d+) s \|$", DOCUMENT, re.MULTILINE)]

STATE = {
    "positions": {
        "BTC/USDT": {"side": "BUY", "entry_price": 40000.5, "amount": 0.02, "stop_loss": 30000},
    },
    "total_trades": 17,
}


@pytest.fixture
def place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Place:
    made = Place(tmp_path, capsys, monkeypatch)
    (tmp_path / "old_state.json").write_text(json.dumps(STATE))
    write(tmp_path, [HEADER, *rows()])
    (tmp_path / "candles.csv").rename(tmp_path / "btc.csv")
    return made


class Migration:
    """Whoever follows the document, line by line; the last `run.py` runs until it is stopped."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.running: Foreground | None = None

    def follow(self, phase: str) -> float:
        """Do what a phase says; return the seconds that it took."""
        (lines,) = [block for title, block in PHASES.items() if title.startswith(phase)]
        monotonic = SystemClock().monotonic
        began = monotonic()
        for line in lines.splitlines():
            self._do(line)
        return monotonic() - began

    def _do(self, line: str) -> None:
        folder = self._place.folder
        match line.split():
            case ["python3", *_]:
                return  # the test's own environment is made already
            case ["cp", source, target]:
                shutil.copyfile(folder / source, folder / target)
            case ["mv", source, target]:
                (folder / source).rename(folder / target)
            case ["#", "Ctrl-C,", *_]:
                assert self.running is not None
                assert self.running.end().code == 0
                self.running = None
            case _:
                self._run(line)

    def _run(self, line: str) -> None:
        command, _, target = line.partition(" > ")
        assert command.startswith(f"{PYTHON}run.py"), f"Expected a command of ours, was {line}"
        arguments = command.removeprefix(f"{PYTHON}run.py").split()
        if not arguments:
            self.running = Foreground(self._place.folder)
            self.running.wait_for("StrategyArmed")
            self.running.wait_for("Heartbeat")
            return
        said = self._place.say(*arguments)
        assert said.code == 0, (line, said)
        if target:
            (self._place.folder / target).write_text(said.out)


@pytest.fixture
def migration(place: Place) -> Iterator[Migration]:
    made = Migration(place)
    yield made
    if made.running is not None:
        made.running.clear()


def test_the_document_has_the_four_phases_and_the_way_back() -> None:
    assert [title.partition(":")[0] for title in PHASES] == [
        "Phase A", "Phase B", "Phase C", "Phase D", "The way back",
    ]  # fmt: skip
    assert len(TIMES) == 2


def test_every_phase_is_performed_and_the_way_back_within_the_times_that_are_told(
    place: Place, migration: Migration
) -> None:
    kept = (place.folder / "old_state.json").read_bytes()

    migration.follow("Phase A")
    migration.follow("Phase B")
    assert not place.store.exists()  # both leave nothing behind

    cut_over_s = migration.follow("Phase C")
    assert [row["symbol"] for row in read_positions(place.store)][:1] == ["BTC/USDT"]
    migration.follow("Phase D")
    back_s = migration.follow("The way back")

    assert cut_over_s < TIMES[0]
    assert back_s < TIMES[1]
    assert (place.folder / "old_state.json").read_bytes() == kept
    assert (place.folder / "old_state.kept.json").read_bytes() == kept
    _expect_whole(place.folder)


def _expect_whole(folder: Path) -> None:
    """Expect that what was set aside is whole, and that the old system can be told of it."""
    aside = folder / "data_set_aside" / "aegis.db"
    assert verify(aside).ok
    assert read_status(aside).account.trading_state is TradingState.REDUCING
    balances = read_ledger(aside.with_name("aegis.db.paper")).balances
    assert read_status(aside).account.balances == balances
    told = json.loads((folder / "positions_at_rollback.json").read_text())
    assert [row["status"] for row in told] == ["OPEN"] * len(told)


MANY = 100


def test_many_positions_come_in_within_seconds(place: Place) -> None:
    symbols = [f"C{number}/USDT" for number in range(MANY)]
    place.configure(f"[exchange]\nsymbols = {json.dumps(symbols)}\n")
    lines = ["symbol,amount,entry_price", *(f"{symbol},3,20" for symbol in symbols)]
    (place.folder / "many.csv").write_text("\n".join(lines))
    monotonic: Callable[[], float] = SystemClock().monotonic
    began = monotonic()
    assert place.say("import", "many.csv").code == 0
    assert monotonic() - began < TIMES[0]
    assert len(read_positions(place.store, "OPEN")) == MANY
