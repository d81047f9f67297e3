"""AEGIS as run.py starts it, and a note of what it held when an exchange's class was asked for.

`watched.py NOTE [ARGUMENTS of run.py]`. The note is a number of KiB, or is not there where no
such class was ever loaded. It is a program of its own, so that what is timed runs without it.
"""

from __future__ import annotations

import runpy
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

RUN = Path(__file__).resolve().parents[3] / "run.py"
STATUS = Path("/proc/self/status")


class Watch(MetaPathFinder):
    """Finds nothing; it only hears what is looked for."""

    def __init__(self, note: Path) -> None:
        self._note = note

    def find_spec(self, fullname: str, *_: object) -> None:
        """Note the memory that is held at the first word of ccxt."""
        if fullname == "ccxt" and not self._note.exists():
            self._note.write_text(str(resident_kib(STATUS.read_text())))


def resident_kib(status: str) -> int:
    """Return what a process holds in memory, by its status as Linux tells it."""
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])


if __name__ == "__main__":
    note = Path(sys.argv.pop(1))
    sys.path[0] = str(RUN.parent)
    sys.meta_path.insert(0, Watch(note))
    runpy.run_path(str(RUN), run_name="__main__")
