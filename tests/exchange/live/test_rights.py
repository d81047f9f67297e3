"""Entries wait for a key that may withdraw, where its exchange tells; nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from aegis.clock import ManualClock
from aegis.exchange.live.calls import Answered, Call, Lost, Outcome, Rights, Verdict
from aegis.exchange.live.profiles import PROFILES
from aegis.exchange.live.rights import AGAIN_S, MAY_WITHDRAW, KeyWatch
from supervisors.seeded import SeededRuntime
from tests.exchange.live.feed.fake_exchange import START
from tests.exchange.live.test_canary import Sent

MAY = Answered(value=Rights(can_trade=True, can_withdraw=True))
MAY_NOT = Answered(value=Rights(can_trade=True, can_withdraw=False))
LOST = Lost(reason="reset")


class Stage:
    def __init__(self, *verdicts: Verdict, tells: bool = True, may_withdraw: bool = False) -> None:
        self.runtime = SeededRuntime(ManualClock(START), 1)
        self.lines: list[str] = []
        self.asked: list[Call] = []
        self.verdicts = list(verdicts)
        self.watch = KeyWatch(
            Sent(),
            profile=replace(PROFILES["cryptocom"], tells_rights=tells),
            make_client=self.make_client,
            runtime=self.runtime,
            deadline_s=5.0,
            may_withdraw=may_withdraw,
            log=self.log,
        )

    def log(self, event: str, /, **_fields: object) -> None:
        self.lines.append(event)

    def make_client(self) -> Callable[[Call], Outcome]:
        return self.execute

    def execute(self, call: Call) -> Outcome:
        self.asked.append(call)
        verdict = self.verdicts.pop(0)
        return Outcome(call=call, verdict=verdict, server_at=None, http_status=200)

    def live(self, seconds: float) -> Stage:
        self.runtime.run_for(seconds)
        return self


def test_a_key_that_may_not_withdraw_is_taken_as_soon_as_that_is_known() -> None:
    stage = Stage(MAY_NOT)
    assert stage.watch.hold()
    stage.watch.begin()
    assert stage.live(1).watch.hold() is None
    assert stage.lines == []


def test_a_key_that_may_withdraw_opens_nothing_and_is_told_of() -> None:
    stage = Stage(MAY)
    stage.watch.begin()
    assert stage.live(1).watch.hold() == MAY_WITHDRAW
    assert stage.lines == ["KeyMayWithdraw"]


def test_what_is_not_known_yet_is_asked_again() -> None:
    stage = Stage(LOST, LOST, MAY_NOT)
    stage.watch.begin()
    assert stage.live(AGAIN_S).watch.hold()
    assert stage.live(2 * AGAIN_S).watch.hold() is None


def test_no_exchange_that_is_traded_is_asked_beside_the_budgets_of_the_line() -> None:
    asked = [each.name for each in PROFILES.values() if each.is_proven and each.tells_rights]
    assert asked == [], "Expected ReadRights to go by the line, in its budget, before this is so"
    stage = Stage(tells=False)
    stage.watch.begin()
    stage.live(10 * AGAIN_S).watch.renew(stage.make_client)
    stage.live(10 * AGAIN_S)
    assert stage.asked == []


def test_a_key_that_is_taken_by_name_is_not_asked_about() -> None:
    stage = Stage(may_withdraw=True)
    stage.watch.begin()
    assert stage.live(1).watch.hold() is None
    assert stage.lines == []


def test_where_the_exchange_does_not_tell_one_line_says_so() -> None:
    stage = Stage(tells=False)
    stage.watch.begin()
    assert stage.live(1).watch.hold() is None
    assert stage.lines == ["KeyRightsUntold"]


@pytest.mark.parametrize(("second", "is_held"), [(MAY, True), (MAY_NOT, False)])
def test_another_key_is_asked_about_anew(second: Verdict, *, is_held: bool) -> None:
    stage = Stage(MAY_NOT if is_held else MAY, second)
    stage.watch.begin()
    stage.live(1).watch.renew(stage.make_client)
    assert (stage.live(1).watch.hold() is not None) is is_held


def test_what_is_told_of_the_key_before_counts_no_more() -> None:
    stage = Stage(MAY_NOT, MAY)
    stage.watch.begin()
    stage.watch.renew(stage.make_client)
    assert stage.live(1).watch.hold() == MAY_WITHDRAW
