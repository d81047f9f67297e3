"""Who is left at market for want of a price, and when."""

from __future__ import annotations

from decimal import Decimal

import pytest

from actors.quotes import LOOKS_UNPRICED, UNPRICED_S, Quotes
from aegis.domain.order import OrderStep
from aegis.ports import no_log
from tests.domain.kit import BTC_USDT, Desk, exit_of, halt, quote

CHECK_S = 30.0


class Table:
    """Quotes on a clock that a test sets; a silent feed is looked after each half minute."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.quotes = Quotes(no_log, lambda: self.now_s, CHECK_S)

    def told(self, bid: str) -> None:
        """Hear a price of the feed's, whatever is made of it."""
        self.quotes.end_silence(BTC_USDT)
        self.quotes.take(BTC_USDT, quote(bid), traded_from=None, collar_pct=Decimal(1), held=None)

    def leaves(self, desk: Desk) -> list[str]:
        return [wanted.reason for _, wanted in self.quotes.unpriced(desk.book)]


def left_before() -> Desk:
    """Hold a position of which one exit has failed."""
    desk = Desk()
    desk.ends(desk.accepted(exit_of(desk.holding())), OrderStep.REJECT)
    return desk


@pytest.mark.parametrize("is_seen", [False, True])
def test_a_flatten_waits_five_seconds_and_any_other_exit_two_looks(*, is_seen: bool) -> None:
    flattening = Desk()
    flattening.holding()
    flattening.does(halt("flatten", is_flattening=True))
    waits = (
        (flattening, "flatten", UNPRICED_S),
        (left_before(), "stop_loss", LOOKS_UNPRICED * CHECK_S),
    )
    for desk, reason, wait_s in waits:
        table = Table()
        if is_seen:
            table.told("100")
        assert table.leaves(desk) == []
        table.now_s += wait_s - 1
        assert table.leaves(desk) == []
        table.now_s += 1
        assert table.leaves(desk) == [reason]


def test_what_the_feed_tells_and_nobody_believes_is_no_price() -> None:
    table, desk = Table(), left_before()
    for _ in range(int(LOOKS_UNPRICED * CHECK_S)):
        assert table.leaves(desk) == []
        table.told("0")
        assert list(table.quotes.silent(desk.book)) == []
        table.now_s += 1
    assert table.leaves(desk) == ["stop_loss"]


def test_what_nobody_wants_out_of_is_not_left_however_long_it_has_no_price() -> None:
    desk, table = Desk(), Table()
    desk.holding()
    assert table.leaves(desk) == []
    table.now_s += 1e6
    assert table.leaves(desk) == []
