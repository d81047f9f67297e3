"""A store with many open positions, in a process of its own: what it holds burdens nobody else.

`python -m tests.bench.store.crowd FOLDER POSITIONS` says a line when it is ready, and then takes
lines with numbers of events: it commits them one by one, each for another position, and answers
with a line of JSON.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from tests.bench.measuring import Failed
from tests.bench.store.reading import append_marks
from tests.bench.store.workload import Timing, marks, opened, store_of, timed


class Crowd:
    """The other end of such a process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._hear()

    def run(self, count: int) -> Timing:
        """Let it commit so many events, and return how long that took."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._hear(), type=Timing)

    def _hear(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Failed("the process with many positions ended early")
        return line


@contextmanager
def crowd(folder: Path, positions: int) -> Iterator[Crowd]:
    """Start such a process, and end it."""
    command = [sys.executable, "-m", "tests.bench.store.crowd", str(folder), str(positions)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Crowd(process)
        finally:
            process.terminate()


def main(folder: Path, positions: int) -> None:
    """Make the store, then do as told until nobody tells any more."""
    begun = opened(positions)
    store, at, keys = store_of(folder, begun), begun.at, begun.positions
    before = 0
    sys.stdout.write("ready\n")
    for line in sys.stdin:
        count = int(line)
        commands = marks(keys, before + count)[before:]
        timing = timed(count, partial(append_marks, store, commands, at, batch=1))
        before += count
        sys.stdout.write(msgspec.json.encode(timing).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
