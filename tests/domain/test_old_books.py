"""The books of other systems: which word means what, and everything that is wrong at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.domain.ids import Incarnation
from aegis.domain.incoming import Incoming, import_of
from aegis.domain.instants import text_of
from aegis.domain.old_books import Here, Record, Understood, understand
from aegis.domain.position import StopPolicy
from aegis.domain.spellings import LEFT, PLAIN_PRICE, SPELLINGS, is_same_symbol, told_of
from tests.domain.kit import BTC_USDT, ETH_USDT, POLICY, START, decimals

HERE = Here(symbols=(BTC_USDT, ETH_USDT), policy=POLICY)
BARE = {"symbol": "BTC/USDT", "amount": "0.5", "entry_price": "40000"}
FIRST, SECOND = Incarnation("first"), Incarnation("second")


def read(*fields: Mapping[str, object], here: Here = HERE) -> Understood:
    records = [Record(place=f"p{number}", fields=each) for number, each in enumerate(fields)]
    return understand(records, here)


def taken(**changes: object) -> Incoming:
    found = read({**BARE, **changes})
    assert not found.faults, found.faults
    (position,) = found.positions
    return position


def faults(**changes: object) -> tuple[str, ...]:
    fields = {name: value for name, value in {**BARE, **changes}.items() if value is not ...}
    found = read(fields)
    assert not found.positions
    return found.faults


# Which word means what ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meaning", "word"), [(meaning, word) for meaning, words in SPELLINGS.items() for word in words]
)
def test_each_spelling_means_what_the_table_says(meaning: str, word: str) -> None:
    assert told_of({word: "7"}).given == {meaning: (word, "7")}


def test_no_word_means_two_things() -> None:
    words = [word for words in SPELLINGS.values() for word in words]
    assert len(words) == len(set(words))
    assert LEFT.isdisjoint({*words, PLAIN_PRICE})


@pytest.mark.parametrize("word", ["entryPrice", "EntryPrice", "Entry Price", "ENTRY-PRICE"])
def test_capitals_dashes_and_blanks_make_no_other_word(word: str) -> None:
    assert told_of({word: "1"}).given == {"entry_price": (word, "1")}


def test_a_plain_price_is_the_entry_s_where_no_other_is_and_else_the_last() -> None:
    assert told_of({"price": "5"}).given == {"entry_price": ("price", "5")}
    both = told_of({"price": "5", "entry": "4"}).given
    assert both == {"entry_price": ("entry", "4"), "price": ("price", "5")}


def test_one_thing_told_twice_is_a_fault_unless_it_is_the_same() -> None:
    said = "p0: amount is told more than once: amount 0.5, quantity 0.6"
    assert faults(quantity="0.6") == (said,)
    assert taken(quantity="0.5").amount == Decimal("0.5")


def test_a_word_that_nobody_knows_is_told_and_left_out() -> None:
    found = read({**BARE, "frobnicate": 3, "pnl": "1.5", "stop_loss": 39000, "notes": ""})
    assert found.remarks == ("p0: not known, left out: frobnicate", "not taken over: pnl")


# What comes of it ---------------------------------------------------------------------------


def test_a_position_of_the_old_system_is_one_of_ours() -> None:
    position = taken(
        side="BUY", stop_loss=39000, take_profit=Decimal("45000.5"), current_price="41000",
        timestamp="2025-10-20T10:00:00",
    )  # fmt: skip
    assert (position.symbol, position.amount, position.entry_price) == (
        BTC_USDT,
        *decimals("0.5", 40000),
    )
    assert (position.stop, position.target, position.price) == decimals(39000, "45000.5", 41000)
    assert position.opened_at is not None
    assert text_of(position.opened_at) == "2025-10-20T10:00:00.000000000Z"


@pytest.mark.parametrize("written", ["BTC/USDT", "btc-usdt", "BTC_USDT", " BTCUSDT "])
def test_a_symbol_is_known_however_it_is_written(written: str) -> None:
    assert taken(symbol=written).symbol == BTC_USDT
    assert is_same_symbol(written, "BTC/USDT")


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("2025-10-20", "2025-10-20T00:00:00.000000000Z"),
        ("2025-10-20T10:00:00Z", "2025-10-20T10:00:00.000000000Z"),
        ("2025-10-20 12:00:00.5+02:00", "2025-10-20T10:00:00.500000000Z"),
        (1760954400, "2025-10-20T10:00:00.000000000Z"),
        (Decimal("1760954400.25"), "2025-10-20T10:00:00.250000000Z"),
        ("1760954400250", "2025-10-20T10:00:00.250000000Z"),
    ],
)
def test_a_first_day_is_read_as_people_write_it(written: object, read_as: str) -> None:
    opened_at = taken(opened_at=written).opened_at
    assert opened_at is not None
    assert text_of(opened_at) == read_as


def test_without_a_stop_it_gets_the_configured_one_and_that_is_told() -> None:
    found = read(BARE)
    assert found.positions[0].stop == Decimal(39200)
    assert found.remarks == ("p0: no stop told: it gets that of [risk], 39200",)


def test_where_no_stop_is_configured_either_that_nothing_guards_it_is_told() -> None:
    found = read(BARE, here=Here(symbols=HERE.symbols, policy=StopPolicy(stop_loss_pct=Decimal(0))))
    assert found.positions[0].stop is None
    assert found.remarks == ("p0: no stop, neither told nor in [risk]: nothing guards it",)


def test_a_price_that_is_at_the_stop_already_is_told() -> None:
    found = read({**BARE, "stop": "39000", "mark": "38500"})
    assert found.remarks == ("p0: worth 38500, at or below its stop of 39000: left at once",)


def test_distances_of_its_own_go_before_the_configured_ones() -> None:
    position = taken(stop_loss_pct="5", take_profit_pct=10, trailing_stop_pct="3")
    assert (position.stop, position.target) == decimals(38800, 44000)
    assert position.policy.trailing_stop_pct == Decimal(3)
    assert taken(stop_loss_pct="5").stop == Decimal(38000)


def test_zero_as_a_level_is_none_as_some_books_write_it() -> None:
    position = taken(stop_loss=0, take_profit="0")
    assert (position.stop_price, position.take_profit_price) == (None, None)


def test_a_stop_that_was_raised_above_the_entry_is_kept() -> None:
    assert taken(stop_loss="42000").stop == Decimal(42000)


def test_a_closed_position_is_left_out_and_told() -> None:
    found = read({**BARE, "status": "CLOSED"}, {**BARE, "symbol": "ETH/USDT", "status": "open"})
    assert [position.symbol for position in found.positions] == [ETH_USDT]
    assert "p0: it is closed, and left out" in found.remarks


# What is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": ...}, "p0: expected amount, found none"),
        ({"entry_price": ...}, "p0: expected entry_price, found none"),
        ({"symbol": ...}, "p0: expected a symbol as BTC/USDT, found none"),
        ({"amount": "abc"}, "p0.amount: expected a figure, was abc"),
        ({"amount": True}, "p0.amount: expected a figure, was True"),
        ({"amount": "NaN"}, "p0.amount: expected a figure, was NaN"),
        ({"amount": {}}, "p0.amount: expected a figure, was {}"),
        ({"amount": "1_0"}, "p0.amount: expected a figure, was 1_0"),
        ({"entry_price": "40_000"}, "p0.entry_price: expected a figure, was 40_000"),
        ({"amount": "0." + "1" * 24}, "p0.amount: expected a figure of at most 18 digits"),
        ({"opened_at": "1_700_000_000"}, "p0.opened_at: expected a time as 2025-01-31T10:00:00Z"),
        ({"amount": "-1"}, "p0.amount: expected a positive figure, was -1"),
        ({"entry_price": "0"}, "p0.entry_price: expected a positive figure, was 0"),
        ({"amount": "0.000001"}, "p0.amount: expected an amount that can be sold"),
        ({"side": "short"}, "p0.side: expected long or buy: spot has no shorts, was short"),
        ({"symbol": "SOL/USDT"}, "p0.symbol: expected one of exchange.symbols (BTC/USDT, ETH"),
        ({"symbol": "nonsense"}, "p0.symbol: expected one like BTC/USDT, was nonsense"),
        ({"stop_loss": "0.02"}, "p0.stop_loss: expected a price near the entry's 40000; a dist"),
        ({"stop_loss": 2}, "p0.stop_loss: expected a price near the entry's 40000; a distance i"),
        ({"take_profit": "39000"}, "p0.take_profit: expected a price above the entry's 40000"),
        ({"stop_loss_pct": 100}, "p0.stop_loss_pct: expected per cents from 0 to 100, was 100"),
        ({"opened_at": "yesterday"}, "p0.opened_at: expected a time as 2025-01-31T10:00:00Z"),
        ({"opened_at": "-5"}, "p0.opened_at: expected a time"),
        ({"opened_at": [1]}, "p0.opened_at: expected a time"),
        ({"status": "maybe"}, "p0.status: expected open or closed, was maybe"),
    ],
    ids=str,
)  # fmt: skip
def test_a_fault_names_its_place_its_word_and_what_came(
    changes: dict[str, object], said: str
) -> None:
    (fault,) = faults(**changes)
    assert fault.startswith(said)


def test_every_fault_of_every_position_is_told_at_once_and_nothing_comes_in() -> None:
    found = read(
        {**BARE, "amount": "x", "side": "short"},
        {**BARE, "symbol": "ETH/USDT"},
        {"symbol": "DOGE", "amount": 1, "entry_price": 1},
    )
    assert found.positions == ()
    assert [fault.partition(":")[0] for fault in found.faults] == [
        "p0.side", "p0.amount", "p2.symbol",
    ]  # fmt: skip


def test_nothing_is_remarked_of_a_position_that_has_faults() -> None:
    assert read({**BARE, "status": "maybe"}).remarks == ()


def test_a_symbol_twice_in_a_file_is_a_fault() -> None:
    found = read(BARE, {**BARE, "symbol": "btcusdt"})
    assert found.faults == ("p1: BTC/USDT is there already, at p0",)


def test_a_file_without_positions_is_a_fault() -> None:
    assert read().faults == ("expected at least one position, found none",)


@settings(max_examples=50)
@given(
    fields=st.dictionaries(
        st.sampled_from([word for words in SPELLINGS.values() for word in words]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.text(max_size=8),
            st.decimals(allow_nan=True), st.lists(st.integers(), max_size=2),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_whatever_a_record_holds_is_a_position_or_a_fault(fields: dict[str, object]) -> None:
    found = read(fields)
    is_closed = any("closed" in remark for remark in found.remarks)
    assert found.positions or found.faults or is_closed


# Its id --------------------------------------------------------------------------------------


def test_one_position_of_the_old_books_has_one_id_from_whatever_file_it_is_read() -> None:
    day = "2025-10-20"
    one, again = taken(opened_at=day), taken(opened_at=1760918400, notes="other")
    key = import_of(one, FIRST, START).position_id
    assert import_of(again, FIRST, START).position_id == key
    others = (
        taken(opened_at=day, amount="0.6"),
        taken(opened_at=day, entry_price="40001"),
        taken(opened_at="2025-10-21"),
    )
    assert all(import_of(other, FIRST, START).position_id != key for other in others)
    assert import_of(one, SECOND, START).position_id != key
