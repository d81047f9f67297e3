"""How long looks at a big store take, each a process of its own as a person starts it.

One table: medians of some repeats in turns, the goal, and whether it is met. Other programs slow
both wall and CPU time down; the load of the machine is told with them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import msgspec

from aegis.cli.output import complain, shown_progress, table, tell, tell_json
from tests.bench.measuring import Measured, measured
from tests.cli.place import RUN, clean_environ
from tests.store.big_stores import make_big_store


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A command, and what it may take at most; `repeats` of one that takes long are few."""

    arguments: tuple[str, ...]
    wall_s_max: float
    memory_mib_max: float = 256
    repeats: int = 5

    @property
    def name(self) -> str:
        return " ".join(self.arguments)


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of a look's repeats, beside its goal."""

    look: str
    wall_s: float
    cpu_s: float
    memory_mib: float
    wall_s_max: float
    is_met: bool


def looks_at(events: int) -> tuple[Look, ...]:
    """Return what is asked of a store of so many events."""
    points = (events // 100 - 1, events // 2 - 1, events - 1)
    return (
        Look(arguments=("status",), wall_s_max=0.5),
        Look(arguments=("status", "--json"), wall_s_max=1),
        *(Look(arguments=("at", str(point)), wall_s_max=1) for point in points),
        Look(arguments=("history", "--limit", "100"), wall_s_max=0.5),
        Look(arguments=("verify",), wall_s_max=60, repeats=1),
    )


def compare(store: Path | None, *, events: int, positions: int, is_json: bool) -> int:
    """Measure each look at a store, made for it where none is named; 1 where a goal is missed."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = store if store is not None else _made(folder, events, positions)
        environ = clean_environ({"AEGIS_STORE__PATH": str(path)})
        (folder / "config.toml").write_text("")
        looks = looks_at(events)
        made: dict[str, list[Measured]] = {look.name: [] for look in looks}
        for repeat in range(max(look.repeats for look in looks)):
            for look in looks:
                if repeat < look.repeats:
                    command = (sys.executable, str(RUN), *look.arguments)
                    made[look.name].append(measured(command, folder, environ))
    figures = [_figure(look, made[look.name]) for look in looks]
    if is_json:
        tell_json([msgspec.structs.asdict(figure) for figure in figures])
    else:
        tell(_table(figures))
    complain(f"Load of the machine in the last minute: {os.getloadavg()[0]:.1f}")
    return 0 if all(figure.is_met for figure in figures) else 1


def _made(folder: Path, events: int, positions: int) -> Path:
    with shown_progress("Making a store") as progress:
        return make_big_store(
            folder / "big" / "aegis.db", events=events, positions=positions, progress=progress
        )


def _figure(look: Look, made: list[Measured]) -> Figure:
    wall_s = median(each.wall_s for each in made)
    memory_mib = max(each.memory_mib_max for each in made)
    return Figure(
        look=look.name,
        wall_s=wall_s,
        cpu_s=median(each.cpu_s for each in made),
        memory_mib=memory_mib,
        wall_s_max=look.wall_s_max,
        is_met=wall_s <= look.wall_s_max and memory_mib <= look.memory_mib_max,
    )


def _table(figures: list[Figure]) -> str:
    columns = ("Look", "Wall s", "CPU s", "MiB", "Goal s", "Met")
    rows = [
        (
            figure.look,
            f"{figure.wall_s:.2f}",
            f"{figure.cpu_s:.2f}",
            f"{figure.memory_mib:.0f}",
            f"{figure.wall_s_max:g}",
            "yes" if figure.is_met else "NO",
        )
        for figure in figures
    ]
    return table(columns, rows, right=columns[1:5])
