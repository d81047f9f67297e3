"""From the arguments to an exit code: the one entry, and the one way out.

Invariants:
1. Every way out has an exit code; no mistake of a person's shows a traceback.
2. The process never waits for a thread when it leaves.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from aegis.cli.loading import loading_first

if TYPE_CHECKING:
    from aegis.cli.asking import Act
    from aegis.cli.running import Start
    from aegis.strategy_loader import Shield


class _HandedIn(NamedTuple):
    """What run.py hands in; see `main`."""

    beside: Path
    engine: Callable[[], Start]
    office: Callable[[], Act]
    shield: Shield


def main(
    arguments: Sequence[str],
    *,
    beside: Path,
    engine: Callable[[], Start],
    office: Callable[[], Act],
    shield: Shield,
) -> int:
    """Carry out the command and return the exit code.

    `beside` is the folder of run.py; `engine` loads what runs AEGIS, and only `run` calls it;
    `office` loads what does a person's errand where no AEGIS runs.
    `shield` runs a person's code and returns what came of it, whatever that raises.
    """
    with loading_first(), _interruptible() as is_interrupted:
        try:
            handed_in = _HandedIn(beside, engine, office, shield)
            return _main(arguments, handed_in, is_interrupted)
        except KeyboardInterrupt:  # before a command had begun
            return 0


def leave(code: int) -> NoReturn:
    """End the process at once: what was written is out, and threads are not waited for."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # it was closed, or nobody reads it
            continue
    os._exit(code)


def _main(
    arguments: Sequence[str],
    handed_in: _HandedIn,
    is_interrupted: Callable[[], bool],
) -> int:
    from aegis.cli.app import command
    from aegis.cli.output import make_safe
    from aegis.cli.session import Session

    make_safe()
    session = Session(*handed_in)
    try:
        command.main(args=list(arguments), prog_name="run.py", obj=session)
    except SystemExit as end:
        if is_interrupted():  # whatever the interrupted code made of it
            return session.code_of_interrupt
        if isinstance(end.__context__, BrokenPipeError):  # the help's reader had read enough
            return 0
        return end.code if isinstance(end.code, int) else 1
    return 0


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let SIGTERM interrupt as SIGINT does, until a run has its own way of hearing them.

    Yields what says whether one of them came.
    """
    heard: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        heard.append(number)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
