"""What is asked of store, market and clocks, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis.clock import read_clocks
from aegis.domain.ids import EventId, Instant, Symbol
from aegis.domain.judgement import Ask, Depth
from aegis.domain.surroundings import Clocks
from aegis.store.inspection import Inspection, Places
from aegis.vitals import ExchangeVitals
from supervisors.examination import Examination, RealTime
from tests.domain.kit import BTC_USDT, CRO_USDT, ETH_USDT, START, seconds
from tests.store.histories import History, open_store

STALE_AFTER_S = 45.0


class Around:
    """A market and clocks that say what they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.heard: dict[Symbol, float] = {BTC_USDT: 1_000.0, ETH_USDT: 1_000.0}
        self.clocks = Clocks(wall_ns=seconds(5_000), monotonic_ns=seconds(10))

    def real_time(self) -> RealTime:
        return RealTime(
            heard_at=lambda: self.heard,
            monotonic=lambda: self.now,
            stale_after_s=STALE_AFTER_S,
            read_clocks=lambda: self.clocks,
        )


@pytest.fixture
def around() -> Around:
    return Around()


@pytest.fixture
def inspection(tmp_path: Path) -> Iterator[Inspection]:
    store = open_store(tmp_path / "aegis.db")
    history = History(1, store.book)
    store.commit(history.open_position(), history.book)
    made = Inspection(Places(path=store.path, files=lambda: store.files, outbox_after_s=1))
    yield made
    made.close()
    store.close()


def look(examination: Examination, now: Instant = START) -> dict[str, str]:
    found = examination.look(Ask(depth=Depth.LIGHT, last_event_id=EventId(1), now=now))
    return {each.result.check: each.result.details for each in found if each.result.status != "ok"}


def test_all_is_well_where_all_is_well(inspection: Inspection, around: Around) -> None:
    assert look(Examination(inspection, around.real_time())) == {}


@pytest.mark.parametrize(("silent_s", "is_stale"), [(STALE_AFTER_S, False), (45.1, True)])
def test_a_symbol_that_is_silent_for_too_long_is_named(
    inspection: Inspection, around: Around, silent_s: float, *, is_stale: bool
) -> None:
    around.heard[ETH_USDT] = around.now - silent_s
    found = look(Examination(inspection, around.real_time()))
    assert found == ({"data": "no news for over 45 s: ETH/USDT"} if is_stale else {})


def test_a_market_that_has_ended_is_not_silent(inspection: Inspection, around: Around) -> None:
    around.heard, around.now = {}, 1e9
    assert look(Examination(inspection, around.real_time())) == {}


def test_a_step_of_the_wall_clock_is_told_at_the_next_look_alone(
    inspection: Inspection, around: Around
) -> None:
    examination = Examination(inspection, around.real_time())
    around.clocks = Clocks(wall_ns=seconds(1_400), monotonic_ns=seconds(10))
    assert look(examination) == {"clock": "the wall clock stepped back by 3600 s"}
    assert look(examination) == {}


def test_a_store_ahead_of_its_clock_is_told(inspection: Inspection, around: Around) -> None:
    found = look(Examination(inspection, around.real_time()), now=Instant(seconds(1_600_000_000)))
    assert "the store's last event is ahead of the clock: 2023-11-14" in found["clock"]


def test_without_real_time_nothing_is_asked_of_it(inspection: Inspection) -> None:
    examination = Examination(inspection, None)
    found = examination.look(Ask(depth=Depth.LIGHT, last_event_id=EventId(1), now=START))
    assert not {"data", "clock"} & {each.result.check for each in found}


def test_the_machines_clocks_go_together() -> None:
    before, after = read_clocks(), read_clocks()
    assert after.monotonic_ns >= before.monotonic_ns
    assert before.wall_ns > 0


def test_what_keeps_entries_from_a_real_exchange_is_found(inspection: Inspection) -> None:
    vitals = ExchangeVitals(hold="banned for 42 s", offset_s=None, lanes=())
    found = look(Examination(inspection, None, exchange_vitals=lambda: vitals))
    assert found == {"exchange": "banned for 42 s"}


def test_what_the_exchange_does_not_trade_is_found(inspection: Inspection) -> None:
    vitals = ExchangeVitals(
        hold=None, offset_s=0.0, lanes=(), unlisted=(ETH_USDT,), halted=(BTC_USDT, CRO_USDT)
    )
    assert look(Examination(inspection, None, exchange_vitals=lambda: vitals)) == {
        "symbols": "not listed at the exchange: ETH/USDT; "
        "halted at the exchange: BTC/USDT, CRO/USDT"
    }


def test_a_way_to_the_exchange_that_is_well_is_no_finding(inspection: Inspection) -> None:
    vitals = ExchangeVitals(hold=None, offset_s=0.0, lanes=())
    assert look(Examination(inspection, None, exchange_vitals=lambda: vitals)) == {}
