"""Live: a canary's entries are left to fill, and a `resume` that would not last is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.cli.unsettled import to_settle
from tests.exchange_server.faults import Fault
from tests.live.world import BEATS, LiveWorld


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[LiveWorld]:
    """A world in which the one entry of a canary was accepted, and fills by hand."""
    settings = {"live": {"canary_orders": 1}}
    with LiveWorld(tmp_path, settings=settings, matching="by_hand") as world:
        world.start().run_until(lambda: world.has_said("CanaryOver"))
        yield world


def test_the_last_entry_of_a_canary_is_left_to_fill(canary: LiveWorld) -> None:
    canary.run_for(30)
    (there,) = canary.core.ledger.orders()
    assert there.is_open
    canary.owner("fill", order_id=there.order_id, quantity=str(there.quantity), price="40000")
    canary.run_until(lambda: canary.has_said("PositionOpened"))
    canary.expect_truth()


def test_a_canary_that_is_over_refuses_a_resume_and_says_why(canary: LiveWorld) -> None:
    answer = canary.say("resume")
    assert not answer.is_done
    assert "raise live.canary_orders" in answer.text
    canary.run_for(60)
    assert not canary.has_said("OrderRejected")


@pytest.fixture
def denied(tmp_path: Path) -> Iterator[LiveWorld]:
    """A world whose key was revoked while it traded."""
    with LiveWorld(tmp_path, strategy=BEATS, period_s=5) as world:
        world.start().run_until(lambda: world.has_said("PositionClosed"))
        world.ways(key="revoked")
        world.run_until(lambda: world.has_said("KeyDenied"))
        yield world


def test_a_denied_key_refuses_a_resume(denied: LiveWorld) -> None:
    for _ in range(3):
        answer = denied.say("resume")
        assert not answer.is_done
        assert "does not take the key" in answer.text
        denied.run_for(50)


def test_a_denied_key_is_what_is_told_first_also_after_a_flatten_and_a_restart(
    denied: LiveWorld,
) -> None:
    denied.say("flatten")
    denied.run_for(70)
    for _ in range(2):
        vitals = denied.say("status").vitals
        assert vitals is not None
        assert vitals.exchange is not None
        exits_wait = vitals.exchange.exits_wait
        first = next(to_settle(denied.status(), is_silent=False, exits_wait=exits_wait))
        assert first.startswith("NO EXIT PASSES: the exchange does not take the key")
        denied.drop()
        denied.start().run_for(5)


def test_a_gateway_that_turns_prices_away_denies_no_key(tmp_path: Path) -> None:
    with LiveWorld(tmp_path, strategy=BEATS, period_s=5) as world:
        world.fault(Fault.HTML_403, "public", next=4)
        world.start().run_until(lambda: world.has_said("PositionClosed"))
        assert not world.has_said("KeyDenied")
        assert world.status().account.trading_state == "ACTIVE"


def test_a_resume_after_a_key_was_taken_again_lasts(denied: LiveWorld) -> None:
    denied.run_for(70)
    denied.ways(key="ok")
    denied.run_until(lambda: denied.has_said("KeyAccepted"))
    assert denied.say("resume").is_done
    halts = len(denied.said("TradingStateChanged"))
    denied.run_for(90)
    assert len(denied.said("TradingStateChanged")) == halts
    assert denied.status().account.trading_state == "ACTIVE"
