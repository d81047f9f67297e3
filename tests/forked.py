"""Processes that are forked from one that has loaded AEGIS already, and nothing else.

Loading takes half of what a short life costs, and hundreds of tests start one. They are processes
as any other: a pid and files of their own, killed by the same signals. Starting as a person does
is tried where that is what a test is about (tests/cli/test_run.py, tests/cli/test_first_hour.py).

Invariant: what was loaded before the fork has opened nothing and started no thread.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.loaded"])


class Forked:
    """A program that runs; used as one from `subprocess`, without its pipes."""

    def __init__(
        self, program: Sequence[str], folder: Path, environment: Mapping[str, str], errors: Path
    ) -> None:
        """Begin `FILE WORD...` or `-m MODULE WORD...`; what stderr hears is added to a file."""
        self._process: ForkServerProcess = _FORKS.Process(
            target=_live, args=(tuple(program), folder, dict(environment), errors), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return its exit code; None while it lives."""
        return self._process.exitcode

    def wait(self, s_max: float) -> int:
        self._process.join(s_max)
        assert self._process.exitcode is not None, f"Expected an end within {s_max} s"
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _live(
    program: tuple[str, ...], folder: Path, environment: dict[str, str], errors: Path
) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream, opened in enumerate((nothing, nothing, said)):
        os.dup2(opened, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    name, is_module = (program[1], True) if program[0] == "-m" else (program[0], False)
    sys.argv[:] = [name, *program[1 + is_module :]]
    if is_module:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(name, run_name="__main__")
