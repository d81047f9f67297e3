"""A start over files that do not belong together is refused in one line, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from actors import names
from aegis.cli.codes import Code, trouble_of
from aegis.log.logger import Log
from aegis.ports import no_log
from supervisors.runs import run
from supervisors.settings import ledger_path
from tests.simulation.candles import flat, write_replay
from tests.simulation.conftest import MakeWorld
from tests.simulation.world import World, config_of

HOLDS = {"enters": [2]}


@pytest.fixture
def holding(make_world: MakeWorld) -> World:
    """Return a world that has ended in peace, holding a position."""
    world = make_world(flat(8), script=HOLDS).live()
    assert world.positions("OPEN")
    return world


@contextmanager
def refused(text: str) -> Iterator[None]:
    """Expect one line for a person, and the exit code of a wrong configuration."""
    with pytest.raises(Exception, match=text) as caught:
        yield
    trouble = trouble_of(caught.value)
    assert (trouble.code, len(trouble.lines)) == (Code.CONFIG, 1)


def files_of(world: World) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in world.folder.iterdir() if "-" not in path.name}


def test_a_store_whose_exchange_record_is_missing_is_refused_and_none_is_made(
    holding: World,
) -> None:
    ledger_path(holding.config).unlink()

    with refused("Expected the paper exchange's record at .* found none; put it back"):
        holding.start()

    assert not ledger_path(holding.config).exists()


def test_a_store_whose_exchange_record_is_an_empty_file_is_refused(holding: World) -> None:
    ledger_path(holding.config).write_bytes(b"")

    with refused("Expected the paper exchange's record at .* found an empty one"):
        holding.start()

    assert ledger_path(holding.config).read_bytes() == b""


def test_a_store_with_fills_beside_a_record_without_orders_is_refused(
    holding: World, make_world: MakeWorld
) -> None:
    idle = make_world(flat(8)).live()
    fresh = ledger_path(idle.config).read_bytes()
    ledger_path(holding.config).write_bytes(fresh)
    holding.config = holding.config.model_copy(update={"market": idle.config.market})

    with refused("Expected the paper exchange's record at .* found an empty one"):
        holding.start()


def test_a_refused_start_can_be_mended_by_putting_the_record_back(holding: World) -> None:
    path = ledger_path(holding.config)
    kept = path.read_bytes()
    path.unlink()
    with refused("put it back"):
        holding.start()
    path.write_bytes(kept)

    holding.live()

    holding.expect_truth()


def test_no_new_store_is_made_beside_the_exchange_record_of_another(holding: World) -> None:
    _remove_store(holding.store_path)

    with refused("aegis.db.paper belongs to another store; .* move both away together"):
        holding.start()

    assert not holding.store_path.exists()


def test_a_store_without_events_beside_an_old_exchange_record_is_refused(
    holding: World,
) -> None:
    _remove_store(holding.store_path)
    holding.store_path.write_bytes(b"")

    with refused("belongs to another store"):
        holding.start()


def test_what_is_held_in_a_symbol_that_is_not_configured_is_refused(holding: World) -> None:
    mine = {"exchange": {"symbols": ["ETH/USDT"]}}
    market = {"market": {"source": "replay", "path": holding.config.market.path, "speed": 0}}
    before = files_of(holding)
    holding.config = config_of(holding.folder, market, mine)

    with refused(r"BTC/USDT is held \(position .*\) and is not in exchange.symbols; add it"):
        holding.start()

    assert files_of(holding).keys() == before.keys()


def test_a_store_of_one_replay_file_is_not_another_files(
    holding: World, make_world: MakeWorld
) -> None:
    other = make_world(flat(8, price="200"))
    holding.config = holding.config.model_copy(update={"market": other.config.market})

    with refused("Expected a store of market replay:candles.csv:.*, found one of market replay:"):
        holding.start()


def test_a_replay_file_that_was_moved_is_the_same_market(holding: World) -> None:
    moved = holding.folder / "moved"
    moved.mkdir()
    (path,) = holding.config.market.path
    market = holding.config.market.model_copy(update={"path": (path.rename(moved / path.name),)})
    holding.config = holding.config.model_copy(update={"market": market})

    holding.live()

    holding.expect_truth()


def test_a_replay_file_that_has_grown_is_the_same_market(holding: World) -> None:
    (path,) = holding.config.market.path
    write_replay(path, flat(12))

    holding.live()

    holding.expect_truth()


@pytest.mark.parametrize("kept", [".paper", ".mark"])
def test_a_store_that_is_removed_while_in_use_is_never_made_anew(
    make_world: MakeWorld, kept: str
) -> None:
    world = make_world(flat(60), script=HOLDS).start()
    world.run_until_candle(6)
    for path in world.folder.glob("aegis.db*"):
        if path.suffix not in (".paper", kept):
            path.unlink()

    world.kill(names.POSITION_STORE)
    world.run_until(lambda: not world.system.verdicts.empty())

    assert world.system.verdicts.get_nowait().exit_code != 0
    assert not world.store_path.exists()


def test_a_store_that_is_replaced_by_an_elder_copy_while_in_use_ends_the_run(
    make_world: MakeWorld,
) -> None:
    world = make_world(flat(60), script=HOLDS).start()
    world.run_until_candle(2)
    world.restart()  # so that the database holds what the log held
    elder = world.store_path.read_bytes()
    world.run_until_candle(6)
    for path in world.folder.glob("aegis.db*"):
        if path.suffix != ".paper":
            path.unlink()
    world.store_path.write_bytes(elder)

    world.kill(names.POSITION_STORE)
    world.run_until(lambda: not world.system.verdicts.empty())

    assert world.system.verdicts.get_nowait().exit_code != 0


def _remove_store(store: Path) -> None:
    for path in (store, *store.parent.glob(f"{store.name}.mark"), *store.parent.glob("*-*")):
        path.unlink()


def test_nobody_trades_on_a_store_that_is_not_kept(holding: World) -> None:
    market = holding.config.market.model_copy(update={"speed": 60})
    config = holding.config.model_copy(update={"market": market})

    with pytest.raises(AssertionError, match="Expected a store that is kept, to trade on"):
        run(config, folder=holding.folder, log=cast("Log", no_log), progress=print, is_kept=False)
