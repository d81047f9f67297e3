"""AEGIS from the command line: argv -> config -> supervisors -> exit code. No logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.cli.main import leave, main

if TYPE_CHECKING:
    from aegis.cli.running import Start


def engine() -> Start:
    """Load what runs AEGIS."""
    from supervisors.runs import run

    return run


if __name__ == "__main__":
    leave(main(sys.argv[1:], beside=Path(__file__).parent, engine=engine))
