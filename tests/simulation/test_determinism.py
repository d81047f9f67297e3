"""Equal inputs give equal logs, in any process; another seed or parameter gives another."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.one_life import KINDS, head_hash_of_run, head_hash_of_world

ROOT = Path(__file__).parents[2]
HASH_SEEDS = ("1", "2")


def head_hashes_of_processes(folder: Path, seed: int, kind: str) -> list[str]:
    """Return the head hash that each of two processes came to; they differ in their hash seed."""
    processes = []
    for hash_seed in HASH_SEEDS:
        own = folder / f"{kind}-{hash_seed}"
        own.mkdir()
        command = [sys.executable, "-m", "tests.simulation.one_life", str(own), str(seed), kind]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        processes.append(
            subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        )
    hashes = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    return hashes


@pytest.mark.parametrize("kind", list(KINDS))
def test_equal_seeds_give_equal_logs_in_two_processes(tmp_path: Path, kind: str) -> None:
    one, two = head_hashes_of_processes(tmp_path, 1, kind)

    assert len(one) == 64
    assert one == two


def test_another_seed_gives_another_log(tmp_path: Path) -> None:
    hashes = set()
    for seed in (1, 2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        hashes.add(head_hash_of_world(folder, seed))

    assert len(hashes) == 2


def test_another_strategy_parameter_gives_another_log(tmp_path: Path) -> None:
    hashes = set()
    for fast in (5, 9):
        folder = tmp_path / str(fast)
        folder.mkdir()
        hashes.add(head_hash_of_run(folder, 1, {"fast": fast, "slow": 21}))

    assert len(hashes) == 2
