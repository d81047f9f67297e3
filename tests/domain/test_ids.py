"""Ids are hashes of the reason: what is asked for twice has one name."""

from __future__ import annotations

import pytest

from aegis.domain.ids import (
    ORDER_ID_MARK,
    Incarnation,
    Instant,
    PositionId,
    Symbol,
    account_tag,
    coins_of,
    entry_order_id,
    exit_order_id,
    is_derivative,
    is_own_order,
    position_id,
)

TAG = account_tag("paper", "cryptocom", "main")
FIRST, SECOND = Incarnation("first"), Incarnation("second")
HELD, OTHER = PositionId("p-1"), PositionId("p-2")
NOW, LATER = Instant(1), Instant(2)


def test_ids_are_what_they_were_in_every_release() -> None:
    assert TAG == "ae7be308"
    held = position_id(FIRST, "ema_cross", Symbol("BTC/USDT"), NOW)
    assert held == "c00e309fc47feb3afb3fce93"
    entry = entry_order_id(TAG, FIRST, "ema_cross", held, NOW)
    assert entry == "ae7be3084da2d9e580376cb48ab9b0d6"
    assert exit_order_id(TAG, FIRST, held, 0) == "ae7be30824c0a0ca2081eb90d21b99ab"


@pytest.mark.parametrize(
    "order_id",
    [entry_order_id(TAG, FIRST, "x", HELD, NOW), exit_order_id(TAG, FIRST, HELD, 7)],
)
def test_a_client_order_id_is_32_lower_case_hex_of_which_8_are_the_account(order_id: str) -> None:
    assert len(order_id) == 32
    assert set(order_id) <= set("0123456789abcdef")
    assert order_id.startswith(TAG)
    assert TAG.startswith(ORDER_ID_MARK)


@pytest.mark.parametrize(
    "other",
    [
        account_tag("live", "cryptocom", "main"),
        account_tag("paper", "kraken", "main"),
        account_tag("paper", "cryptocom", "second"),
        account_tag("papercrypto", "com", "main"),
    ],
)
def test_another_account_has_another_tag(other: str) -> None:
    assert other != TAG


@pytest.mark.parametrize(
    "other",
    [
        entry_order_id(TAG, SECOND, "x", HELD, NOW),
        entry_order_id(TAG, FIRST, "y", HELD, NOW),
        entry_order_id(TAG, FIRST, "x", OTHER, NOW),
        entry_order_id(TAG, FIRST, "x", HELD, LATER),
        exit_order_id(TAG, FIRST, HELD, 1),
    ],
)
def test_another_reason_gives_another_entry(other: str) -> None:
    assert other != entry_order_id(TAG, FIRST, "x", HELD, NOW)


def test_the_same_ordinal_is_the_same_exit_whoever_wants_it() -> None:
    assert exit_order_id(TAG, FIRST, HELD, 3) == exit_order_id(TAG, FIRST, HELD, 3)


@pytest.mark.parametrize(
    "other",
    [
        exit_order_id(TAG, SECOND, HELD, 3),
        exit_order_id(TAG, FIRST, OTHER, 3),
        exit_order_id(TAG, FIRST, HELD, 4),
    ],
)
def test_another_reason_gives_another_exit(other: str) -> None:
    assert other != exit_order_id(TAG, FIRST, HELD, 3)


@pytest.mark.parametrize(
    "other",
    [
        position_id(SECOND, "x", Symbol("BTC/USDT"), NOW),
        position_id(FIRST, "y", Symbol("BTC/USDT"), NOW),
        position_id(FIRST, "x", Symbol("ETH/USDT"), NOW),
        position_id(FIRST, "x", Symbol("BTC/USDT"), LATER),
    ],
)
def test_another_decision_gives_another_position(other: str) -> None:
    assert other != position_id(FIRST, "x", Symbol("BTC/USDT"), NOW)


def test_parts_that_are_cut_elsewhere_give_another_id() -> None:
    one = position_id(Incarnation("ab"), "c", Symbol("A/B"), NOW)
    assert one != position_id(Incarnation("a"), "bc", Symbol("A/B"), NOW)


@pytest.mark.parametrize(
    ("order_id", "is_own"),
    [(TAG + "0" * 24, True), ("ae" + "0" * 30, False), ("", False), (None, False)],
)
def test_an_order_is_own_by_its_tag(order_id: str | None, is_own: bool) -> None:  # noqa: FBT001  a table's column
    assert is_own_order(TAG, order_id) is is_own


@pytest.mark.parametrize(
    ("symbol", "coins", "is_one"),
    [("BTC/USDT", ("BTC", "USDT"), False), ("BTC/USD:USD", ("BTC", "USD"), True)],
)
def test_a_symbol_names_its_coins_and_whether_it_is_a_derivative(
    symbol: str, coins: tuple[str, str], *, is_one: bool
) -> None:
    assert (coins_of(Symbol(symbol)), is_derivative(Symbol(symbol))) == (coins, is_one)
