"""`python -m tests.bench store`: all contenders in turns, one table, and whether goals are met.

Turns are short, and those that are compared come one after the other, so that a busy moment of
the disk meets both.

Not measured: orders and fills, whose events touch more rows; readers beside the writer; a disk
that is full or failing; more than one busy thread.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from actors.position_store import GROUP_MAX
from aegis.cli.output import complain, pairs, table, tell, tell_json
from supervisors.threads import SWITCH_INTERVAL_S
from tests.bench.machine import machine
from tests.bench.measuring import Failed
from tests.bench.store.acting import busy_thread, run_asking, run_committing, run_telling
from tests.bench.store.crowd import crowd
from tests.bench.store.goals import SPREAD_MAX, Bound, Goal, Row, rows_of
from tests.bench.store.peer import Peer
from tests.bench.store.plain import (
    Deciding,
    MakeWriter,
    Raw,
    Stdlib,
    Unhashed,
    run_fdatasync,
    run_writer,
)
from tests.bench.store.reading import (
    bytes_an_event,
    make_log,
    run_opening,
    run_replay,
    run_restart,
    run_scan,
)
from tests.bench.store.workload import Opened, Timing, opened, written

FEW, MANY = 10, 100_000
CLIENTS = 64
BATCHES = (1, 10, 100, GROUP_MAX, 1000)
OTHERS = (1, 100)
"""At what sizes of a commit other libraries are measured."""

Run = Callable[[Path], Timing]
"""Runs a contender in an empty folder."""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """How much is written: by commits of one event, and by larger ones."""

    single: int = 200
    grouped: int = 7_680
    asked: int = 1_920
    positions_many: int = MANY
    log: int = 20_000
    """Its last event but one is 9,999 past a kept state."""

    def of(self, batch: int) -> int:
        """Return how much is written by commits of so many."""
        return min(self.grouped, self.single * batch)


FDATASYNC = "fdatasync of two pages"
SCAN, REPLAY = "scan of the log's rows", "replay: the log read and folded"
RAW, UNHASHED = "raw, {:,} a commit", "raw without hashes and mark, {:,} a commit"
DECIDING = "raw that decides and folds, {:,} a commit"
STDLIB, PEER = "sqlite3, {:,} a commit", "eventsourcing, {:,} a save"
TELL, ASK = "store actor by tell", "store actor, {:,} asking"
COMMIT, BUSY = "commit of {:,}", "{}, beside a busy thread"
AT = "an event at {:,} open positions"
OPENING = "restart: a store opened by its rows"
RESTART = "a past from its state and 10,000 events"

GOALS: tuple[Goal | Bound, ...] = (
    *(Goal(RAW.format(batch), UNHASHED.format(batch), 0.65) for batch in BATCHES[:-1]),
    Goal(RAW.format(BATCHES[-1]), UNHASHED.format(BATCHES[-1])),  # no commit is that large
    Goal(STDLIB.format(1), RAW.format(1)),
    Goal(STDLIB.format(100), RAW.format(100)),
    Goal(TELL, RAW.format(GROUP_MAX), 0.75),
    Goal(TELL, DECIDING.format(GROUP_MAX)),
    Goal(TELL, PEER.format(1), 5),
    Goal(TELL, PEER.format(100)),
    Goal(ASK.format(1), RAW.format(1), 0.8),
    Goal(ASK.format(CLIENTS), RAW.format(1), 1.5),
    *(Goal(BUSY.format(name), name) for name in (TELL, ASK.format(1), ASK.format(CLIENTS))),
    *(Goal(BUSY.format(COMMIT.format(n)), COMMIT.format(n), 0.5) for n in (1, GROUP_MAX)),
    Goal(REPLAY, SCAN, 0.4),
    Bound(RESTART, 50),
    Bound(OPENING, 50),
    Goal(AT.format(MANY), AT.format(FEW), 0.8),
)


HOW_TO_READ = (
    "A ratio is the median of the ratios within each round, not that of the two medians of rates:\n"
    "a round's neighbours on the disk meet both sides. In a noisy row the rounds differ so much\n"
    f"(the middle half by more than {SPREAD_MAX:.0%} of the median) that it says little."
)


def compare(sizes: Sizes, *, runs: int, is_json: bool, folder: Path | None = None) -> int:
    """Run all contenders in turns, tell what came of it, and return an exit code.

    All files are made below `folder`, else where temporary files go: that disk is measured.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as wherever actors have threads
    with tempfile.TemporaryDirectory(prefix="aegis-bench-", dir=folder) as name:
        own = Path(name)
        try:
            with _contenders(own, sizes) as contenders:
                timings = _take_turns(contenders, runs, own)
        except Failed as failed:
            complain(str(failed))
            return 1
        begun = opened(FEW)
        size = bytes_an_event(make_log(_new(own, "size"), begun, sizes.log), begun, sizes.log)
    rows = rows_of(timings, GOALS)
    if is_json:
        tell_json(_as_json(rows, size, sizes, runs))
    else:
        _tell(rows, size, runs)
    return 1 if any(row.is_met is False for row in rows) else 0


@contextmanager
def _contenders(folder: Path, sizes: Sizes) -> Iterator[dict[str, Run]]:
    """Yield what takes part, in the order of the table."""
    begun = opened(FEW)
    log = make_log(_new(folder, "log"), begun, sizes.log)
    events = len(begun.records) + sizes.log
    complain(f"opening {sizes.positions_many:,} positions")
    with (
        crowd(_new(folder, "few"), FEW) as few,
        crowd(_new(folder, "many"), sizes.positions_many) as many,
    ):
        yield {
            FDATASYNC: lambda own: run_fdatasync(own, sizes.single),
            **_writing(begun, sizes),
            SCAN: lambda _own: run_scan(log, events),
            REPLAY: lambda _own: run_replay(log, events),
            RESTART: lambda _own: run_restart(log, events - 1),
            OPENING: lambda _own: run_opening(log),
            AT.format(FEW): lambda _own: few.run(sizes.single),
            AT.format(MANY): lambda _own: many.run(sizes.single),
        }


def _writing(begun: Opened, sizes: Sizes) -> dict[str, Run]:
    """Return who writes, by the size of the commit, and who asks or tells along with those."""
    idle: dict[int, dict[str, Run]] = {batch: {} for batch in BATCHES}
    idle[1] = {
        ASK.format(1): lambda own: run_asking(own, begun, sizes.single, 1),
        ASK.format(CLIENTS): lambda own: run_asking(own, begun, sizes.asked, CLIENTS),
        COMMIT.format(1): partial(_run_committing, begun, sizes, 1),
    }
    idle[GROUP_MAX] = {
        TELL: lambda own: run_telling(own, begun, sizes.grouped),
        COMMIT.format(GROUP_MAX): partial(_run_committing, begun, sizes, GROUP_MAX),
    }
    made: dict[str, Run] = {}
    for batch in BATCHES:
        made.update(_plain(begun, sizes, batch))
        for name, run in idle[batch].items():
            made |= {name: run, BUSY.format(name): partial(_beside, run)}
    return made


def _plain(begun: Opened, sizes: Sizes, batch: int) -> dict[str, Run]:
    kinds: dict[str, MakeWriter] = {RAW: Raw, UNHASHED: Unhashed}
    if batch == GROUP_MAX:
        kinds[DECIDING] = Deciding
    if batch in OTHERS:
        kinds |= {STDLIB: Stdlib, PEER: Peer}
    return {
        name.format(batch): partial(_run_writer, kind, begun, sizes, batch)
        for name, kind in kinds.items()
    }


def _run_writer(kind: MakeWriter, begun: Opened, sizes: Sizes, batch: int, own: Path) -> Timing:
    made = written(begun, sizes.of(batch))
    return run_writer(kind, own, begun, made, batch)


def _run_committing(begun: Opened, sizes: Sizes, batch: int, own: Path) -> Timing:
    return run_committing(own, begun, sizes.of(batch), batch)


def _beside(run: Run, own: Path) -> Timing:
    with busy_thread():
        return run(own)


def _take_turns(contenders: Mapping[str, Run], runs: int, folder: Path) -> dict[str, list[Timing]]:
    timings: dict[str, list[Timing]] = {name: [] for name in contenders}
    for number in range(runs):
        complain(f"round {number + 1} of {runs}, load {os.getloadavg()[0]:.1f}")
        for name, run in contenders.items():
            with tempfile.TemporaryDirectory(dir=folder) as own:
                timings[name].append(run(Path(own)))
    return timings


def _new(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _tell(rows: list[Row], size: float, runs: int) -> None:
    figures = ("events/s", "us", "CPU us", "Ratio", "of CPU", "Goal")
    columns = ("What", *figures[:-1], "to", figures[-1], "")
    lines = [
        (
            row.name,
            f"{row.rate:,.0f}",
            f"{row.wall_us:,.1f}",
            f"{row.cpu_us:,.1f}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.cpu_ratio is None else f"{row.cpu_ratio:.2f}",
            row.to,
            row.goal,
            _verdict(row),
        )
        for row in rows
    ]
    tell(table(columns, lines, right=figures))
    tell("")
    tell(HOW_TO_READ)
    tell("")
    told = [("Bytes an event", f"{size:,.0f}"), ("Rounds", f"{runs}, medians")]
    tell(pairs([*machine().items(), *told]))


def _verdict(row: Row) -> str:
    judged = {None: "", True: "met", False: "missed"}[row.is_met]
    return ", ".join(word for word in (judged, "noisy" if row.is_noisy else "") if word)


def _as_json(rows: list[Row], size: float, sizes: Sizes, runs: int) -> dict[str, object]:
    return {
        "rows": [msgspec.structs.asdict(row) for row in rows],
        "bytes_an_event": round(size, 1),
        "sizes": msgspec.structs.asdict(sizes),
        "rounds": runs,
        "note": HOW_TO_READ.replace("\n", " "),
        "machine": machine(),
    }
