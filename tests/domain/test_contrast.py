"""Two logs beside each other: what counts as one decision, and as one trade."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aegis.domain.contrast import (
    NEVER,
    Intent,
    Pair,
    PairKind,
    as_of,
    comparable,
    contrasted,
    exit_price,
    first_stray,
    flat_from,
)
from aegis.domain.ids import NANOS_PER_SECOND, ClientOrderId, EventId, Instant, PositionId, Symbol
from aegis.domain.order import Role
from aegis.domain.position import Position, PositionSide, PositionStatus
from tests.domain.kit import POLICY, opening

MINUTE_NS = 60 * NANOS_PER_SECOND
BTC, ETH = Symbol("BTC/USDT"), Symbol("ETH/USDT")
ONE = Decimal(1)


def at(minute: float) -> Instant:
    return Instant(int(minute * MINUTE_NS))


def intent(number: int, minute: float, symbol: Symbol = BTC, **more: Any) -> Intent:
    fields: dict[str, Any] = {"role": Role.ENTRY, "reason": "strategy", "amount": ONE, **more}
    return Intent(
        event_id=EventId(number),
        position_id=PositionId(f"p{number}"),
        client_order_id=ClientOrderId(f"o{number}-{minute}"),
        symbol=symbol,
        at=at(minute),
        **fields,
    )


def test_equal_decisions_have_no_stray() -> None:
    made = [intent(1, 0), intent(2, 5, ETH), intent(3, 9, role=Role.EXIT)]
    assert first_stray(made, made, 0) is None


def test_moments_of_real_time_are_no_other_decision() -> None:
    ours, theirs = [intent(1, 5)], [intent(1, 5.4)]
    assert first_stray(ours, theirs, MINUTE_NS) is None
    assert first_stray(ours, theirs, 0) is not None


def test_an_entry_with_the_same_id_is_one_however_late_a_thread_was() -> None:
    ours = intent(1, 5)
    late = replace(ours, at=at(25))
    assert first_stray([ours], [late], MINUTE_NS) is None
    leaves = [replace(each, role=Role.EXIT) for each in (ours, late)]
    assert first_stray(leaves[:1], leaves[1:], MINUTE_NS) is not None


@pytest.mark.parametrize("other", [{"reason": "stop_loss"}, {"role": Role.EXIT}])
def test_another_reason_or_role_is_another_decision(other: dict[str, Any]) -> None:
    stray = first_stray([intent(1, 5)], [intent(1, 5, **other)], MINUTE_NS)
    assert stray is not None
    assert (stray.original, stray.other) == (intent(1, 5), intent(1, 5, **other))


def test_the_earliest_stray_of_all_symbols_is_told() -> None:
    ours = [intent(1, 5, ETH), intent(2, 3)]
    theirs = [intent(1, 5, ETH, reason="x"), intent(2, 3, reason="y")]
    stray = first_stray(ours, theirs, 0)
    assert stray is not None
    assert stray.original == intent(2, 3)


def test_symbols_are_compared_by_themselves() -> None:
    ours = [intent(1, 5), intent(2, 5.1, ETH)]
    theirs = [intent(1, 5, ETH), intent(2, 5.1)]
    assert first_stray(ours, theirs, MINUTE_NS) is None


@pytest.mark.parametrize("is_shorter", [True, False])
def test_a_decision_too_many_on_either_side_is_a_stray(*, is_shorter: bool) -> None:
    short, long = [intent(1, 5)], [intent(1, 5), intent(2, 9)]
    stray = first_stray(*((short, long) if is_shorter else (long, short)), 0)
    assert stray is not None
    assert (stray.original is None) is is_shorter


# Trades -------------------------------------------------------------------------------------


BASE = Position(
    position_id=PositionId("a"),
    symbol=BTC,
    side=PositionSide.LONG,
    strategy="ema_cross",
    created_by="strategy",
    policy=POLICY,
    instrument=opening(BTC, POLICY).instrument,
    intended_price=Decimal(100),
    entered=ONE,
    paid=Decimal(100),
)


def trade(identity: str, opened: float, closed: float | None = None, **more: Any) -> Position:
    made = replace(
        BASE,
        position_id=PositionId(identity),
        opened_at=at(opened),
        closed_at=None if closed is None else at(closed),
        status=PositionStatus.OPEN if closed is None else PositionStatus.CLOSED,
        close_reason="" if closed is None else "strategy",
        exited=Decimal(0) if closed is None else ONE,
        received=Decimal(0) if closed is None else Decimal(100),
    )
    return replace(made, **more)


def pairs(
    ours: Sequence[Position], theirs: Sequence[Position], *, has_figures: bool = True
) -> tuple[Pair, ...]:
    return contrasted(ours, theirs, MINUTE_NS, has_figures=has_figures)


def kinds(found: Sequence[Pair]) -> list[PairKind]:
    return [pair.kind for pair in found]


CHANGES: dict[str, dict[str, Any]] = {
    "closed_at": {"closed_at": at(12)},
    "close_reason": {"close_reason": "stop_loss"},
    "pnl": {"pnl": Decimal(7)},
    "fees_quote": {"fees_quote": Decimal(7)},
    "entered": {"entered": Decimal(7), "paid": Decimal(700)},
    "entry_price": {"paid": Decimal(101)},
    "exit_price": {"received": Decimal(99)},
    "is_unpriced": {"is_unpriced": True},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_has_changed_is_named(name: str) -> None:
    (pair,) = pairs([trade("a", 0, 9)], [trade("a", 0, 9, **CHANGES[name])])
    assert pair.kind is PairKind.CHANGED
    assert name in pair.changes


@pytest.mark.parametrize("name", ["pnl", "fees_quote", "exit_price"])
def test_figures_do_not_count_where_time_is_real(name: str) -> None:
    ours, theirs = trade("a", 0, 9), trade("a", 0.3, 9.3, **CHANGES[name])
    assert kinds(pairs([ours], [theirs], has_figures=False)) == [PairKind.SAME]


def test_what_a_trade_will_bring_does_not_count_while_it_is_open() -> None:
    ours, theirs = trade("a", 0), trade("a", 0, fees_quote=Decimal(7), pnl=Decimal(7))
    assert kinds(pairs([ours], [theirs])) == [PairKind.SAME]


def test_a_trade_that_one_has_left_and_the_other_has_not_has_changed() -> None:
    (pair,) = pairs([trade("a", 0, 9)], [trade("a", 0)])
    assert pair.changes == ("closed_at", "close_reason")


def test_a_trade_of_another_id_is_its_like_if_it_was_opened_then_and_there() -> None:
    near, far, elsewhere = trade("b", 0.5, 9), trade("c", 2, 9), trade("d", 0, 9, symbol=ETH)
    found = pairs([trade("a", 0, 9)], [elsewhere, far, near])
    assert sorted(kinds(found)) == ["same", "what_if_only", "what_if_only"]
    assert [pair.other for pair in found if pair.original] == [near]
    assert found[0].opened_at <= found[1].opened_at <= found[2].opened_at


def test_an_id_is_a_better_likeness_than_a_moment() -> None:
    found = pairs([trade("b", 0, 9), trade("a", 0.2, 9)], [trade("a", 0.2, 9)])
    assert kinds(found) == [PairKind.ORIGINAL_ONLY, PairKind.SAME]


TRADES = st.lists(
    st.builds(
        trade,
        st.sampled_from("abcdefgh"),
        st.integers(0, 20),
        st.none() | st.integers(21, 40),
        symbol=st.sampled_from([BTC, ETH]),
    ),
    unique_by=lambda each: each.position_id,
    max_size=8,
)


@settings(max_examples=60)
@given(ours=TRADES, theirs=TRADES)
def test_each_trade_is_in_one_pair(ours: list[Position], theirs: list[Position]) -> None:
    found = pairs(ours, theirs)
    assert sorted(p.original.position_id for p in found if p.original) == sorted(
        each.position_id for each in ours
    )
    assert sorted(p.other.position_id for p in found if p.other) == sorted(
        each.position_id for each in theirs
    )
    assert all(pair.kind is PairKind.SAME for pair in pairs(ours, ours))


def test_as_of_an_instant_what_closed_later_is_open() -> None:
    early, late, later = trade("a", 0, 5), trade("b", 4, 12), trade("c", 11, 14)
    found = as_of([early, late, later], at(0), at(10))
    assert [(each.position_id, each.closed_at) for each in found] == [("a", at(5)), ("b", None)]
    assert exit_price(found[1]) is None


def test_a_symbol_is_flat_when_neither_side_holds_what_the_other_could_not_enter() -> None:
    held, meanwhile, after = trade("a", 0, 5), trade("b", 4, 8), trade("c", 9, 11)
    late = trade("d", 7, 9)
    assert flat_from([held], [held, late, meanwhile, after]) == {BTC: at(9)}
    assert flat_from([trade("a", 0)], [after]) == {BTC: NEVER}
    assert flat_from([], [held, after]) == {}


def test_decisions_count_on_what_was_begun_when_both_were_flat() -> None:
    left = intent(1, 6, role=Role.EXIT)  # of what was held
    early, early_left = intent(2, 4), intent(2, 8, role=Role.EXIT)
    later, elsewhere, past = intent(3, 9), intent(4, 4, ETH), intent(5, 20)
    made = [early, elsewhere, left, early_left, later, past]
    assert comparable(made, at(1), at(15), {BTC: at(7)}) == [elsewhere, later]
    assert comparable(made, at(1), None, {}) == made
    assert comparable(made, at(5), None, {}) == [left, later, past]


def test_what_was_held_at_the_beginning_or_never_filled_is_left_out() -> None:
    held, unfilled = trade("a", 0, 5), trade("b", 4, entered=Decimal(0))
    assert as_of([held, unfilled], at(2), None) == []
