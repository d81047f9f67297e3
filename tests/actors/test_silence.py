"""Who is left at market for want of a price, and when."""

from __future__ import annotations

import pytest

from actors.silence import LOOKS_UNPRICED, UNPRICED_S, Silence
from aegis.domain.order import OrderStep
from tests.domain.kit import BTC_USDT, Desk, exit_of, halt

CHECK_S = 30.0


def reasons(silence: Silence, desk: Desk, now_s: float) -> list[str]:
    return [wanted.reason for _, wanted in silence.unpriced(desk.book, now_s)]


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
    waits = ((flattening, "flatten", UNPRICED_S), (left_before(), "stop_loss", 2 * CHECK_S))
    for desk, reason, wait_s in waits:
        silence = Silence(CHECK_S)
        if is_seen:
            silence.see(BTC_USDT, 100.0)
        assert reasons(silence, desk, 100.0) == []
        assert reasons(silence, desk, 99.0 + wait_s) == []
        assert reasons(silence, desk, 100.0 + wait_s) == [reason]


def test_what_the_feed_tells_and_nobody_believes_is_no_price() -> None:
    silence, desk = Silence(CHECK_S), left_before()
    for now_s in range(int(LOOKS_UNPRICED * CHECK_S) + 1):
        silence.end(BTC_USDT, float(now_s))
        assert list(silence.silent(desk.book, float(now_s))) == []
        is_left = bool(reasons(silence, desk, float(now_s)))
    assert is_left


def test_what_nobody_wants_out_of_is_not_left_however_long_it_has_no_price() -> None:
    desk = Desk()
    desk.holding()
    silence = Silence(CHECK_S)
    assert reasons(silence, desk, 0.0) == reasons(silence, desk, 1e6) == []
