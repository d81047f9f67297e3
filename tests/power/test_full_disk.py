"""A disk that is really full: a small one of memory, filled to the last byte under AEGIS."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import which

import pytest

from aegis.store.reserve import free_reserve, is_reserved
from aegis.store.verify import verify
from tests.cli.place import METRONOME, Foreground
from tests.power.client import Client, wishes
from tests.simulation.candles import flat
from tests.simulation.world import FREE, World

SIZE = "100m"  # the reserve, what must be free beside it, and some more
CHUNK = bytes(64 * 1024)

# A diagnosis in intervals would see it before the store does.
SETTINGS = METRONOME.format(speed=600, period_s=120) + "[diagnose]\ninterval_s = 864000\n"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of its own, where the system lets one be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = [_command("mount"), "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run([_command("umount"), "--lazy", str(folder)], check=True)


def _command(name: str) -> str:
    return which(name) or name


def fill(disk: Path) -> None:
    """Take all the room that there is."""
    with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(CHUNK)
    assert os.statvfs(disk).f_bavail == 0


def make_room(disk: Path) -> None:
    """Give the room back."""
    (disk / "ballast").unlink()


def test_a_full_disk_stops_the_store_and_nothing_acknowledged_is_lost(
    disk: Path, tmp_path: Path
) -> None:
    path, spacious = disk / "aegis.db", tmp_path / "aegis.db"
    client = Client(path)
    wanted = iter(wishes(1, 3))
    assert client.want(next(wanted))
    fill(disk)
    free_reserve(path)
    fill(disk)  # the reserve's room as well
    refused = next(wish for wish in wanted if not client.want(wish))
    assert "disk is full, make room on it" in str(client.faults[0])
    assert verify(path).ok
    assert not client.want(refused)

    make_room(disk)
    assert client.want(refused)
    assert all(client.want(wish) for wish in wanted)
    assert client.stop()
    elsewhere = Client(spacious)
    assert all(elsewhere.want(wish) for wish in wishes(1, 3))
    assert elsewhere.stop()
    assert verify(path) == verify(spacious)


def test_a_position_is_left_on_a_disk_that_is_really_full(disk: Path) -> None:
    market = [*flat(15), *flat(15, price="90", first=15)]
    world = World(disk, market, script={"enters": [2, 8]}, settings=FREE).start()
    world.run_until_candle(6)
    fill(disk)
    world.run_to_the_end()

    assert world.has_said("ActorDied", name="PositionStore")
    assert not is_reserved(world.store_path)
    assert world.has_said("TradingStateChanged", state="REDUCING", cause="disk")
    assert [each["status"] for each in world.positions()] == ["CLOSED"]
    world.end()
    world.expect_truth()


def test_a_start_on_a_full_disk_frees_the_reserve_and_guards(disk: Path) -> None:
    market = [*flat(15), *flat(15, price="90", first=15)]
    world = World(disk, market, script={"enters": [2, 8]}, settings=FREE).start()
    world.run_until_candle(6)
    world.drop()
    fill(disk)
    world.start().run_to_the_end()

    assert "the reserve was freed" in str(world.said("StoreFinding")[-1].fields["text"])
    assert [each["status"] for each in world.positions()] == ["CLOSED"]
    world.end()
    world.expect_truth()


@pytest.mark.long
def test_the_process_goes_on_and_says_what_to_do(disk: Path) -> None:
    (disk / "config.toml").write_text(SETTINGS)
    aegis = Foreground(disk)
    try:
        aegis.wait_for("PositionOpened")
        fill(disk)
        assert "make room, then `resume`" in aegis.wait_for("cause=disk")
        said = aegis.end()
    finally:
        aegis.clear()
    assert said.code == 0
    assert "Full: database or disk is full, make room on it" in said.err
    make_room(disk)
    assert verify(disk / "data" / "aegis.db").ok
