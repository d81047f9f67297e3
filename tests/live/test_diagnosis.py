"""What a diagnosis of a live account finds at the exchange, and what AEGIS does about it."""

from __future__ import annotations

from pathlib import Path

from aegis.domain.events import CheckResult
from tests.exchange_server.faults import Fault
from tests.live.world import LiveWorld

STOPS = "private/advanced/create-order"
DISASTER = {"risk": {"exchange_stop": "disaster", "cooldown_s": 3600}}


def diagnosed(world: LiveWorld) -> dict[str, CheckResult]:
    """Return what each check says to a person who asks now."""
    token = world.people.say("diagnose")
    world.run_until(lambda: token in world.people.replies)
    return {each.check: each for each in world.people.replies[token].checks}


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
