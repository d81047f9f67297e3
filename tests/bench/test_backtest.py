"""The measurement itself, over a small file and with a peer that is made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.bench import backtest, engines
from tests.bench.engines import Peer
from tests.bench.measuring import Failed, measured
from tests.simulation.candles import walk, write_replay

COUNT = 300
MADE = Peer(name="made", runner="made.py", variable="BENCH_MADE_PYTHON")


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    return write_replay(tmp_path / "source.csv", walk(COUNT, seed=3))


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a peer known whose script is still to be written."""
    monkeypatch.setattr(engines, "PEERS", tmp_path)
    monkeypatch.setattr(backtest, "PEERS_KNOWN", (MADE,))
    return tmp_path / MADE.runner


def told_of(
    source: Path, capsys: pytest.CaptureFixture[str], *, is_json: bool = True
) -> tuple[int, str]:
    pythons = {MADE.name: sys.executable}
    capsys.readouterr()
    code = backtest.compare(source, count=None, runs=1, pythons=pythons, is_json=is_json)
    return code, capsys.readouterr().out


def test_trades_are_compared_before_a_ratio_is_told(
    candles: Path, peer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = 'import json; print(json.dumps({"version": "1", "seconds": 0.5, "trades": []}))'
    peer.write_text(said)

    code, out = told_of(candles, capsys)

    ours, kept, theirs = json.loads(out)["engines"]
    assert code == 1
    assert ours["trades"] == kept["trades"] >= 3
    assert (ours["differences"], kept["differences"]) == ([], [])
    assert ours["cpu_ratio"] == 1
    assert kept["cpu_ratio"] > 0
    assert len(theirs["differences"]) == ours["trades"]
    assert theirs["cpu_ratio"] is None


def test_a_peer_that_fails_ends_the_measurement(
    candles: Path, peer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer.write_text("raise SystemExit('no such library')")

    assert (
        backtest.compare(
            candles, count=100, runs=1, pythons={MADE.name: sys.executable}, is_json=False
        )
        == 1
    )
    captured = capsys.readouterr()
    assert "no such library" in captured.err
    assert captured.out == ""


def test_a_process_is_measured_whole(tmp_path: Path) -> None:
    code = "import sys; held = bytes(40_000_000); sum(range(10**6)); sys.stdout.write('done')"
    found = measured([sys.executable, "-c", code], tmp_path, {})

    assert found.out == b"done"
    assert found.cpu_s > 0
    assert found.wall_s > 0
    assert found.memory_mib_max > 40


def test_a_process_that_fails_is_told_by_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="ended with 3: why"):
        measured(
            [sys.executable, "-c", "import sys; sys.stderr.write('why'); sys.exit(3)"],
            tmp_path,
            {},
        )
