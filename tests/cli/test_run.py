"""run.py as a person starts it: real processes, signals, and what they leave."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from aegis.clock import SystemClock
from tests.cli.candle_files import HEADER, REPLAY, rows, write
from tests.cli.place import METRONOME, PATIENCE_S, ROOT, RUN, Foreground, Place, clean_environ
from tests.store.histories import open_store

STOP_S_MAX = 2.0
SLOW_LIBRARIES = ("ccxt", "pykka", "apsw", "pydantic", "structlog")

Start = Callable[..., Foreground]


@pytest.fixture
def trading(place: Place, foreground: Start) -> Foreground:
    """AEGIS in the foreground, trading every second of market time that it can."""
    place.configure(METRONOME.format(speed=3600, period_s=600))
    return foreground()


def test_help_loads_no_library_that_takes_time() -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", str(RUN), "--help"],
        env=clean_environ({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "reconcile" in told.stdout
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "typer" in loaded
    assert loaded.isdisjoint(SLOW_LIBRARIES)


def test_a_look_loads_neither_what_trades_nor_what_draws(place: Place) -> None:
    with closing(open_store(place.store)):
        told = subprocess.run(
            [sys.executable, "-X", "importtime", str(RUN), "status"],
            cwd=place.folder,
            env=clean_environ({}),
            capture_output=True,
            text=True,
            check=True,
        )
    assert told.stdout.startswith("AEGIS ")
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "apsw" in loaded
    assert loaded.isdisjoint({"ccxt", "pykka", "structlog", "rich", "aegis.exchange.paper_ledger"})


def test_trading_on_paper_loads_nothing_of_real_exchanges(place: Place) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    told = subprocess.run(
        [sys.executable, "-X", "importtime", str(RUN), "run"],
        cwd=place.folder,
        env=clean_environ({}),
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "aegis.exchange.paper" in loaded
    assert loaded.isdisjoint({"ccxt", "ccxt.base.errors", "requests", "cryptography"})


def test_the_version_is_told(place: Place) -> None:
    said = place.run("--version")
    assert said.code == 0
    assert said.out.startswith("AEGIS ")


def test_an_unknown_command_is_a_usage_error(place: Place) -> None:
    said = place.run("stauts")
    assert said.code == 2
    assert "status" in said.err
    assert said.out == ""


def test_a_look_at_no_store_creates_nothing(place: Place) -> None:
    said = place.run("status")
    assert (said.code, said.out) == (
        0,
        "No store yet at data/aegis.db; start with: python run.py\n",
    )
    assert place.names() == {"config.toml"}


def test_settings_come_from_the_environment_too(place: Place) -> None:
    write(place.folder, [HEADER, *rows()])
    said = place.run(
        "--json",
        AEGIS_MARKET__SOURCE="replay",
        AEGIS_MARKET__PATH="candles.csv",
        AEGIS_MARKET__SPEED="0",
        AEGIS_STORE__PATH="elsewhere/own.db",
    )
    assert said.code == 0
    assert said.json["candles"] == 60
    assert (place.folder / "elsewhere" / "own.db").exists()


def test_hash_seeds_change_nothing_and_settings_change_the_head(place: Place) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])

    def head(store: str, **environ: str) -> str:
        said = place.run("--json", AEGIS_STORE__PATH=store, **environ)
        assert said.code == 0, said.err
        return str(said.json["head_hash"])

    first = head("data/1.db", PYTHONHASHSEED="1")
    assert head("data/2.db", PYTHONHASHSEED="2") == first
    assert head("data/3.db", AEGIS_STRATEGY__PARAMS__PERIOD_S="240") != first


def test_a_bad_replay_file_is_named_by_its_line_and_nothing_is_made(place: Place) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows(), "not a candle"])
    before = place.names()
    said = place.run()
    assert said.code == 78
    assert "candles.csv:62" in said.err
    assert "Traceback" not in said.err
    assert place.names() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_time_with_a_summary(
    trading: Foreground, number: signal.Signals
) -> None:
    trading.wait_for("PositionClosed")
    clock = SystemClock()
    began = clock.monotonic()
    said = trading.end(number)
    assert clock.monotonic() - began < STOP_S_MAX
    assert said.code == 0
    assert "Trades closed" in said.out
    assert "Left open" in said.out
    assert "Traceback" not in said.err


def test_the_summary_names_the_position_left_open(place: Place, foreground: Start) -> None:
    place.configure(METRONOME.format(speed=3600, period_s=7_200))
    aegis = foreground("run")
    aegis.wait_for("PositionOpened")
    said = aegis.end()
    assert said.code == 0
    assert "Left open          BTC/USDT 0.0" in said.out
    assert "entry " in said.out
    assert "stop " in said.out
    again = place.run("positions", "--json").json
    assert [each["status"] for each in again] == ["OPEN"]


def test_what_is_kept_when_it_ends_verifies(place: Place, trading: Foreground) -> None:
    trading.wait_for("PositionClosed")
    assert trading.end().code == 0
    assert place.run("verify", "--json").json["ok"] is True


def test_a_second_instance_leaves_with_75_and_one_line(place: Place, trading: Foreground) -> None:
    trading.wait_for("StrategyArmed")
    said = place.run()
    assert said.code == 75
    assert said.err.count("\n") == 1
    assert str(trading.process.pid) in said.err
    assert said.out == ""
    assert trading.end().code == 0


def test_looks_and_commands_work_beside_it(place: Place, trading: Foreground) -> None:
    trading.wait_for("PositionClosed")
    status = place.run("status", "--json").json
    assert status["is_running"] is True
    assert status["pid"] == trading.process.pid
    assert status["is_answering"] is True
    states = {part["name"]: part["state"] for part in status["vitals"]["tree"]["parts"]}
    assert states["Guard"] == "running"
    assert len(states) == 10
    assert status["vitals"]["arming"]["is_armed"] is True
    assert place.run("verify").code == 0
    assert place.run("statistics", "--json").json["trades"] > 0
    assert place.run("report", "--html", "page.html").code == 0
    assert place.run("health").out.startswith("healthy")
    assert place.run("halt").out == "ACTIVE -> REDUCING (halt): halted by the operator\n"
    assert place.run("status", "--json").json["trading_state"] == "REDUCING"
    assert place.run("resume", "--json").json["is_done"] is True
    assert "ok       chain" in place.run("diagnose", "--dry-run").out
    assert "0 discrepancies" in place.run("reconcile", "--dry-run").out
    assert place.run("flatten").code == 0
    trading.wait_for("TradingStateChanged", count=4)  # halted, resumed, flattening, flat
    said = trading.end()
    assert "no positions left open" in said.out


def test_nobody_is_well_after_the_end(place: Place, trading: Foreground) -> None:
    trading.wait_for("Heartbeat")
    assert place.run("health").code == 0
    trading.end()
    said = place.run("health")
    assert said.code == 1
    assert said.out.startswith("stopped")


def hang_up(place: Place, aegis: Foreground, settings: str) -> None:
    place.configure(settings)
    aegis.process.send_signal(signal.SIGHUP)


def test_sighup_changes_what_can_change_and_names_what_cannot(
    place: Place, trading: Foreground
) -> None:
    settings = (place.folder / "config.toml").read_text()
    trading.wait_for("PositionClosed")
    changed = settings.replace("[strategy]", "seed = 2\n[strategy]")
    hang_up(place, trading, changed + "[risk]\nstop_loss_pct = 3\n[log]\nlevel = 'debug'\n")
    line = trading.wait_for("ConfigRead")
    assert 'changed=["log.level: \\"info\\" -> \\"debug\\"","risk.stop_loss_pct: 2 -> 3"]' in line
    assert 'at_next_start=["market.seed: 1 -> 2"]' in line
    trading.wait_for("OrderIntended")
    assert trading.end().code == 0
    lines = [json.loads(each) for each in place.log.read_text().splitlines()]
    read = next(at for at, each in enumerate(lines) if each["event"] == "ConfigRead")
    intended = next(at for at in range(read, len(lines)) if lines[at]["event"] == "OrderIntended")
    opened = [each for each in lines[intended:] if each["event"] == "PositionOpened"]
    for each in opened:
        assert float(each["stop_price"]) / float(each["price"]) == pytest.approx(0.97, abs=1e-4)
    assert place.run("verify").code == 0


def test_sighup_keeps_everything_old_on_a_fault(place: Place, trading: Foreground) -> None:
    settings = (place.folder / "config.toml").read_text()
    trading.wait_for("StrategyArmed")
    hang_up(place, trading, settings + "[risk]\nstop_loss_pct = -3\n[sizing]\nvalue = 50\n")
    assert "risk.stop_loss_pct" in trading.wait_for("ConfigKept")
    trading.wait_for("PositionClosed", count=2)
    hang_up(place, trading, settings)
    assert "changed=[] at_next_start=[]" in trading.wait_for("ConfigRead")
    assert trading.end().code == 0


def test_a_service_manager_hears_ready_work_and_the_end(place: Place, foreground: Start) -> None:
    place.configure(METRONOME.format(speed=3600, period_s=600))
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(place.folder / "notify"))
        manager.settimeout(PATIENCE_S)
        aegis = foreground(NOTIFY_SOCKET=str(place.folder / "notify"), WATCHDOG_USEC="400000")
        heard: list[str] = []
        while heard.count("WATCHDOG=1") < 3:
            heard.append(manager.recv(4096).decode())
        assert heard.index("READY=1") < heard.index("WATCHDOG=1")
        assert heard.count("READY=1") == 1
        assert aegis.end(signal.SIGTERM).code == 0
        manager.settimeout(0)
        while not heard[-1].startswith("STOPPING=1"):
            heard.append(manager.recv(4096).decode())
        assert heard[-1] == "STOPPING=1\nSTATUS=stopping: SIGTERM"


def test_a_market_that_ends_ends_the_run(place: Place, foreground: Start) -> None:
    place.configure(REPLAY.replace("speed = 0", "speed = 3600"))
    write(place.folder, [HEADER, *rows()])
    said = foreground().ended()
    assert said.code == 0
    assert "the market ended" in said.out
    assert "PositionClosed" in said.err


EARLY = """
import os, signal, sys
sys.argv = ["run.py"]
import builtins, runpy
real, sent = builtins.__import__, []
def importing(name, *rest, **named):
    if name == {name!r} and not sent:
        sent.append(name)
        os.kill(os.getpid(), signal.{number})
    return real(name, *rest, **named)
builtins.__import__ = importing
runpy.run_path({run!r}, run_name="__main__")
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("name", ["aegis.cli.main", "typer", "aegis.config.file", "pykka"])
def test_a_signal_that_comes_early_ends_it_with_0_and_no_traceback(
    place: Place, name: str, number: str
) -> None:
    done = early(place, name, number)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["aegis.cli.main", "typer", "aegis.config.file", "pykka"])
def test_a_hang_up_that_comes_early_ends_nothing(place: Place, name: str) -> None:
    place.configure(REPLAY)
    write(place.folder, [HEADER, *rows()])
    done = early(place, name, "SIGHUP")
    assert done.returncode == 0
    assert "the data ended" in done.stdout


def early(place: Place, name: str, number: str) -> subprocess.CompletedProcess[str]:
    """Run AEGIS, with a signal at the moment when a module is first asked for."""
    program = EARLY.format(name=name, number=number, run=str(RUN))
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=place.folder,
        env=clean_environ({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_replay_that_is_stopped_says_where(place: Place, foreground: Start) -> None:
    place.configure("[market]\nspeed = 0\n[strategy]\nname = 'metronome'\n")
    aegis = foreground("run")
    clock = SystemClock()
    until = clock.monotonic() + 20
    while not (place.log.exists() and "PositionClosed" in place.log.read_text()):
        assert clock.monotonic() < until
        threading.Event().wait(0.01)
    said = aegis.end()
    assert said.code == 0
    assert re.search(r"Ended +stopped early at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ; ", said.out)


def test_the_second_signal_ends_a_process_at_once() -> None:
    program = (
        "import os, signal, threading\n"
        "from supervisors.signals import signals\n"
        "with signals():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    threading.Event().wait(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("arguments", [("config", "show"), ("--help",), ("verify", "--help")])
def test_a_reader_that_has_gone_changes_no_exit_code(
    place: Place, arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, str(RUN), *arguments],
        cwd=place.folder,
        env=clean_environ({}),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert done.stderr == b""


def test_a_full_disk_behind_stdout_is_told(place: Place) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123  a device
        done = subprocess.run(
            [sys.executable, str(RUN), "config", "show"],
            cwd=place.folder,
            env=clean_environ({}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "stdout: No space left on device\n"


def test_closed_streams_break_nothing(place: Place) -> None:
    shell = f'"{sys.executable}" "{RUN}" config check >&- 2>&-'
    done = subprocess.run(
        ["/bin/sh", "-c", shell], cwd=place.folder, env=clean_environ({}), check=False
    )
    assert done.returncode == 0


def test_it_can_be_started_from_any_folder(place: Place) -> None:
    (place.folder / "config.toml").unlink()
    said = place.run("config", "check")
    assert said.code == 0
    assert said.err == f"settings: {ROOT / 'config.toml'}\n"
