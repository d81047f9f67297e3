"""The drill: a store is damaged, and one command brings it back, as a person would do it."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import pytest

from tests.cli.place import ROOT, Place
from tests.store.big_stores import make_big_store

RECOVERY_S_MAX = 10.0
LARGE, SMALL = 100_000, 500


@pytest.mark.parametrize(
    "events",
    [SMALL, pytest.param(LARGE, marks=[pytest.mark.long, pytest.mark.timeout(300)])],
)
def test_a_corrupt_store_is_back_with_one_command(place: Place, events: int) -> None:
    """The large one by processes of their own, timed; the small one in this process."""
    do = place.run if events == LARGE else place.say
    place.configure((ROOT / "config.toml").read_text())
    store = make_big_store(place.store, events=events, positions=events // 100)
    assert do("backup").code == 0
    damage(store)
    assert do("resume").code == 65

    began = perf_counter()
    restored = do("restore", "latest")
    took_s = perf_counter() - began

    assert restored.code == 0, restored.err
    proved = do("verify", "--json").json
    assert (proved["ok"], proved["events"]) == (True, events + 2)
    assert took_s < RECOVERY_S_MAX, f"Expected {RECOVERY_S_MAX} s at most, took {took_s:.1f}"
    print(f"{events} events: restored in {took_s:.2f} s")  # noqa: T201  a figure for people


def damage(store: Path) -> None:
    """Spoil pages in the middle of a store, as a dying disk does."""
    with store.open("r+b") as file:
        file.seek(store.stat().st_size // 2)
        file.write(b"\xa5" * 8192)
