#!/usr/bin/env python3
"""AEGIS from the command line: argv -> config -> supervisors -> exit code. No logic."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from aegis.cli.asking import Act
    from aegis.cli.running import Start


def engine() -> Start:
    """Load what runs AEGIS."""
    from supervisors.runs import run

    return run


def office() -> Act:
    """Load what does a person's errand where no AEGIS runs."""
    from supervisors.errands import act

    return act


def shield(code: Callable[[], object]) -> object:
    """Run a person's code; what it raises comes back as a value."""
    from actors.base import outcome_of

    return outcome_of(code)


def stop(_number: int, _frame: FrameType | None) -> None:
    """End what has not begun: nothing is open yet."""
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it ends nothing, however early it comes
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    from aegis.cli.main import leave, main

    here = Path(__file__).parent
    leave(main(sys.argv[1:], beside=here, engine=engine, office=office, shield=shield))
