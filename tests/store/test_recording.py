"""What a store keeps of the market and of its runs: exact, small, once, and proved."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import aegis.store.recording
from aegis.domain.candles import Candle
from aegis.domain.ids import NANOS_PER_SECOND, EventId, Incarnation, Instant, Symbol
from aegis.domain.recorded import Beginning, Fact, RunEnded, RunStarted, SettingsChanged
from aegis.store.blocks import Block, packed, unpacked
from aegis.store.errors import StoreCorrupt, StoreFailed
from aegis.store.journal import Store
from aegis.store.recorder import BLOCK_CANDLES, Recorder
from aegis.store.recording import read_recording
from aegis.store.verify import verify
from tests.store.histories import IDENTITY, START, History, no_notice
from tests.store.tampering import tamper

BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
MINUTE_S = 60
MINUTE_NS = MINUTE_S * NANOS_PER_SECOND

FACTS: tuple[Fact, ...] = (
    RunStarted(
        version="1.2",
        incarnation=Incarnation("first"),
        market="replay:a.csv:00",
        beginnings=(Beginning(symbol=BTC, starts_at=START, first_price=Decimal("46319.0")),),
        settings={"risk.stop_loss_pct": "2", "strategy.name": '"ema_cross"'},
    ),
    SettingsChanged(settings={"risk.stop_loss_pct": "1.5"}),
    RunEnded(),
)


def candle(number: int, symbol: Symbol = BTC, price: str = "100.50") -> Candle:
    return Candle(
        symbol=symbol,
        open_at=Instant(START + number * MINUTE_NS),
        length_s=MINUTE_S,
        open=Decimal(price),
        high=Decimal(price),
        low=Decimal(price),
        close=Decimal(price),
        volume=Decimal(number),
    )


def numbers(candles: Iterable[Candle]) -> list[int]:
    return [(each.open_at - START) // MINUTE_NS for each in candles]


class Life:
    """A store with a recorder, and a history that gives it something to commit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cuts: list[int] = []
        self.recorder = Recorder(MINUTE_S, self.cuts.append)
        self.store = self.opened()
        self.history = History(1, self.store.book)

    def opened(self) -> Store:
        return Store.open(
            self.path,
            IDENTITY,
            draw_incarnation=lambda: "first",
            now=START,
            notice_of=no_notice,
            recorder=self.recorder,
        )

    def see(self, *found: int, symbol: Symbol = BTC) -> None:
        for number in found:
            self.recorder.see(candle(number, symbol))

    def commit(self) -> None:
        while not (records := self.history.happen(1)):
            pass
        self.store.commit(records, self.history.book)

    def kept(self, symbol: Symbol = BTC) -> list[int]:
        return numbers(read_recording(self.path).candles.get((symbol, MINUTE_S), ()))


@pytest.fixture
def life(path: Path) -> Life:
    return Life(path)


def figure(digits: int, exponent: int) -> Decimal:
    return Decimal(digits).scaleb(exponent)


FIGURE = st.builds(figure, st.integers(0, 10**25), st.integers(-15, 3))


@settings(max_examples=40)
@given(figures=st.lists(st.tuples(*[FIGURE] * 5), min_size=1, max_size=20), gaps=st.data())
def test_what_is_packed_comes_back_digit_by_digit(
    figures: list[tuple[Decimal, ...]], gaps: st.DataObject
) -> None:
    steps = gaps.draw(st.lists(st.integers(1, 10**14), min_size=20, max_size=20))
    candles = [
        Candle(
            symbol=ETH,
            open_at=Instant(START + sum(steps[:place])),
            length_s=300,
            **dict(zip(("open", "high", "low", "close", "volume"), row, strict=True)),
        )
        for place, row in enumerate(figures)
    ]
    found = unpacked(packed(candles))
    assert found == tuple(candles)
    assert str(found) == str(tuple(candles))  # 1.50 is not 1.5 where its text is hashed


@pytest.mark.parametrize("cell", [name for name in Block.__struct_fields__ if name != "checksum"])
def test_a_block_whose_column_was_changed_is_never_read(cell: str) -> None:
    block = packed([candle(number) for number in range(5)])
    was = getattr(block, cell)
    other = was + (b" " if isinstance(was, bytes) else 1 if isinstance(was, int) else " ")
    with pytest.raises(StoreCorrupt, match="recording"):
        unpacked(msgspec.structs.replace(block, **{cell: other}))


def test_candles_wait_for_a_full_block_and_go_with_a_commit(life: Life) -> None:
    life.see(*range(BLOCK_CANDLES - 1))
    assert life.recorder.due() is None
    life.commit()
    assert life.kept() == []
    life.see(BLOCK_CANDLES - 1)
    assert life.kept() == []
    life.commit()
    assert life.kept() == list(range(BLOCK_CANDLES))


def test_an_end_in_peace_keeps_all(life: Life) -> None:
    life.see(*range(3))
    life.see(5, symbol=ETH)
    life.store.close()
    assert (life.kept(), life.kept(ETH)) == ([0, 1, 2], [5])


def test_a_candle_that_comes_twice_is_kept_once(life: Life) -> None:
    life.see(0, 1, 1, 0, 2)
    life.store.close()
    life.store = life.opened()
    life.see(1, 2, 3)
    life.store.close()
    assert life.kept() == [0, 1, 2, 3]


def test_a_kill_takes_the_tail_alone(life: Life) -> None:
    life.see(*range(BLOCK_CANDLES + 9))
    life.commit()
    life.store.abandon()
    assert life.kept() == list(range(BLOCK_CANDLES))


def test_who_comes_next_is_told_where_the_recording_ends(path: Path, life: Life) -> None:
    life.see(*range(BLOCK_CANDLES + 9))
    life.commit()
    life.store.abandon()
    after = Life(path)
    assert after.recorder.known_until(BTC) == START + BLOCK_CANDLES * MINUTE_NS
    assert after.recorder.known_until(ETH) is None
    after.store.close()


def test_what_a_failed_commit_may_have_written_is_written_once(life: Life) -> None:
    life.see(*range(BLOCK_CANDLES))
    life.store._mark.close()  # the commit stands, and what follows it fails
    with pytest.raises(StoreFailed):
        life.commit()
    life.store.close()
    assert life.recorder.rest().blocks
    life.store = life.opened()
    assert life.recorder.is_empty
    life.store.close()
    assert life.kept() == list(range(BLOCK_CANDLES))


def test_what_a_failed_commit_did_not_write_is_still_there(life: Life) -> None:
    life.see(*range(BLOCK_CANDLES))
    life.recorder.note(START, EventId(0), RunEnded())
    life.store.abandon()
    life.store = life.opened()
    life.store.close()
    assert life.kept() == list(range(BLOCK_CANDLES))
    assert len(read_recording(life.path).entries) == 1


def test_facts_go_with_the_next_commit_and_come_back(life: Life) -> None:
    for place, fact in enumerate(FACTS):
        life.recorder.note(Instant(START + place), EventId(place), fact)
    life.commit()
    entries = read_recording(life.path).entries
    life.store.close()
    assert tuple(entry.fact for entry in entries) == FACTS
    assert [(entry.at, entry.after_event) for entry in entries] == [
        (START, 0),
        (START + 1, 1),
        (START + 2, 2),
    ]


def test_too_many_blocks_lose_the_eldest_and_it_is_told(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.recording, "BLOCKS_MAX", 3)
    monkeypatch.setattr(aegis.store.recording, "BLOCKS_CUT", 2)
    for number in range(4):
        life.see(*range(number * BLOCK_CANDLES, (number + 1) * BLOCK_CANDLES))
        life.commit()
    life.store.close()
    assert life.cuts == [2]
    assert life.kept()[0] == 2 * BLOCK_CANDLES
    assert read_recording(life.path).is_cut
    assert verify(life.path).ok


def test_an_interval_brings_its_own_candles_and_some_before_it(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aegis.store.recording, "CANDLES_BEFORE", 10)
    life.see(*range(5 * BLOCK_CANDLES))
    life.store.close()
    begin = Instant(START + (2 * BLOCK_CANDLES + 20) * MINUTE_NS)
    found = read_recording(life.path, begin, Instant(begin + MINUTE_NS))
    kept = numbers(found.candles[BTC, MINUTE_S])
    assert kept == list(range(2 * BLOCK_CANDLES, 3 * BLOCK_CANDLES))
    assert found.spans[BTC, MINUTE_S] == (
        START,
        START + (5 * BLOCK_CANDLES - 1) * MINUTE_NS,
    )


def test_a_recording_that_was_never_cut_says_so(life: Life) -> None:
    life.see(1)
    life.store.close()
    assert not read_recording(life.path).is_cut


DAMAGE = {
    "UPDATE recorded_candles SET data = x'00' WHERE block_id = 2": "from 2023-11-15T00:21:20",
    "UPDATE recorded_candles SET symbol = 'ETH/USDT' WHERE block_id = 1": "ETH/USDT",
    "DELETE FROM recorded_candles WHERE block_id = 2": "blocks of candles 2 to 2 are missing",
    "DELETE FROM recorded_candles WHERE block_id = 3": "blocks of candles 3 to 3 are missing",
    "DELETE FROM recorded_candles": "all blocks of candles are missing, the last one was 3",
    "DELETE FROM recorded_runs": "entries of runs 1 to 1 are missing",
    "UPDATE recorded_runs SET detail = replace(detail, '2', '3')": "the run of",
    "UPDATE recorded_runs SET at = '2024-01-01T00:00:00.000000000Z'": "the run of 2024",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_verify_names_what_is_wrong_with_a_recording(life: Life, damage: str) -> None:
    life.see(*range(3 * BLOCK_CANDLES))
    life.recorder.note(START, EventId(0), FACTS[0])
    life.commit()
    life.store.close()
    assert verify(life.path).ok
    tamper(life.path, damage)
    problems = verify(life.path).problems
    assert {problem.check for problem in problems} == {"recording"}
    assert DAMAGE[damage] in problems[0].text


def test_a_damaged_recording_keeps_no_store_from_opening(life: Life) -> None:
    life.see(*range(BLOCK_CANDLES))
    life.commit()
    life.store.close()
    tamper(life.path, "UPDATE recorded_candles SET data = x'00'")
    life.opened().close()
    with pytest.raises(StoreCorrupt, match="recording"):
        read_recording(life.path)


def test_a_store_without_a_recorder_records_nothing(store: Store, path: Path) -> None:
    store.close()
    assert read_recording(path).entries == ()
