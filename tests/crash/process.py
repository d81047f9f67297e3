"""One life: a process that is started, listened to, and ended by its own handle alone.

Invariant: every wait has an end, and says what it waited for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from aegis.clock import SystemClock, sleep
from tests.forked import Forked

ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.003
LOOK_POLL_S = 0.06
"""A look at the whole store takes 10 ms, and the process under test needs the machine too."""

WAIT_S_MAX = 20.0
"""A start takes half a second; two busy cores may take ten times as long."""

RUN = ("run.py",)
FRONTIER = ("-m", "tests.crash.paper_process")
"""The program itself; and as it is, before an exchange that can be told to go wrong."""

Line = dict[str, Any]
Found = TypeVar("Found")


class Process:
    """One life: a process, and what it has said in the log since its start."""

    def __init__(
        self,
        folder: Path,
        program: tuple[str, ...],
        errors: Path,
        *,
        command: tuple[str, ...] = ("run",),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log = folder / "data" / "aegis.log"
        self._lines: list[Line] = []
        self._offset = self._log.stat().st_size if self._log.exists() else 0
        self._errors = errors
        errors.touch()
        self._forked = Forked(
            words(folder, program, *command),
            ROOT,
            {**clean_environment(), **(environment or {})},
            errors,
        )
        self.pid = self._forked.pid

    @property
    def is_alive(self) -> bool:
        return self._forked.poll() is None

    def errors(self) -> str:
        return self._errors.read_text("utf-8")

    def lines(self, event: str) -> tuple[Line, ...]:
        """Return the lines with an event so far."""
        self._read_on()
        return tuple(line for line in self._lines if line["event"] == event)

    def wait_for(self, event: str) -> Line:
        """Wait until the process says an event for the first time."""

        def first() -> Line | None:
            return next(iter(self.lines(event)), None)

        return self.wait_until(first, lambda: event, POLL_S)

    def wait_until(
        self,
        found: Callable[[], Found | None],
        what: Callable[[], str],
        poll_s: float = LOOK_POLL_S,
    ) -> Found:
        """Wait for something to be there while the process lives."""
        clock = SystemClock()
        end = clock.monotonic() + WAIT_S_MAX
        while clock.monotonic() < end:
            was_alive = self.is_alive
            if (value := found()) is not None:
                return value
            assert was_alive, f"It ended with {self._forked.poll()}: {self.errors()[-2000:]}"
            sleep(poll_s)
        raise AssertionError(f"Expected {what()} within {WAIT_S_MAX} s; {self.errors()[-2000:]}")

    def kill(self) -> None:
        """End it with SIGKILL, at whatever it is."""
        self._forked.kill()
        self._forked.wait(WAIT_S_MAX)

    def terminate(self) -> None:
        """Ask it to end."""
        self._forked.terminate()

    def exit_code(self) -> int:
        """Wait for its end."""
        return self._forked.wait(WAIT_S_MAX)

    def _read_on(self) -> None:
        """Take up the whole lines that were added since the last time."""
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._offset)
            whole, end, _ = log.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        self._lines += [msgspec.json.decode(line, type=Line) for line in whole.split(b"\n") if line]


def command_line(folder: Path, program: tuple[str, ...], *command: str) -> list[str]:
    return [sys.executable, *words(folder, program, *command)]


def words(folder: Path, program: tuple[str, ...], *command: str) -> tuple[str, ...]:
    return (*program, *command, "--config", str(folder / "config.toml"))


def clean_environment() -> dict[str, str]:
    """Return our environment without any setting of AEGIS."""
    return {key: value for key, value in os.environ.items() if not key.startswith("AEGIS_")}
