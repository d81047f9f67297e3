"""`run.py diagnose` beside an AEGIS that runs, and faults that were planted under it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from aegis.domain.checks import CHECKS
from aegis.domain.events import PositionMarked
from aegis.store.mark import mark_path
from aegis.store.reserve import free_reserve, is_reserved
from tests.cli.place import METRONOME, Foreground, Place
from tests.store.tampering import append_event, empty_index


@pytest.fixture
def trading(place: Place) -> Iterator[Foreground]:
    place.configure(METRONOME.format(speed=600, period_s=120))
    started = Foreground(place.folder)
    yield started
    started.clear()


def test_a_line_a_check_and_exit_code_0_when_all_is_well(place: Place, trading: Foreground) -> None:
    trading.wait_for("PositionClosed")
    said = place.run("diagnose", "--dry-run")

    assert (said.code, said.err) == (0, "")
    assert [line.split()[:2] for line in said.out.splitlines()] == [
        ["ok", check.name]
        for check in CHECKS
        if check.name not in ("exchange", "exchange_stop", "symbols")  # on paper, and off
    ]


def test_what_was_planted_under_it_is_found_by_a_dry_run_and_mended_by_the_next(
    place: Place, trading: Foreground
) -> None:
    trading.wait_for("PositionClosed")
    free_reserve(place.store)

    dry = place.run("diagnose", "--dry-run", "--json")
    assert (dry.code, dry.json["is_done"]) == (1, False)
    found = {each["check"]: each for each in dry.json["checks"]}
    assert found["disk"] == {
        "check": "disk",
        "status": "finding",
        "details": "the reserve is missing",
        "is_critical": True,
    }
    assert not is_reserved(place.store)

    said = place.run("diagnose")
    assert said.code == 0
    told = "fixed disk the reserve is missing; made the reserve"
    assert told in [" ".join(line.split()) for line in said.out.splitlines()]
    assert is_reserved(place.store)


def test_what_was_planted_while_nothing_ran_is_mended_by_the_start(
    place: Place, trading: Foreground
) -> None:
    trading.wait_for("PositionClosed")
    trading.end()
    append_event(place.store, "nobody", PositionMarked(price=Decimal(7)))
    empty_index(place.store)
    mark_path(place.store).unlink()

    again = Foreground(place.folder)
    try:
        again.wait_for("StrategyArmed")
        assert "The indices were damaged and made anew" in "".join(again.lines)
        assert place.run("verify").code == 0
        assert place.run("diagnose").code == 0
        assert again.end().code == 0
    finally:
        again.clear()
