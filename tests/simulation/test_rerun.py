"""A life lived again over its recording: with its own ids, changes and end."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.clock import wall_text
from aegis.config.model import Config
from aegis.config.rerun import Rerun
from aegis.domain.contrast import Intent
from aegis.domain.legs import legs_of
from aegis.log.logger import configure
from aegis.store.comparing import read_lived
from aegis.store.recording import read_recording
from supervisors.ground import ground_of_recording
from supervisors.runs import run
from tests.simulation.candles import SYMBOL, opens_at, walk
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import INCARNATION, World

CANDLES = 150
EMA = {"fast": 3, "slow": 8}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    made: World = make_world(walk(CANDLES, seed=1), strategy="ema_cross", script=EMA)
    return made


def rerun_of(world: World, **changes: object) -> Rerun:
    recording = read_recording(world.store_path)
    (leg,) = legs_of(recording.entries)
    fields = {
        "incarnation": leg.incarnation,
        "market": leg.market,
        "beginnings": leg.beginnings,
        "candles": {SYMBOL: recording.candles[SYMBOL, 60]},
        "ends_at": leg.ends_at,
    }
    return Rerun(**{**fields, **changes})  # type: ignore[arg-type]  # fields by name


def lived_again(config: Config, rerun: Rerun, folder: Path) -> list[Intent]:
    """Return what is decided when a recording is gone through once more."""
    store = config.store.model_copy(update={"path": folder / "again.db"})
    again = config.model_copy(update={"store": store})
    log = configure(folder / "again.log", "error", 1, 1, console=None, now_text=wall_text)
    try:
        ended = run(
            again,
            folder=folder,
            log=log,
            progress=lambda _done, _all: None,
            is_kept=False,
            rerun=rerun,
        )
    finally:
        log.close()
    assert (ended.exit_code, ended.is_early) == (0, False)
    return decided(again.store.path)


def decided(path: Path) -> list[Intent]:
    return list(read_lived(path).intents)


def test_it_decides_the_same_under_the_same_ids(world: World, tmp_path: Path) -> None:
    world.live()
    again = lived_again(world.config, rerun_of(world), tmp_path)
    assert again == decided(world.store_path)
    assert len(again) > 6
    assert rerun_of(world).incarnation == INCARNATION


def test_settings_are_taken_over_at_the_same_instant(world: World, tmp_path: Path) -> None:
    sizing = world.config.sizing.model_copy(update={"value": 300})
    changed = world.config.model_copy(update={"sizing": sizing})
    world.start()
    world.run_until_candle(CANDLES // 2)
    at = world.now()
    world.system.reconfigure(changed)
    world.run_to_the_end().end()
    rerun = rerun_of(world, changes=((at, changed),))
    assert lived_again(world.config, rerun, tmp_path) == decided(world.store_path)
    (tmp_path / "without").mkdir()
    assert lived_again(world.config, rerun_of(world), tmp_path / "without") != decided(
        world.store_path
    )


def test_it_ends_where_the_run_had_ended(world: World, tmp_path: Path) -> None:
    world.live()
    ends_at = opens_at(CANDLES // 2)
    again = lived_again(world.config, rerun_of(world, ends_at=ends_at), tmp_path)
    assert again == [each for each in decided(world.store_path) if each.at < ends_at]


def test_a_recorded_market_has_the_price_steps_of_the_one_that_was(world: World) -> None:
    world.live()
    ground = ground_of_recording(rerun_of(world))
    assert ground.first_prices == world.system.ground.first_prices != {}
    assert ground.name == world.system.ground.name
    assert ground.begins_at == world.system.ground.begins_at
