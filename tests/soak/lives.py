"""Long lives of AEGIS: how its memory goes, and what its files say in the end.

Two kinds: a seeded one in this process, in which a day takes seconds, and the program itself on
the clock. Memory is sampled on the way; a life's first quarter is its warming up.
"""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from aegis.clock import SystemClock, draw_hex, sleep, wall_text
from aegis.domain.ids import NANOS_PER_SECOND, Instant
from aegis.log.logger import configure
from supervisors.channels import messengers_of
from supervisors.quick import NoControl, seeded_runtime
from supervisors.seeded import SeededRuntime
from supervisors.system import System
from tests.crash.process import ROOT, clean_environment
from tests.simulation.world import config_of

SAMPLES = 48
DRAIN_S_MAX = 30.0
START_S_MAX = 60.0
POLL_S = 0.05

CLOCK_CONFIG = """
[market]
speed = 600
"""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """Memory at one moment. `blocks` are the interpreter's own, where it can be asked."""

    at_s: float
    resident_kb: int
    blocks: int | None = None


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Where its files are, its exit code, and its memory; `at_s` counts from its beginning."""

    store: Path
    log: Path
    exit_code: int
    samples: tuple[Sample, ...]

    @property
    def settled(self) -> tuple[Sample, ...]:
        """The samples after the first quarter."""
        return self.samples[len(self.samples) // 4 :]

    def lines(self) -> list[dict[str, Any]]:
        """Return every line of the log, as far back as its files go; raises on one that is none."""
        files = sorted(self.log.parent.glob(f"{self.log.name}*"), key=_age)
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def _age(path: Path) -> int:
    number = path.suffix.removeprefix(".")
    return -int(number) if number.isdigit() else 0


def live_seeded(folder: Path, hours: int) -> Life:
    """Trade on the simulated market for hours of market time, on the seeded runtime."""
    config = config_of(folder, {"market": {"speed": 0}})
    log = configure(config.log.path, "info", 20, 5, console=None, now_text=wall_text)
    runtimes: list[SeededRuntime] = []

    def runtime_of(start: Instant) -> SeededRuntime:
        runtimes.append(seeded_runtime(config)(start))
        return runtimes[0]

    system = System(
        config,
        folder=folder,
        runtime_of=runtime_of,
        log=log,
        control=NoControl(),
        messengers=messengers_of(config, log),
        draw_incarnation=lambda: draw_hex(16),
    )
    runtime = runtimes[0]
    gc.freeze()  # what was there before this life is not looked through again and again
    began = runtime.clock.now()
    system.start(seed=1)
    samples = []
    for number in range(1, SAMPLES + 1):
        at_s = hours * 3600 * number / SAMPLES
        runtime.run_until(Instant(began + int(at_s * NANOS_PER_SECOND)))
        gc.collect()
        blocks = sys.getallocatedblocks()
        samples.append(Sample(at_s=at_s, resident_kb=resident_kb("self"), blocks=blocks))
    system.stop()
    runtime.run_while(system.verdicts.empty)
    exit_code = system.verdicts.get_nowait().exit_code
    system.close()
    log.close()
    gc.unfreeze()
    return Life(
        store=config.store.path, log=config.log.path, exit_code=exit_code, samples=tuple(samples)
    )


def live_on_the_clock(folder: Path, seconds: float) -> Life:
    """Run the program at 600 times the clock, end it with SIGTERM, and look at its memory."""
    (folder / "config.toml").write_text(CLOCK_CONFIG)
    clock, samples = SystemClock(), []
    with (folder / "console.txt").open("wb") as console:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "run.py"), "--config", str(folder / "config.toml")],
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
        try:
            _wait_until_armed(folder / "console.txt")
            began = clock.monotonic()
            while (at_s := clock.monotonic() - began) < seconds:
                sleep(seconds / SAMPLES)
                samples.append(Sample(at_s=at_s, resident_kb=resident_kb(str(process.pid))))
            process.send_signal(signal.SIGTERM)
            exit_code = process.wait(DRAIN_S_MAX)
        finally:
            process.kill()
            process.wait(DRAIN_S_MAX)
    data = folder / "data"
    return Life(
        store=data / "aegis.db",
        log=data / "aegis.log",
        exit_code=exit_code,
        samples=tuple(samples),
    )


def _wait_until_armed(console: Path) -> None:
    clock = SystemClock()
    end = clock.monotonic() + START_S_MAX
    while "StrategyArmed" not in console.read_text():
        assert clock.monotonic() < end, f"It did not start: {console.read_text()[-2000:]}"
        sleep(POLL_S)


def resident_kb(process: str) -> int:
    """Return what a process holds in memory."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError(f"Expected {process} to live")
