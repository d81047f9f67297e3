"""The store under load, alone and beside a backup and a reader: how long an update waits.

Updates are told when they are due, whether or not the ones before are answered, and each wait is
counted from when its update was due: a store that stands still is seen in every update behind it.

`python -m tests.bench.store.load STORE` is the reader: it reads all open positions again and
again until its input ends, and says how often.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import quantiles

import msgspec

from actors.directory import Directory
from aegis.cli.output import complain, pairs, table, tell, tell_json
from aegis.domain.commands import MarkPosition
from aegis.messages import Executed
from aegis.store.connection import open_reader
from aegis.store.copying import copy_store
from aegis.store.errors import StoreError
from aegis.store.reading import read_alive
from aegis.store.verify import verify
from tests.bench.machine import machine
from tests.bench.store.acting import Client, acting
from tests.bench.store.workload import Opened, marks, opened

MILLIS = 1e3
READ_PAUSE_S = 0.1
COPY_PAUSE_S = 1.0

MARKS = "SELECT count(*) FROM position_events WHERE event_type = 'PositionMarked'"
PRICES = "SELECT position_id, current_price_exact FROM positions WHERE symbol <> ''"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """Updates a second, for how many seconds, of how many open positions."""

    rate: int = 1_000
    seconds: float = 30
    positions: int = 1_000

    @property
    def updates(self) -> int:
        return int(self.rate * self.seconds)


class Borne(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a load. `faults` say what was lost; `copies` and `reads` what was beside it."""

    p50_ms: float
    p99_ms: float
    most_ms: float
    copies: int
    reads: int
    faults: tuple[str, ...]


class Beside(msgspec.Struct):
    """What others did meanwhile."""

    copies: int = 0
    reads: int = 0
    faults: list[str] = []


def compare_loads(load: Load, *, is_json: bool, folder: Path | None = None) -> int:
    """Bear a load alone and beside a backup and a reader, tell the waits, return an exit code."""
    complain(f"{load.updates:,} updates at {load.rate:,} a second, alone")
    alone = bear(load, is_alone=True, folder=folder)
    complain("the same beside a backup and a reader")
    beside = bear(load, is_alone=False, folder=folder)
    if is_json:
        found = {"alone": alone, "beside": beside, "load": load, "machine": machine()}
        tell_json(found)
    else:
        _tell(load, alone, beside)
    return 1 if alone.faults or beside.faults else 0


def bear(load: Load, *, is_alone: bool, folder: Path | None = None) -> Borne:
    """Let a store's actor bear a load in a folder of its own, and look for what was lost."""
    begun, own = opened(load.positions), Beside()
    commands = marks(begun.positions, load.updates)
    with tempfile.TemporaryDirectory(prefix="aegis-load-", dir=folder) as name:
        path = Path(name) / "aegis.db"
        with acting(path.parent, begun) as directory:
            others = nullcontext() if is_alone else _others(path, own)
            with others:
                waits, refused = _tell_in_time(directory, commands, load.rate)
        faults = (*own.faults, *faults_of(path, begun, commands), *refused)
    cuts = quantiles(waits, n=100)
    return Borne(
        p50_ms=cuts[49] * MILLIS,
        p99_ms=cuts[98] * MILLIS,
        most_ms=max(waits) * MILLIS,
        copies=own.copies,
        reads=own.reads,
        faults=faults,
    )


def _tell_in_time(
    directory: Directory, commands: Sequence[MarkPosition], rate: int
) -> tuple[list[float], list[str]]:
    """Tell each command when it is due; return how long each waited for its answer, in seconds."""
    client = Client(directory, "Client")
    began = time.perf_counter() + 0.1
    waits: list[float] = []
    refused: list[str] = []

    def hear() -> None:
        for number, command in enumerate(commands):
            answer = client.hear()
            waits.append(time.perf_counter() - (began + number / rate))
            if not (isinstance(answer, Executed) and answer.command is command and answer.records):
                refused.append(f"update {number} was answered with {answer!r:.200}")

    hearing = threading.Thread(target=hear, daemon=True)
    hearing.start()
    for number, command in enumerate(commands):
        early_s = began + number / rate - time.perf_counter()
        if early_s > 0:
            time.sleep(early_s)
        client.tell(command, is_answered=True)
    hearing.join()
    return waits, refused


@contextmanager
def _others(path: Path, own: Beside) -> Iterator[None]:
    """Copy the store again and again on a thread, and read it in a process, meanwhile."""
    is_over = threading.Event()
    copying = threading.Thread(target=_copy, args=(path, is_over, own), daemon=True)
    command = [sys.executable, "-m", "tests.bench.store.load", str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        copying.start()
        try:
            yield
        finally:
            is_over.set()
            copying.join()
            said, _ = reader.communicate()
            own.reads = int(said or 0)
    if reader.returncode != 0:
        own.faults.append(f"the reader ended with {reader.returncode}")


def _copy(path: Path, is_over: threading.Event, own: Beside) -> None:
    while not is_over.is_set():
        copy = path.with_name(f"copy-{own.copies}.db")
        try:
            copy_store(path, copy)
        except StoreError as error:
            own.faults.append(f"{copy.name}: {error}")
            return
        own.copies += 1
        is_over.wait(COPY_PAUSE_S)


def faults_of(path: Path, begun: Opened, commands: Sequence[MarkPosition]) -> list[str]:
    """Return what a store does not have of what it has answered, and of what it should be."""
    expected = {key: str(begun.book.positions[key].mark) for key in begun.positions}
    expected.update((each.position_id, str(each.price)) for each in commands)
    db = open_reader(path)
    marked = db.execute(MARKS).get
    prices = {str(key): str(price) for key, price in db.execute(PRICES)}
    db.close()
    faults = [problem.text for problem in verify(path).problems]
    if marked != len(commands):
        faults.append(f"expected {len(commands)} marks in the log, was {marked}")
    if prices != expected:
        faults.append("expected each position at the last price told")
    for copy in sorted(path.parent.glob("copy-*.db"))[-1:]:
        faults.extend(f"{copy.name}: {problem.text}" for problem in verify(copy).problems)
    return faults


def _tell(load: Load, alone: Borne, beside: Borne) -> None:
    figures = ("p50 ms", "p99 ms", "most ms", "Copies", "Reads")
    rows = [
        (
            name,
            *(f"{figure:.2f}" for figure in (each.p50_ms, each.p99_ms, each.most_ms)),
            *(f"{count:,}" for count in (each.copies, each.reads)),
        )
        for name, each in (("alone", alone), ("beside a backup and a reader", beside))
    ]
    pairs_of = ((beside.p50_ms, alone.p50_ms), (beside.p99_ms, alone.p99_ms))
    ratios = [f"{ours / theirs:.2f} x" for ours, theirs in pairs_of]
    rows.append(("ratio", *ratios, "", "", ""))
    tell(table(("An update waited", *figures), rows, right=figures))
    tell("")
    told = [
        ("Updates", f"{load.updates:,} at {load.rate:,} a second, each time"),
        ("Open positions", f"{load.positions:,}"),
        ("Lost", "; ".join((*alone.faults, *beside.faults)) or "nothing"),
    ]
    tell(pairs([*told, *machine().items()]))


def read_until_end(path: Path) -> int:
    """Read all open positions again and again until the input ends; return how often."""
    is_over = threading.Event()

    def wait_for_end() -> None:
        sys.stdin.read()
        is_over.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    reads = 0
    while not is_over.is_set():
        read_alive(path)
        reads += 1
        is_over.wait(READ_PAUSE_S)
    return reads


if __name__ == "__main__":
    sys.stdout.write(str(read_until_end(Path(sys.argv[1]))))
