"""Live: two AEGIS with stores of their own on one account, as nobody should have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.domain.money import text
from tests.live.account import TAG, AccountWorld

SLICE_S = 0.5
"""Two threads of one clock: one lives on for so long, then the other."""

SAID = "another AEGIS trades this account, or this store is an old copy"


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[AccountWorld, AccountWorld]]:
    """Give two worlds on one account; neither lives yet."""
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    with AccountWorld(folders[0]) as one, AccountWorld(folders[1]) as other:
        other.share(one)
        yield one, other


def both_for(seconds: float, one: AccountWorld, other: AccountWorld) -> None:
    for _ in range(int(seconds / SLICE_S)):
        one.run_for(SLICE_S)
        other.run_for(SLICE_S)


def test_the_second_says_so_at_its_start_and_enters_nothing(
    two: tuple[AccountWorld, AccountWorld],
) -> None:
    one, other = two
    other.share(one.hold())
    other.start()
    both_for(90, one, other)

    assert other.kinds() == ["orphan"]
    assert other.entries() == []
    halt = other.said("TradingStateChanged")[-1].fields
    assert (halt["level"], halt["cause"]) == ("warning", "orphan")
    assert SAID in halt["reason"]
    assert SAID in other.said("Notified")[0].fields["text"]
    refused = other.say("resume")
    assert not refused.is_done
    assert "stop the other one" in refused.text
    one.expect_truth()


def test_two_that_began_together_both_notice_within_two_minutes(
    two: tuple[AccountWorld, AccountWorld],
) -> None:
    one, other = two
    one.start()
    other.start()
    both_for(120, one, other)
    assert one.entries()
    assert other.entries()

    for each in two:
        account = each.status().account
        assert (account.trading_state, account.cause) == ("REDUCING", "orphan")
        assert SAID in account.reason
        held = each.evidence().book.alive_positions()
        assert [text(position.amount) for position in held] == ["0.0099925"]
        assert len(each.said("DiscrepancyFound")) == len(each.kinds()), "each is said once"


def test_many_trades_of_another_are_told_in_one_line(
    two: tuple[AccountWorld, AccountWorld],
) -> None:
    one, _ = two
    one.hold()
    for number in range(20):
        one.owner("trade", quantity="0.001", price="40000", client_oid=f"{TAG}{number:024d}")

    one.say("reconcile")

    assert len(one.kinds()) == 20
    assert "and 17 more" in one.status().account.reason
