"""What a diagnosis of a live account finds at the exchange, and what AEGIS does about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.domain.events import CheckResult
from aegis.exchange.lookout import UNTRADED_S
from tests.exchange_server.faults import Fault
from tests.live.world import BEATS, INSTRUMENT, ORDERS, LiveWorld

STOPS = "private/advanced/create-order"
DISASTER = {"risk": {"exchange_stop": "disaster", "cooldown_s": 3600}}


def diagnosed(world: LiveWorld) -> dict[str, CheckResult]:
    """Return what each check says to a person who asks now."""
    token = world.people.say("diagnose")
    world.run_until(lambda: token in world.people.replies)
    return {each.check: each for each in world.people.replies[token].checks}


def told_of_symbols(world: LiveWorld) -> str:
    return diagnosed(world)["symbols"].details


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("halted", "halted at the exchange: BTC/USDT"),
        ("delisted", "not listed at the exchange: BTC/USDT"),
    ],
)
def test_a_symbol_that_is_traded_no_more_is_found_its_exit_goes_on_and_no_entry_goes(
    tmp_path: Path, way: str, said: str
) -> None:
    with LiveWorld(tmp_path, strategy=BEATS, period_s=30).start() as world:
        world.run_until(lambda: world.has_said("PositionOpened"))
        assert told_of_symbols(world) == ""
        world.ways(**{way: [INSTRUMENT]})
        world.run_until(lambda: world.has_said("ExitFailed"))  # which has it asked for anew
        world.run_for(1)
        assert world.said("DiagnosisFinding")[-1].fields["details"] == said
        assert told_of_symbols(world) == said

        world.ways(**{way: []})
        world.run_until(lambda: world.has_said("PositionClosed"))
        world.run_for(60)
        tried = len(world.requests(ORDERS))
        assert world.said("EntryRefused")[-1].fields["code"] == "inactive"

        world.run_for(UNTRADED_S)
        assert told_of_symbols(world) == ""
        world.run_for(60)
        assert len(world.requests(ORDERS)) > tried
        world.expect_truth()


def test_a_stop_that_the_exchange_does_not_take_is_found_until_it_rests(tmp_path: Path) -> None:
    with LiveWorld(tmp_path, period_s=5, settings=DISASTER).start() as world:
        world.fault(Fault.CODE_42901, STOPS)
        world.run_until(lambda: world.has_said("PositionOpened"))
        assert diagnosed(world)["exchange_stop"].status == "ok"
        world.run_for(90)
        held = world.said("PositionOpened")[0].fields["position"]
        found = diagnosed(world)["exchange_stop"]
        assert found.details == f"no stop rests at the exchange for: {held}"
        world.faults()
        world.run_for(90)
        assert diagnosed(world)["exchange_stop"].status == "ok"
