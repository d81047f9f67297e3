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
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from aegis.cli.running import Start


def main(arguments: Sequence[str], *, beside: Path, engine: Callable[[], Start]) -> int:
    """Carry out the command and return the exit code.

    `beside` is the folder of run.py; `engine` loads what runs AEGIS, and only `run` calls it.
    """
    with _interruptible():
        try:
            return _main(arguments, beside, engine)
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


def _main(arguments: Sequence[str], beside: Path, engine: Callable[[], Start]) -> int:
    import typer

    from aegis.cli.app import Session, app
    from aegis.cli.output import make_safe

    make_safe()
    command = typer.main.get_command(app)
    try:
        command.main(args=list(arguments), prog_name="run.py", obj=Session(beside, engine))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGTERM interrupt as SIGINT does, until a run has its own way of hearing them."""
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
