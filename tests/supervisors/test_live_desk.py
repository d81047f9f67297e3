"""The live desk: whose keys its calls carry, and when an order that is not found is absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import pytest
from msgspec.structs import replace

from aegis.clock import ManualClock
from aegis.config.model import Config, ExchangeConfig, MarketConfig, Secrets
from aegis.config.secret import Secret
from aegis.dialogue import ExchangeReplied, FetchInstruments
from aegis.domain.ids import Instant
from aegis.exchange.live.calls import Answered, Call, MakeClient, Outcome
from aegis.exchange.live.line.line import leaves_within_s
from aegis.exchange.live.profile import Profile
from aegis.exchange.live.profiles import PROFILES
from supervisors.clients import Clients
from supervisors.live_desk import LiveDesk
from supervisors.seeded import SeededRuntime
from supervisors.settings import market_of


class Keyring:
    """Makes clients that note whose secret they were made with."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.used: list[str] = []

    def private(self, config: Config, now_ms: Callable[[], int]) -> MakeClient:
        del now_ms
        secret = config.secrets.exchange_secret
        assert secret is not None

        def execute(call: Call) -> Outcome:
            self.used.append(secret.reveal())
            return Outcome(call=call, verdict=Answered(value=()), server_at=None, http_status=200)

        return lambda: execute


class Stage:
    def __init__(self, config: Config, profile: Profile = PROFILES["cryptocom"]) -> None:
        self.keyring = Keyring(profile)
        self.lines: list[str] = []
        self.replies: list[ExchangeReplied] = []
        self.runtime = SeededRuntime(ManualClock(Instant(0)), 1)
        self.desk = LiveDesk(
            config,
            cast("Clients", self.keyring),
            self.log,
            entries_sent=0,
            on_calls=lambda _note: None,
            on_canary_over=lambda _why: None,
        )
        self.desk.open(self.runtime)

    def log(self, event: str, /, **_fields: Any) -> None:
        self.lines.append(event)

    def ask(self) -> str:
        """Ask the exchange something; return whose secret it was asked with."""
        symbols = ExchangeConfig().symbols
        self.desk.exchange.submit(FetchInstruments(symbols=symbols), self.replies.append)
        self.runtime.run_for(5)
        return self.keyring.used[-1]


def config_with(secret: str, **more: object) -> Config:
    keys = Secrets(exchange_api_key=Secret("key"), exchange_secret=Secret(secret))
    return Config(mode="live", secrets=keys, **cast("Any", more))


def test_other_keys_are_used_from_the_next_call_on() -> None:
    stage = Stage(config_with("first"))
    assert stage.ask() == "first"
    stage.desk.renew(config_with("second"))
    assert stage.ask() == "second"
    assert "KeysRenewed" in stage.lines


def test_the_same_keys_renew_nothing() -> None:
    stage = Stage(config_with("first"))
    stage.desk.renew(config_with("first"))
    assert stage.lines == []


@pytest.mark.parametrize("late_after_s", [60.0, None])
def test_absence_is_proved_past_all_that_a_request_may_wait_for(late_after_s: float | None) -> None:
    profile = replace(PROFILES["cryptocom"], late_after_s=late_after_s)
    proof = Stage(config_with("s"), profile).desk.proof
    assert proof.lag_s == profile.lookup_lag_s + profile.skew_margin_s
    if late_after_s is None:
        assert proof.barrier_s is None
    else:
        assert proof.barrier_s == late_after_s + proof.lag_s + leaves_within_s(10.0)


def test_a_store_of_coins_is_none_for_derivatives() -> None:
    coins = config_with("s", market=MarketConfig(source="exchange"))
    derivatives = coins.model_copy(update={"exchange": ExchangeConfig(kind="derivatives")})
    assert (market_of(coins), market_of(derivatives)) == ("exchange", "exchange:derivatives")


@pytest.mark.parametrize("kind", ["spot", "derivatives"])
def test_a_start_says_once_that_derivatives_take_no_entries(
    kind: Literal["spot", "derivatives"],
) -> None:
    stage = Stage(config_with("s", exchange=ExchangeConfig(kind=kind)))
    stage.desk.begin()
    assert stage.lines.count("EntriesRefused") == (kind == "derivatives")
