"""Which part of a recording is gone again, and what is said of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, EventId, Incarnation, Instant, Symbol
from aegis.domain.legs import Leg, clipped, legs_of
from aegis.domain.recorded import Beginning, Entry, Recording, RunEnded, RunStarted, SettingsChanged
from aegis.domain.way import NoWay, Way, way_of

BTC = Symbol("BTC/USDT")
MINUTE_NS = 60 * NANOS_PER_SECOND
START = Instant(1_704_067_200 * NANOS_PER_SECOND)


def at(minute: float) -> Instant:
    return Instant(START + int(minute * MINUTE_NS))


def started(minute: float, *, after: int = 0, speed: str = "0", **settings: str) -> Entry:
    fact = RunStarted(
        version="1",
        incarnation=Incarnation("first"),
        market="replay",
        beginnings=(Beginning(symbol=BTC, starts_at=START, first_price=None),),
        settings={"market.speed": speed, "market.timeframe": '"1m"', **settings},
    )
    return Entry(at=at(minute), after_event=EventId(after), fact=fact)


def ended(minute: float) -> Entry:
    return Entry(at=at(minute), after_event=EventId(9), fact=RunEnded())


def changed(minute: float, **settings: str) -> Entry:
    return Entry(at=at(minute), after_event=EventId(9), fact=SettingsChanged(settings=settings))


def candles(count: int, first: int = 0) -> tuple[Candle, ...]:
    one = Decimal(1)
    return tuple(
        Candle(
            symbol=BTC,
            open_at=at(number),
            length_s=60,
            open=one,
            high=one,
            low=one,
            close=one,
            volume=one,
        )
        for number in range(first, first + count)
    )


def recording(*entries: Entry, count: int = 100, first: int = 0, **more: Any) -> Recording:
    series = {(BTC, 60): candles(count, first)} if count else {}
    spans = {key: (made[0].open_at, made[-1].open_at) for key, made in series.items()}
    return Recording(entries=entries, candles=series, spans=spans, **{"is_cut": False, **more})


def way(*entries: Entry, begin: float | None = None, end: float | None = None, **more: Any) -> Way:
    instants = [None if minute is None else at(minute) for minute in (begin, end)]
    found = way_of(recording(*entries, **more), *instants)
    assert isinstance(found, Way), found
    return found


def spans(legs: tuple[Leg, ...]) -> list[tuple[int, int | None]]:
    return [
        (
            (leg.begins_at - START) // MINUTE_NS,
            None if leg.ends_at is None else (leg.ends_at - START) // MINUTE_NS,
        )
        for leg in legs
    ]


def test_a_run_that_was_killed_ends_where_the_next_begins() -> None:
    legs = legs_of([started(0), started(20), ended(50)])
    assert spans(legs) == [(0, 20), (20, 50)]


def test_a_last_run_without_an_end_has_none() -> None:
    assert spans(legs_of([started(0), ended(20), started(20)])) == [(0, 20), (20, None)]


def test_what_a_run_took_over_on_the_way_belongs_to_it() -> None:
    (leg,) = legs_of([started(0), changed(5, size="2"), changed(9, size="3"), ended(20)])
    assert [(change.at, change.settings["size"]) for change in leg.changes] == [
        (at(5), "2"),
        (at(9), "3"),
    ]


def test_what_had_changed_before_an_interval_is_how_it_begins() -> None:
    legs = legs_of([started(0, size="1"), changed(5, size="2"), changed(9, size="3"), ended(20)])
    (leg,) = clipped(legs, at(6), None)
    assert leg.settings["size"] == "2"
    assert [change.settings["size"] for change in leg.changes] == ["3"]


def test_legs_outside_of_an_interval_are_left_out() -> None:
    legs = legs_of([started(0), ended(10), started(10), ended(20), started(20), ended(30)])
    assert spans(clipped(legs, at(12), at(18))) == [(12, 18)]
    assert spans(clipped(legs, at(5), at(25))) == [(5, 10), (10, 20), (20, 25)]


def test_a_run_that_ended_at_the_instant_of_its_beginning_is_a_leg() -> None:
    legs = legs_of([started(0), ended(10), started(10), ended(10), started(10), ended(30)])
    assert spans(clipped(legs, at(0), None)) == [(0, 10), (10, 10), (10, 30)]
    assert spans(clipped(legs, at(10), at(30))) == [(10, 10), (10, 30)]
    assert spans(clipped(legs, at(0), at(10))) == [(0, 10)]
    assert spans(clipped(legs, at(11), None)) == [(11, 30)]


def test_a_leg_that_begins_later_than_its_run_trades_from_there_on() -> None:
    (leg,) = clipped(legs_of([started(0), ended(50)]), at(20), None)
    assert leg.beginnings[0].starts_at == at(20)


def test_a_whole_way_begins_where_the_store_does() -> None:
    found = way(started(0), ended(100))
    assert (found.begin, found.end, found.notes) == (None, None, ())
    assert found.is_repeatable


def test_a_beginning_before_the_first_run_is_the_whole_way() -> None:
    assert way(started(0), ended(100), begin=-60).begin is None


def test_an_interval_begins_flat_and_says_so() -> None:
    found = way(started(0), ended(100), begin=30, end=60)
    assert (found.begin, found.end) == (at(30), at(60))
    assert any("flat at 2024-01-01T00:30:00" in note for note in found.notes)
    assert found.candles_of(recording()) == 30


def test_a_run_without_an_end_is_compared_as_far_as_it_is_recorded() -> None:
    found = way(started(0), count=70)
    assert found.end == at(70)
    assert any("runs, or was killed" in note for note in found.notes)


def test_an_interval_that_ends_before_the_recording_does_needs_no_word_on_its_end() -> None:
    found = way(started(0), count=70, end=30)
    assert found.end == at(30)
    assert found.notes == ()


def test_a_recording_that_began_in_the_middle_of_a_store_is_gone_from_there() -> None:
    found = way(started(40, after=812), ended(100), count=60, first=40)
    assert found.begin is not None
    assert any("after event 812" in note for note in found.notes)


def test_where_the_eldest_candles_were_let_go_it_begins_with_those_that_are_left() -> None:
    found = way(started(0), ended(100), count=60, first=40, is_cut=True)
    assert found.begin == at(40)
    assert any("let go" in note for note in found.notes)


def test_several_runs_are_told_and_whether_they_were_set_alike() -> None:
    alike = way(started(0), ended(50), started(50), ended(100))
    assert "2 runs, gone through one after another, with the same settings" in alike.notes
    other = way(started(0), ended(50), started(50, size="2"), ended(100))
    assert "2 runs, gone through one after another, each with its own settings" in other.notes


def test_a_run_on_threads_cannot_be_repeated_to_the_digit() -> None:
    found = way(started(0, speed="600"), ended(100))
    assert not found.is_repeatable
    assert any("threads" in note for note in found.notes)


def test_the_last_moment_of_a_run_on_threads_is_left_out() -> None:
    assert way(started(0, speed="600"), ended(100)).end == at(95)
    assert way(started(0, speed="600"), count=100).end == at(95)
    assert way(started(0, speed="600"), ended(100), end=50).end == at(50)


def test_a_moment_is_a_candle_or_half_a_second_of_real_time() -> None:
    assert way(started(0), ended(100)).slack_ns == MINUTE_NS
    assert way(started(0, speed="1"), ended(100)).slack_ns == MINUTE_NS
    assert way(started(0, speed="600"), ended(100)).slack_ns == 5 * MINUTE_NS


def refusal(found: Way | NoWay) -> str:
    assert isinstance(found, NoWay), found
    return found.text


def test_a_store_from_before_the_recording_says_what_to_do() -> None:
    assert "has recorded no run" in refusal(way_of(recording(), None, None))


def test_a_store_without_a_candle_says_when_they_are_written() -> None:
    assert "no candle yet" in refusal(way_of(recording(started(0), count=0), None, None))


def test_an_interval_in_which_nothing_was_recorded_is_told_with_what_there_is() -> None:
    text = refusal(way_of(recording(started(0), ended(100)), at(200), None))
    assert "from 2024-01-01T00:00:00 to 2024-01-01T01:40:00" in text


def test_a_recording_that_ends_before_it_begins_is_told_without_an_end() -> None:
    text = refusal(way_of(recording(started(200), count=100), None, None))
    assert text.endswith("the recording begins at 2024-01-01T03:20:00, and has no candle since")


def test_versions_are_told_where_they_differ() -> None:
    first, second = started(0), started(50)
    assert isinstance(second.fact, RunStarted)
    newer = msgspec.structs.replace(second.fact, version="2")
    entries = (first, ended(50), msgspec.structs.replace(second, fact=newer), ended(100))
    assert "recorded by AEGIS 1, 2" in way(*entries).notes
