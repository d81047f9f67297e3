"""The first hour with AEGIS, line by line: a clone of the last commit, and what a person types.

The environment is the running interpreter's; `.ci/run` makes one anew.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.place import PATIENCE_S, ROOT, Foreground, Said, clean_environ

START_UP = ["Starting", "StoreOpened", "ReconciliationCompleted", "DiagnosisCompleted",
            "StrategyArmed"]  # fmt: skip
BEATING = {"AEGIS_SUPERVISOR__HEARTBEAT_S": "1"}
"""A heartbeat that a test can wait for."""

CONSENTS = ("--live (or AEGIS_LIVE=1)", "AEGIS_EXCHANGE__API_KEY", "AEGIS_EXCHANGE__SECRET")

QUICK = {"AEGIS_MARKET__SPEED": "3600"}


class Clone:
    """A folder with the last commit in it, and what is said there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, environ: Mapping[str, str] | None = None) -> Said:
        done = subprocess.run(
            [sys.executable, "run.py", *arguments],
            cwd=self.folder,
            env=clean_environ(environ or {}),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def start(self, environ: Mapping[str, str] | None = None) -> Foreground:
        program = self.folder / "run.py"
        return Foreground(self.folder, program=program, environ=environ or {})

    def names(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    git = shutil.which("git")
    assert git is not None, "Expected git, to take a fresh copy with"
    folder = tmp_path_factory.mktemp("first-hour") / "aegis"
    subprocess.run([git, "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


@pytest.fixture
def clone(cloned: Path, tmp_path: Path) -> Clone:
    """Give each test a clone in which nothing has happened yet."""
    made = tmp_path / "aegis"
    shutil.copytree(cloned, made, ignore=shutil.ignore_patterns(".git", "tests", "data"))
    return Clone(made)


@pytest.fixture(scope="module")
def lived(cloned: Path) -> Iterator[tuple[Clone, Foreground]]:
    """Give AEGIS as it is started with no settings at all, but for its heartbeat."""
    clone = Clone(cloned)
    aegis = clone.start(BEATING)
    yield clone, aegis
    aegis.clear()


# Before the first run -----------------------------------------------------------------------


def test_status_before_any_run_says_how_to_start(clone: Clone) -> None:
    before = clone.names()
    assert clone.run("status") == Said(
        0, "No store yet at data/aegis.db; start with: python run.py\n", ""
    )
    assert clone.names() - before == {name for name in clone.names() if "__pycache__" in name}


def test_config_check_says_what_would_run(clone: Clone) -> None:
    assert clone.run("config", "check") == Said(
        0, "ok: paper, simulated, BTC/USDT, ema_cross\n", ""
    )


def test_a_misspelt_variable_is_answered_with_the_setting_that_was_meant(clone: Clone) -> None:
    assert clone.run("config", "check", environ={"AEGIS_RISK__STOP_LOS_PCT": "2"}) == Said(
        78, "", "AEGIS_RISK__STOP_LOS_PCT: unknown; did you mean risk.stop_loss_pct?\n"
    )


@pytest.mark.parametrize("arguments", [(), ("run",), ("config", "check")])
def test_live_wants_real_prices(clone: Clone, arguments: tuple[str, ...]) -> None:
    said = clone.run(*arguments, environ={"AEGIS_MODE": "live"})
    assert (said.code, said.out) == (78, "")
    assert said.err.startswith('AEGIS_MODE: mode: expected "paper", or market.source = "exchange"')
    assert not (clone.folder / "data").exists()


def test_nobody_is_well_before_the_first_run(clone: Clone) -> None:
    said = clone.run("health")
    assert said.code == 1
    assert said.out.startswith("stopped: ")


# The first run ------------------------------------------------------------------------------


def test_the_start_tells_its_story_in_five_lines(lived: tuple[Clone, Foreground]) -> None:
    _, aegis = lived
    aegis.wait_for("StrategyArmed")
    told = [line.split()[1] for line in aegis.lines]
    assert told[: told.index("StrategyArmed") + 1] == START_UP
    assert "recovered 0 events" in aegis.lines[1]


def test_a_second_instance_says_who_is_there(lived: tuple[Clone, Foreground]) -> None:
    clone, aegis = lived
    aegis.wait_for("StrategyArmed")
    assert clone.run() == Said(
        75, "", f"Another AEGIS (pid {aegis.process.pid}) uses data/aegis.db\n"
    )


def test_health_counts_the_cycles(lived: tuple[Clone, Foreground]) -> None:
    clone, aegis = lived
    aegis.wait_for("Heartbeat", count=2)
    said = clone.run("health", environ=BEATING)
    assert said.code == 0
    assert re.fullmatch(r"healthy: [1-9]\d* cycles in 1 s\n", said.out)


def test_status_of_what_runs_names_its_process(lived: tuple[Clone, Foreground]) -> None:
    clone, aegis = lived
    aegis.wait_for("StrategyArmed")
    told = clone.run("status", "--json").json
    assert told["pid"] == aegis.process.pid
    assert told["vitals"]["arming"]["is_armed"] is True


@pytest.mark.parametrize(
    ("command", "before", "after"),
    [("halt", "ACTIVE", "REDUCING"), ("resume", "REDUCING", "ACTIVE")],
)
def test_what_acts_answers_with_the_state_before_and_after(
    lived: tuple[Clone, Foreground], command: str, before: str, after: str
) -> None:
    clone, aegis = lived
    aegis.wait_for("StrategyArmed")
    said = clone.run(command)
    assert said.code == 0
    assert said.out.startswith(f"{before} -> {after} ")


def test_within_seconds_a_trade_is_over_and_ctrl_c_ends_with_a_summary(
    lived: tuple[Clone, Foreground],
) -> None:
    _, aegis = lived
    aegis.wait_for("PositionClosed")
    said = aegis.end(signal.SIGINT)
    assert said.code == 0
    assert re.search(r"^Trades closed +[1-9]", said.out, re.MULTILINE)
    assert re.search(r"^Total P&L +-?\d", said.out, re.MULTILINE)
    assert "Traceback" not in said.err


def test_health_of_what_was_stopped_says_so(lived: tuple[Clone, Foreground]) -> None:
    clone, aegis = lived
    assert aegis.process.poll() is not None, "Expected the test above to have ended it"
    said = clone.run("health")
    assert (said.code, said.out) == (1, "stopped: nobody holds the store\n")


# When it goes wrong -------------------------------------------------------------------------


@pytest.fixture
def begin(clone: Clone) -> Iterator[Callable[..., Foreground]]:
    started: list[Foreground] = []

    def start(**environ: str) -> Foreground:
        started.append(clone.start(environ))
        return started[-1]

    yield start
    for aegis in started:
        aegis.clear()


def test_health_of_what_is_stuck_says_so(clone: Clone, begin: Callable[..., Foreground]) -> None:
    aegis = begin(**BEATING, **QUICK)
    aegis.wait_for("Heartbeat")
    aegis.process.send_signal(signal.SIGSTOP)
    tick = threading.Event()
    for _ in range(40):
        said = clone.run("health", environ=BEATING)
        if said.code:
            break
        tick.wait(0.2)
    aegis.process.send_signal(signal.SIGCONT)
    assert (said.code, said.out.partition(":")[0]) == (1, "stuck")


def test_after_a_kill_everything_is_as_it_was(
    clone: Clone, begin: Callable[..., Foreground]
) -> None:
    name, period = "AEGIS_STRATEGY__NAME", "AEGIS_STRATEGY__PARAMS__PERIOD_S"
    first = begin(**QUICK, **{name: "metronome", period: "7200"})
    first.wait_for("PositionOpened")
    first.process.kill()
    first.process.wait(PATIENCE_S)
    before = held(clone)
    events = clone.run("status", "--json").json["events"]

    again = begin(AEGIS_MARKET__SPEED="1", **{name: "metronome", period: "7200"})
    assert f'text="recovered {events} events"' in again.wait_for("StoreOpened")
    again.wait_for("StrategyArmed")
    again.end()
    assert held(clone) == before
    assert clone.run("verify").code == 0


def held(clone: Clone) -> list[tuple[Any, ...]]:
    """Return what is held, with its stops."""
    found = clone.run("positions", "--json").json
    assert found, "Expected an open position"
    keys = ("position_id", "amount", "entry_price", "stop_price", "take_profit_price", "status")
    return [tuple(view[key] for key in keys) for view in found]


# Help ---------------------------------------------------------------------------------------


def test_the_version_is_told(clone: Clone) -> None:
    assert re.fullmatch(r"AEGIS \d+\.\d+\.\d+\n", clone.run("--version").out)


def test_completion_knows_the_commands(clone: Clone) -> None:
    asked = {"_RUN.PY_COMPLETE": "complete_bash", "COMP_WORDS": "run.py stat", "COMP_CWORD": "1"}
    assert clone.run(environ=asked).out.split() == ["status", "statistics"]
    assert not (clone.folder / "data").exists()


def test_the_log_of_the_first_run_is_json(lived: tuple[Clone, Foreground]) -> None:
    clone, _ = lived
    lines = (clone.folder / "data" / "aegis.log").read_text().splitlines()
    assert all(json.loads(line)["event"] for line in lines)
    assert os.stat(clone.folder / "data" / "aegis.log").st_mode & 0o777 == 0o600  # noqa: PTH116  a mode
