"""What a run keeps of its market and its settings: all of it, whatever happens to the run."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.config.model import Config, build, setting_paths
from aegis.config.recorded import NOT_KEPT, recorded_settings
from aegis.domain.instants import instant_of
from aegis.domain.recorded import Recording, RunEnded, RunStarted, SettingsChanged
from aegis.store.recorder import BLOCK_CANDLES
from aegis.store.recording import read_recording
from supervisors.ground import ground_of
from tests.simulation.candles import SYMBOL, walk
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import World

CANDLES = 150
SERIES = (SYMBOL, 60)
EMA = {"fast": 3, "slow": 8}


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    made: World = make_world(walk(CANDLES, seed=2), strategy="ema_cross", script=EMA)
    return made


def recorded(world: World) -> Recording:
    return read_recording(world.store_path)


def test_a_run_records_each_candle_that_it_was_shown(world: World) -> None:
    world.live()
    (file,) = ground_of(world.config).files
    assert recorded(world).candles == {SERIES: file.candles}


def test_a_run_that_is_killed_again_and_again_leaves_no_hole(world: World) -> None:
    world.start()
    for number in (20, 90, 91, 140):
        world.run_until_candle(number)
        world.restart()
    world.run_to_the_end().end()
    (file,) = ground_of(world.config).files
    assert recorded(world).candles == {SERIES: file.candles}


def test_a_tail_that_a_kill_took_is_recorded_when_it_starts_again(world: World) -> None:
    world.start()
    world.run_until_candle(CANDLES - 10)
    world.drop()
    assert len(recorded(world).candles[SERIES]) == BLOCK_CANDLES
    lived_until = instant_of(str(world.status().last_event_at))
    world.start().end()
    assert recorded(world).candles[SERIES][-1].close_at > lived_until


def test_a_run_says_how_it_was_set_and_when_it_was_told_to_end(world: World) -> None:
    world.start()
    world.run_until_candle(30)
    world.system.note_end()
    world.end()
    started, ended = recorded(world).entries
    assert isinstance(started.fact, RunStarted)
    assert (started.after_event, ended.fact) == (0, RunEnded())
    assert started.fact.settings == recorded_settings(world.config)
    assert started.fact.beginnings[0].first_price is not None
    assert ended.at > started.at


def test_settings_that_change_on_the_way_are_recorded_with_their_instant(world: World) -> None:
    world.start()
    world.run_until_candle(30)
    risk = world.config.risk.model_copy(update={"open_positions_max": 2})
    world.system.reconfigure(world.config.model_copy(update={"risk": risk}))
    changed_at = world.now()
    world.end()
    entry = recorded(world).entries[1]
    assert isinstance(entry.fact, SettingsChanged)
    assert entry.fact.settings["risk.open_positions_max"] == "2"
    assert entry.at == changed_at


def config_with(**sections: Any) -> Config:
    config = build(sections)
    assert isinstance(config, Config), config
    return config


def test_no_secret_and_nobody_who_is_told_is_recorded() -> None:
    telegram = {"enabled": True, "chat_ids": ["4711"]}
    told = recorded_settings(config_with(notify={"telegram": telegram}))
    assert not [key for key in told if key.partition(".")[0] in {"notify", "secrets", "log"}]
    assert "4711" not in str(told)


def test_every_other_setting_is_recorded() -> None:
    keys = {".".join(path) for path in setting_paths() if path[0] not in NOT_KEPT}
    assert recorded_settings(config_with()).keys() == keys
