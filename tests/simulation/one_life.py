"""One whole life in a process of its own: `python -m tests.simulation.one_life FOLDER SEED KIND`.

Prints the hash of the log's last event. KIND `world` is a stormy world, `run` a replay driven
as `run.py` drives it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from aegis.clock import wall_text
from aegis.config.model import Config
from aegis.log.logger import configure
from aegis.store.reading import read_status
from supervisors.outside import Run
from supervisors.runs import run
from tests.simulation.candles import walk, write_replay
from tests.simulation.faults import at_random
from tests.simulation.world import World, config_of

CANDLES = 300
SCRIPT = {"enters": [0], "leaves": [3], "period": 5}


def head_hash_of_world(folder: Path, seed: int) -> str:
    world = World(folder, walk(80, seed=5), script=SCRIPT, faults=at_random(7, rate=0.2), seed=seed)
    return world.live().status().head_hash


def head_hash_of_run(folder: Path, seed: int, params: dict[str, int] | None = None) -> str:
    replay = write_replay(folder / "candles.csv", walk(CANDLES, seed=5))
    market = {"source": "replay", "path": replay, "speed": 0, "seed": seed}
    strategy = {"name": "ema_cross", "params": params or {}}
    config = config_of(folder, {"market": market, "strategy": strategy})
    replayed(config)
    return read_status(config.store.path).head_hash


def replayed(config: Config) -> Run:
    """Run to the end of the data, as `run.py` does it, and be silent about it."""
    folder, log = config.store.path.parent, config.log
    quiet = configure(log.path, "error", log.rotate_mb, log.keep, console=None, now_text=wall_text)
    try:
        ended = run(config, folder=folder, log=quiet, progress=lambda _done, _all: None)
    finally:
        quiet.close()
    assert ended.exit_code == 0, ended
    return ended


KINDS = {"world": head_hash_of_world, "run": head_hash_of_run}

if __name__ == "__main__":
    folder, seed, kind = sys.argv[1:]
    print(KINDS[kind](Path(folder), int(seed)))  # noqa: T201  the answer of this program
