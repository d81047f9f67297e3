"""The names that the configuration knows say of each exchange what its profile says."""

from __future__ import annotations

from aegis.domain.candles import TIMEFRAMES_S
from aegis.exchange.listed import EXCHANGES, PROVEN, TIMEFRAMES_LACKING
from aegis.exchange.live.profiles import PROFILES


def test_every_exchange_that_can_be_named_has_its_profile() -> None:
    assert PROFILES.keys() == EXCHANGES


def test_money_is_traded_where_the_profile_is_proven_alone() -> None:
    assert {name for name, profile in PROFILES.items() if profile.is_proven} == PROVEN


def test_what_candles_an_exchange_lacks_is_what_its_profile_does_not_tell() -> None:
    lacking = {
        name: {each for each, length in TIMEFRAMES_S.items() if length not in profile.timeframes_s}
        for name, profile in PROFILES.items()
    }
    assert {name: each for name, each in lacking.items() if each} == TIMEFRAMES_LACKING
