"""`python -m tests.bench start`: how long until the store, the gateway, and armed; and memory.

Lives take turns with the bare import of the libraries; a ratio is taken within a round, so that a
busy moment meets both sides, and its median counts. Before the rounds each place lives once, so
that modules are compiled and the first life's store is there; new stores are made in new folders.

Not measured: a machine whose disk has not read the libraries yet, and a store with a past
(`python -m tests.bench store` has its opening).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from aegis.cli.output import complain, pairs, shown_progress, table, tell, tell_json
from tests.bench.live import configure_live, keys_of
from tests.bench.machine import machine
from tests.bench.measuring import Failed
from tests.bench.start.lives import Held, Life, Place, bare_import_s, hold_once, live_once
from tests.exchange_server.local import Local, process

RATIO_MAX = 2.0
"""Of the bare import's time, until the store of an earlier life is open again."""

BEFORE_MIB_MAX = 60.0
"""Before an exchange's class is loaded, and where none ever is."""

HOLDS = 3
"""Lives in which memory is looked at; it hardly differs between two."""

PAPER, LIVE = "paper", "live"
NEW, AGAIN = "{}, a new store", "{}, again"


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """Medians of one kind of start. `ratio` is until the store, to the bare import."""

    name: str
    life: Life
    ratio: float
    ratio_max: float | None

    @property
    def is_met(self) -> bool | None:
        return None if self.ratio_max is None else self.ratio <= self.ratio_max


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """The most of some lives; where no class is loaded, all that was held when armed is before."""

    name: str
    before_mib: float
    armed_mib: float

    @property
    def is_met(self) -> bool:
        return self.before_mib <= BEFORE_MIB_MAX


class Round(msgspec.Struct, frozen=True):
    """What one round came to: seconds of the bare import, and lives by their kind."""

    bare_s: float
    lives: dict[str, Life]


def compare(rounds: int, *, is_json: bool) -> int:
    """Start AEGIS in turns, tell what came of it, and return 1 where a goal is missed."""
    try:
        made, memories = turns_beside_an_exchange(rounds)
    except Failed as failed:
        complain(str(failed))
        return 1
    starts = starts_of(made)
    bare_s = median(each.bare_s for each in made)
    if is_json:
        tell_json(_as_json(starts, memories, bare_s, rounds))
    else:
        _tell(starts, memories, bare_s, rounds)
    is_late = any(start.is_met is False for start in starts)
    return 1 if is_late or not all(memory.is_met for memory in memories) else 0


def starts_of(made: Sequence[Round]) -> list[Start]:
    """Return the medians of each kind of life; who lives again has a goal."""
    return [
        Start(
            name=name,
            life=_median([each.lives[name] for each in made]),
            ratio=median(each.lives[name].store_s / each.bare_s for each in made),
            ratio_max=RATIO_MAX if name in (AGAIN.format(PAPER), AGAIN.format(LIVE)) else None,
        )
        for name in made[0].lives
    ]


def memory_of(name: str, held: Sequence[Held]) -> Memory:
    """Return the most that was held."""
    before = [each.armed_mib if each.before_mib is None else each.before_mib for each in held]
    return Memory(name=name, before_mib=max(before), armed_mib=max(each.armed_mib for each in held))


def turns_beside_an_exchange(rounds: int) -> tuple[list[Round], list[Memory]]:
    """Start AEGIS again and again in folders of its own; raises `Failed`."""
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as name:
        folder = Path(name)
        with process(folder / "exchange") as local:
            return _take_turns(folder, local, rounds)


def _take_turns(folder: Path, local: Local, rounds: int) -> tuple[list[Round], list[Memory]]:
    kept = {kind: _place(kind, folder / kind, local) for kind in (PAPER, LIVE)}
    for place in kept.values():
        live_once(place)
    bare_import_s(folder)
    made = []
    with shown_progress("Starts") as progress:
        for number in range(rounds):
            made.append(_round(folder / str(number), kept, local))
            progress(number + 1, rounds)
    memories = [
        memory_of(kind, [hold_once(place, folder / "note") for _ in range(HOLDS)])
        for kind, place in kept.items()
    ]
    return made, memories


def _round(folder: Path, kept: dict[str, Place], local: Local) -> Round:
    bare_s = bare_import_s(folder.parent)
    lives = {}
    for kind, place in kept.items():
        lives[NEW.format(kind)] = live_once(_place(kind, folder / kind, local))
        lives[AGAIN.format(kind)] = live_once(place)
    return Round(bare_s, lives)


def _place(kind: str, folder: Path, local: Local) -> Place:
    folder.mkdir(parents=True)
    if kind == LIVE:
        configure_live(folder, local)
        return Place(folder=folder, arguments=("run", "--live"), environ=keys_of(local))
    (folder / "config.toml").write_text("[market]\nspeed = 1\n")
    return Place(folder=folder, arguments=(), environ={})


def _median(lives: Sequence[Life]) -> Life:
    return Life(
        **{name: median(getattr(each, name) for each in lives) for name in Life.__struct_fields__}
    )


def _tell(starts: list[Start], memories: list[Memory], bare_s: float, rounds: int) -> None:
    figures = ("Store s", "Gateway s", "Reconciled s", "Armed s", "to bare", "Goal")
    rows = [
        (
            each.name,
            *(f"{seconds:.3f}" for seconds in msgspec.structs.astuple(each.life)),
            f"{each.ratio:.2f}",
            "" if each.ratio_max is None else f"{each.ratio_max:g}",
            _verdict(is_met=each.is_met),
        )
        for each in starts
    ]
    tell(table(("From the process' start", *figures, ""), rows, right=figures))
    tell("")
    held = ("Before MiB", "Armed MiB", "Goal")
    rows_held = [
        (
            each.name,
            f"{each.before_mib:.1f}",
            f"{each.armed_mib:.1f}",
            f"{BEFORE_MIB_MAX:g}",
            _verdict(is_met=each.is_met),
        )
        for each in memories
    ]
    tell(table(("Before an exchange's class loads", *held, ""), rows_held, right=held))
    tell("")
    told = [("Bare import", f"{bare_s:.3f} s"), ("Rounds", f"{rounds}, medians")]
    tell(pairs([*machine().items(), *told]))


def _verdict(*, is_met: bool | None) -> str:
    return {None: "", True: "met", False: "missed"}[is_met]


def _as_json(
    starts: list[Start], memories: list[Memory], bare_s: float, rounds: int
) -> dict[str, object]:
    return {
        "bare_import_s": bare_s,
        "starts": [{**msgspec.structs.asdict(each), "is_met": each.is_met} for each in starts],
        "memory": [{**msgspec.structs.asdict(each), "is_met": each.is_met} for each in memories],
        "memory_before_mib_max": BEFORE_MIB_MAX,
        "rounds": rounds,
        "machine": machine(),
    }
