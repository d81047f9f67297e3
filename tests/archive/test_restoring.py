"""A store is put back from a backup; what it has forgotten is found at the exchange and booked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from aegis.archive.choosing import Chosen, choose
from aegis.archive.errors import ArchiveError
from aegis.archive.making import make_backup
from aegis.archive.restoring import Replaced, restore
from aegis.archive.settings import archive_of
from aegis.archive.shelf import Archive, backups_in
from aegis.config.policy import stop_policy_of
from aegis.control import Answer, Ask
from aegis.dialogue import PlaceOrder
from aegis.domain.account import TradingState
from aegis.domain.ids import Coin, Incarnation, account_tag
from aegis.domain.order import OrderState, Side
from aegis.domain.restored import LostOrder, Terms, adoption_of
from aegis.exchange.instruments import paper_instruments
from aegis.exchange.paper import Fault
from aegis.exchange.paper_ledger import read_ledger
from aegis.log.logger import Log
from aegis.store.errors import StoreForeign, StoreTooNew, StoreUnguarded
from aegis.store.identity import Identity
from aegis.store.reading import read_status
from aegis.store.verify import verify
from supervisors.errands import act
from supervisors.recovering import known_elsewhere
from supervisors.settings import identity_of
from tests.archive.conftest import BUSY, Make, Say
from tests.crash.evidence import differing
from tests.simulation.candles import walk
from tests.simulation.faults import ANSWER_LOST, REQUEST_LOST, on
from tests.simulation.world import World
from tests.store.tampering import stranger

# The store ------------------------------------------------------------------------------------


def test_what_is_restored_is_the_backup_and_the_facts_of_it(
    gone_on: World, archive: Archive, say: Say
) -> None:
    (backup,) = backups_in(Path(archive.folder), "aegis.db")
    before = read_status(gone_on.store_path)
    assert say("restore", backup="latest").is_done

    after = gone_on.status()
    assert after.events == backup.manifest.events + 2
    (fact,) = gone_on.history("StoreRestored")
    assert fact["data"] == {
        "schema": 1,
        "backup": backup.folder.name,
        "events": backup.manifest.events,
        "head_hash": backup.manifest.head_hash,
        "replaced": "aegis.db.replaced-1",
        "replaced_events": before.events,
        "incarnation": after.identity.incarnation,
    }
    assert after.identity.incarnation != backup.manifest.incarnation
    assert (after.account.trading_state, after.account.cause) == (TradingState.REDUCING, "restore")
    assert verify(gone_on.store_path).ok


def test_the_store_that_was_is_kept_whole(gone_on: World, say: Say) -> None:
    before = gone_on.status()
    say("restore", backup="latest")
    aside = gone_on.folder / "aegis.db.replaced-1" / "aegis.db"
    kept = verify(aside)
    assert kept.ok, kept.problems
    assert kept.head_hash == before.head_hash


def test_a_restore_can_be_undone_by_naming_what_was_kept(gone_on: World, say: Say) -> None:
    before = gone_on.status()
    say("restore", backup="latest")
    say("restore", backup=str(gone_on.folder / "aegis.db.replaced-1" / "aegis.db"))
    assert gone_on.status().events == before.events + 2
    assert (gone_on.folder / "aegis.db.replaced-2").is_dir()
    assert say("recover").text.startswith("nothing is forgotten")
    gone_on.expect_truth()


def test_a_store_is_not_put_back_onto_itself(gone_on: World, say: Say) -> None:
    before = gone_on.status()
    with pytest.raises(ArchiveError, match="is the store itself"):
        say("restore", backup=str(gone_on.store_path))
    assert gone_on.status() == before
    assert not list(gone_on.folder.glob("*.replaced-*"))


def test_the_exchange_does_not_go_back(gone_on: World, say: Say) -> None:
    before = gone_on.ledger()
    say("restore", backup="latest")
    assert gone_on.ledger() == before


@pytest.mark.parametrize("fate", ["lost", "rubbish", "older"])
def test_an_account_that_is_lost_damaged_or_older_is_put_back_too(
    life: World, make: Make, archive: Archive, say: Say, fate: str
) -> None:
    ledger = Path(archive.account)
    elder = make_backup(archive, "operator", "2099-01-01T00:00:00.000Z").name
    life.run_until_candle(18)
    made = make()
    life.run_to_the_end().end()
    for ending in ("-wal", "-shm"):
        ledger.with_name(ledger.name + ending).unlink(missing_ok=True)
    if fate == "lost":
        ledger.unlink()
    elif fate == "rubbish":
        ledger.write_bytes(b"\0" * 50_000)
    else:
        shutil.copyfile(Path(archive.folder) / elder / ledger.name, ledger)

    answer = say("restore", backup="latest")
    assert "the exchange's record was put back as well" in answer.text
    kept = read_ledger(Path(archive.folder) / made.name / ledger.name)
    assert read_ledger(ledger) == kept
    aside = life.folder / "aegis.db.replaced-1"
    assert (aside / ledger.name).exists() is (fate != "lost")


def test_the_latest_that_can_be_trusted_is_taken_and_the_others_are_named(
    life: World, make: Make, archive: Archive, say: Say
) -> None:
    good = make()
    life.run_to_the_end().end()
    bad = make()
    database = Path(archive.folder) / bad.name / "aegis.db"
    data = bytearray(database.read_bytes())
    data[5000] ^= 4
    database.write_bytes(data)

    answer = say("restore", backup="latest")
    assert f"passed over: {bad.name}" in answer.text
    assert f"restored {good.name}" in answer.text


def test_a_backup_of_a_newer_schema_is_refused_and_nothing_is_touched(
    gone_on: World, archive: Archive, say: Say
) -> None:
    (backup,) = backups_in(Path(archive.folder), "aegis.db")
    copy = gone_on.folder / "newer.db"
    shutil.copyfile(backup.database, copy)
    with stranger(copy) as db:
        db.execute("PRAGMA user_version = 99").fetchall()
    before = gone_on.status()
    with pytest.raises(StoreTooNew, match="found 99; use a newer AEGIS"):
        say("restore", backup=str(copy))
    assert gone_on.status() == before


def test_another_accounts_backup_is_refused(gone_on: World, archive: Archive) -> None:
    other = replace(identity_of(gone_on.config), account="other")
    before = gone_on.status()
    with pytest.raises(StoreForeign, match="account"):
        restore(archive, other, lambda: choose(archive, "latest"), unsigned)
    assert gone_on.status() == before


def unsigned(_copy: Path, _chosen: Chosen, _replaced: Replaced) -> None:
    """Write nothing down."""


STEPS = 9


@pytest.mark.parametrize("step", range(STEPS))
def test_a_kill_at_any_step_is_ended_by_the_same_command(
    gone_on: World,
    archive: Archive,
    say: Say,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """What no start takes is as good as the store that was, or the new one: nobody misreads it."""

    class KilledError(BaseException):
        """Nothing after it is done."""

    identity: Identity = identity_of(gone_on.config)
    before, heads = gone_on.status(), {gone_on.status().head_hash}
    (backup,) = backups_in(Path(archive.folder), "aegis.db")
    heads.add(backup.manifest.head_hash)
    steps = iter(range(100))

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise KilledError
            return real(*arguments, **named)

        return done

    with monkeypatch.context() as patch:
        for name in ("rename", "replace"):
            patch.setattr(Path, name, dying(getattr(Path, name)))
        patch.setattr(os, "link", dying(os.link))
        patch.setattr("aegis.archive.restoring.sync_path", dying(lambda _path: None))
        patch.setattr(shutil, "rmtree", lambda _path: None)  # `finally` is not for the dead
        with pytest.raises(KilledError):
            restore(archive, identity, lambda: chosen_of(archive), unsigned)
    seen = verify(gone_on.store_path) if gone_on.store_path.exists() else None
    assert seen is None or not seen.ok or seen.head_hash in heads

    assert say("restore", backup="latest").is_done
    assert gone_on.status().events == backup.manifest.events + 2
    kept = [verify(each) for each in gone_on.folder.glob("aegis.db.replaced-*/aegis.db")]
    assert before.head_hash in {each.head_hash for each in kept}


def chosen_of(archive: Archive) -> Chosen:
    return choose(archive, "latest")


# What it has forgotten ------------------------------------------------------------------------


def test_nothing_is_resumed_before_the_books_were_compared(gone_on: World, say: Say) -> None:
    say("restore", backup="latest")
    assert not say("resume").is_done
    assert "orphan" in say("reconcile").text
    assert not say("resume").is_done
    assert say("recover").is_done
    assert say("resume").is_done


@pytest.mark.parametrize("fault", [REQUEST_LOST, ANSWER_LOST], ids=["never there", "filled"])
@pytest.mark.parametrize("command", ["reconcile", "recover"])
def test_an_order_under_way_at_the_backup_is_settled_where_no_aegis_runs(
    still: World, make: Make, say: Say, fault: Fault, command: str
) -> None:
    still.faults = on(PlaceOrder, fault)
    still.start().run_until(lambda: bool(still.system.book().orders))
    still.run_until(
        lambda: {OrderState.SUBMITTING} == {o.state for o in still.system.book().active_orders()}
    )
    make()
    still.drop()
    assert say("restore", backup="latest").is_done

    assert say(command).is_done
    resumed = say("resume")
    assert resumed.is_done, resumed.text


def test_what_was_forgotten_stays_in_sight_however_often_one_looks(
    gone_on: World, say: Say
) -> None:
    say("restore", backup="latest")
    first, second = say("reconcile").text, say("reconcile").text
    assert first == second
    assert "external" not in second


def test_a_restore_that_forgot_nothing_asks_for_no_recovery(
    life: World, make: Make, say: Say
) -> None:
    life.run_to_the_end().end()
    make()
    say("restore", backup="latest")
    assert say("recover").text.startswith("nothing is forgotten")
    assert say("resume").is_done
    life.expect_truth()


def test_looking_for_what_was_forgotten_changes_nothing(gone_on: World, say: Say) -> None:
    say("restore", backup="latest")
    before, ledger = gone_on.status(), gone_on.ledger()
    found = say("recover", is_dry_run=True)
    assert not found.is_done
    assert found.text.startswith("would book: ")
    assert (gone_on.status(), gone_on.ledger()) == (before, ledger)


@pytest.mark.parametrize(
    ("seed", "until"),
    [
        pytest.param(seed, until, marks=[] if (seed + until) % 3 == 0 else [pytest.mark.long])
        for seed in range(6)
        for until in (12, 17, 24)
    ],
)
def test_store_and_exchange_are_one_after_a_recovery(
    tmp_path: Path, log: Log, seed: int, until: int
) -> None:
    """To the last digit, whenever the backup was made and whatever was under way."""
    world = World(tmp_path, walk(30, seed=seed), script=BUSY, seed=seed).start()
    world.run_until_candle(5 + seed)
    world.run_steps(7 * seed)
    make_backup(archive_of(world.config), "operator", "2026")
    world.run_until_candle(until)
    world.run_steps(11 * seed)
    world.drop()

    def said(command: str) -> Answer:
        ask = Ask(command=command, backup="latest")
        return act(world.config, folder=world.folder, log=log, ask=ask)

    said("restore")
    assert said("recover").is_done, said("recover").text
    world.expect_truth()
    assert said("resume").is_done
    world.start().run_to_the_end().end()
    world.expect_truth()


def test_a_recovered_position_gets_the_stop_of_the_settings(tmp_path: Path, log: Log) -> None:
    world = World(tmp_path, walk(30, seed=1), script={"enters": [8]}).start()
    world.run_until_candle(5)
    make_backup(archive_of(world.config), "operator", "2026")
    world.run_until_candle(12)
    (was,) = world.positions("OPEN")
    world.drop()
    for command in ("restore", "recover"):
        ask = Ask(command=command, backup="latest")
        act(world.config, folder=world.folder, log=log, ask=ask)

    (found,) = world.positions("OPEN")
    for key in ("symbol", "amount", "entry_price", "cost", "stop_price", "take_profit_price"):
        assert found[key] == was[key]
    assert found["created_by"] == "reconciler"


def test_what_sold_more_than_was_held_is_booked_as_the_owner_s(
    life: World, make: Make, say: Say
) -> None:
    """An order with our tag that sold what no position held."""
    make()
    life.hand().transfer("BTC", Decimal(5))
    identity = identity_of(life.config)
    tag = account_tag(identity.mode, identity.exchange, identity.account)
    life.run_until(lambda: not life.system.book().alive_positions())
    life.place_at_exchange(tag + "f" * 24, Side.SELL, "2.5")
    life.run_until_candle(18)
    life.drop()
    say("restore", backup="latest")

    told = say("recover")
    assert told.is_done
    assert "booked: sell 2.5 of 2.5 BTC/USDT" in told.text
    assert "2.5 of it no position held: coins of yours" in told.text
    assert say("recover").text.startswith("nothing is forgotten")
    owned = {Coin("BTC"): Decimal("2.5")}
    assert differing(life.evidence(), life.ledger(), owned) == ()


def test_nothing_is_booked_while_a_symbol_of_what_was_forgotten_is_not_configured(
    life: World, make: Make, say: Say, log: Log
) -> None:
    life.run_until(lambda: not life.system.book().alive_positions())
    make()
    life.run_until_candle(18)
    life.drop()
    say("restore", backup="latest")
    without = life.config.exchange.model_copy(update={"symbols": ("ETH/USDT",)})
    config = life.config.model_copy(update={"exchange": without})
    with pytest.raises(StoreUnguarded, match=r"BTC/USDT has forgotten orders \(\d+\)"):
        act(config, folder=life.folder, log=log, ask=Ask(command="recover"))
    assert life.history("RecoveryCompleted") == []
    assert not say("resume").is_done

    assert say("recover").is_done
    life.expect_truth()


def test_a_second_recovery_finds_nothing(gone_on: World, say: Say) -> None:
    say("restore", backup="latest")
    assert say("recover").is_done
    fills = gone_on.history("OrderFilled")
    assert say("recover").text.startswith("nothing is forgotten")
    assert gone_on.history("OrderFilled") == fills


def test_a_trade_that_is_booked_is_named_and_not_booked_again(gone_on: World) -> None:
    lost = gone_on.ledger()
    (first, *_), (trade, *_) = lost.orders, lost.trades
    found = adoption_of(
        LostOrder(order=replace(first, client_order_id="ae-another"), trades=(trade,)),
        Terms(
            incarnation=Incarnation("x"),
            strategy="",
            policy=stop_policy_of(gone_on.config),
            instruments=paper_instruments(gone_on.config.exchange.symbols, {}),
        ),
    )
    gone_on.start()
    assert trade.trade_id in known_elsewhere(gone_on.system._store, found)
    gone_on.drop()
