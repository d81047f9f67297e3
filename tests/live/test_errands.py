"""`run.py reconcile` on a live account, as a person says it: AEGIS runs, or it is down."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

import pytest

from aegis.control import Answer, Ask, ask
from tests.crash.evidence import Evidence, look
from tests.live.account import differences
from tests.live.conftest import Make
from tests.live.scene import HOLDING, LiveScene

Said = subprocess.CompletedProcess[str]


class Done(NamedTuple):
    scene: LiveScene
    running_dry: Answer
    running: Answer
    before: Evidence
    down_dry: Said
    diagnosed: Said
    after_dry: Evidence
    down: Said
    resolved: Said
    settled: Said


@pytest.fixture(scope="module")
def done(make_live: Make) -> Done:
    """Give what was said of a sale by hand while it ran, and of coins that went after it."""
    scene = make_live(HOLDING)
    control, process = scene.local.control, scene.restart()
    scene.wait_for_position(process)
    control.trade("SELL", "0.001", price="41000")
    running_dry = ask(scene.store, Ask(command="reconcile", is_dry_run=True))
    running = scene.ask("reconcile")
    process.terminate()
    assert process.exit_code() == 0
    control.deposit("USDT", "7.5")
    control.withdraw("BTC", "0.0005")
    before = look(scene.store)
    (position,) = before.book.alive_positions()
    return Done(
        scene,
        running_dry,
        running,
        before,
        down_dry=scene.say("reconcile", "--dry-run", "--live"),
        diagnosed=scene.say("diagnose", "--dry-run", "--live"),
        after_dry=look(scene.store),
        down=scene.say("reconcile", "--live"),
        resolved=scene.say("resolve", position.position_id, "--transferred"),
        settled=scene.say("reconcile", "--live"),
    )


def test_while_it_runs_it_is_asked_and_heals(done: Done) -> None:
    assert "would book what somebody else sold of it" in done.running_dry.text
    assert done.running.is_done
    assert "1 discrepancy, 1 healed" in done.running.text


def test_a_dry_run_while_it_is_down_tells_and_writes_nothing(done: Done) -> None:
    assert (done.down_dry.returncode, done.down_dry.stderr) == (0, "")
    assert "the exchange lacks 0.0005 BTC" in done.down_dry.stdout
    assert done.after_dry.head_hash == done.before.head_hash


def test_a_diagnosis_while_it_is_down_has_measured_what_it_tells_of(done: Done) -> None:
    found = [line.split()[:2] for line in done.diagnosed.stdout.splitlines()]
    assert ["ok", "exchange"] in found
    assert ["ok", "symbols"] in found
    assert "measured" not in done.diagnosed.stdout


def test_what_nobody_can_tell_is_asked_in_words_that_answer_it(done: Done) -> None:
    assert (done.down.returncode, done.down.stderr) == (1, "")
    assert "external USDT" in done.down.stdout
    assert "--transferred" in done.down.stdout
    assert done.resolved.returncode == 0


def test_once_it_is_answered_the_rest_is_recorded(done: Done) -> None:
    assert (done.settled.returncode, done.settled.stderr) == (0, "")
    assert done.settled.stdout.startswith("1 discrepancy, 1 healed\nexternal USDT")


def test_at_the_end_store_and_exchange_are_one(done: Done) -> None:
    found = look(done.scene.store)
    with done.scene.local.ledger() as ledger:
        assert tuple(differences(found, ledger)) == ()
    assert [f"{each.amount:f}" for each in found.book.alive_positions()] == ["0.000998125"]
