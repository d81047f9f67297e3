"""The same trades through several engines, and then how long each took.

Invariants:
1. No ratio of speeds is told for an engine whose trades differ from AEGIS'.
2. Runs take turns, so that a busy minute of the machine meets all engines alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from aegis.cli.output import complain, pairs, table, tell, tell_json
from tests.bench.engines import (
    AEGIS,
    AEGIS_KEPT,
    PEERS_KNOWN,
    Outcome,
    Task,
    run_aegis,
    run_peer,
)
from tests.bench.machine import machine
from tests.bench.measuring import Failed
from tests.bench.series import write_series
from tests.bench.trades import Difference, differences

DIFFERENCES_SHOWN = 20

Run = Callable[[Path], Outcome]
"""Runs an engine in an empty folder."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of an engine's runs, and how its trades differ from AEGIS'."""

    name: str
    version: str
    trades: int
    differences: tuple[Difference, ...]
    wall_s: float
    cpu_s: float
    run_s: float
    memory_mib_max: float


def compare(
    source: Path, *, count: int | None, runs: int, pythons: Mapping[str, str], is_json: bool
) -> int:
    """Run all engines that can be had, tell what came of it, and return an exit code.

    `pythons` are the peers' interpreters, by the peer's name.
    """
    task = Task()
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as name:
        folder = Path(name)
        candles = write_series(source, folder / "candles.csv", count=count)
        engines = _engines(task, folder / "candles.csv", pythons)
        try:
            outcomes = _take_turns(engines, runs, folder)
        except Failed as failed:
            complain(str(failed))
            return 1
    figures = _figures_of(outcomes)
    if is_json:
        tell_json(_as_json(task, figures, candles=candles, runs=runs))
    else:
        _tell(figures, candles=candles, runs=runs)
    for peer in PEERS_KNOWN:
        if peer.name not in pythons:
            complain(f"{peer.name} was not measured: {peer.variable} names no Python that has it")
    return 1 if any(each.differences for each in figures) else 0


def _engines(task: Task, candles: Path, pythons: Mapping[str, str]) -> dict[str, Run]:
    return {
        AEGIS: partial(run_aegis, task, candles, is_kept=False),
        AEGIS_KEPT: partial(run_aegis, task, candles, is_kept=True),
        **{
            peer.name: partial(run_peer, peer, pythons[peer.name], task, candles)
            for peer in PEERS_KNOWN
            if peer.name in pythons
        },
    }


def _take_turns(engines: Mapping[str, Run], runs: int, folder: Path) -> dict[str, list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = {name: [] for name in engines}
    for number in range(runs):
        for name, run in engines.items():
            complain(f"run {number + 1} of {runs}: {name}")
            with tempfile.TemporaryDirectory(dir=folder) as own:
                outcomes[name].append(run(Path(own)))
    return outcomes


def _figures_of(outcomes: Mapping[str, list[Outcome]]) -> list[Figures]:
    """Return each engine's figures; of several runs, the one that differs most is compared."""
    ours = outcomes[AEGIS][0].trades
    return [
        Figures(
            name=name,
            version=made[0].version,
            trades=len(made[0].trades),
            differences=max((differences(ours, each.trades) for each in made), key=len),
            wall_s=median(each.process.wall_s for each in made),
            cpu_s=median(each.process.cpu_s for each in made),
            run_s=median(each.run_s for each in made),
            memory_mib_max=max(each.process.memory_mib_max for each in made),
        )
        for name, made in outcomes.items()
    ]


def _tell(figures: list[Figures], *, candles: int, runs: int) -> None:
    figures_told = ("Trades", "Differ", "Wall s", "CPU s", "Run s", "MiB", "AEGIS takes")
    columns = ("Engine", "Version", *figures_told)
    ours = figures[0]
    rows = [
        (
            each.name,
            each.version,
            f"{each.trades:,}",
            f"{len(each.differences):,}",
            f"{each.wall_s:.2f}",
            f"{each.cpu_s:.2f}",
            f"{each.run_s:.2f}",
            f"{each.memory_mib_max:.0f}",
            _ratio(each, ours),
        )
        for each in figures
    ]
    tell(table(columns, rows, right=figures_told))
    tell("")
    tell(pairs([*machine().items(), ("Candles", f"{candles:,}"), ("Runs", f"{runs}, medians")]))
    for each in figures:
        for difference in each.differences[:DIFFERENCES_SHOWN]:
            tell(f"{each.name}: {difference}")
        if len(each.differences) > DIFFERENCES_SHOWN:
            tell(f"{each.name}: and {len(each.differences) - DIFFERENCES_SHOWN:,} more")


def _ratio(each: Figures, ours: Figures) -> str:
    """Return AEGIS' CPU time as a multiple of an engine's, where the trades are the same."""
    return "-" if each.differences else f"{ours.cpu_s / each.cpu_s:.2f} x"


def _as_json(task: Task, figures: list[Figures], *, candles: int, runs: int) -> dict[str, object]:
    ours = figures[0]
    return {
        "task": msgspec.structs.asdict(task),
        "machine": machine(),
        "candles": candles,
        "runs": runs,
        "engines": [
            {
                **msgspec.structs.asdict(each),
                "differences": [str(difference) for difference in each.differences],
                "cpu_ratio": None if each.differences else round(ours.cpu_s / each.cpu_s, 3),
            }
            for each in figures
        ],
    }
