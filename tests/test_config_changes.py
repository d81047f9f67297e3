"""What a changed configuration changes at once, and what waits for the next start."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aegis.config.changes import LIVE, applied, changed_keys, is_live, told
from aegis.config.model import Config, MarketConfig, RiskConfig, Secrets, build, setting_paths
from aegis.config.secret import Secret
from aegis.config.text import dotted

LIVE_SECTIONS = {"sizing", "risk", "reconcile", "diagnose"}


def config_of(**sections: Any) -> Config:
    config = build(sections)
    assert isinstance(config, Config)
    return config


def test_changed_settings_are_named_and_secrets_not_told() -> None:
    new = Config(
        market=MarketConfig(speed=7, seed=2),
        risk=RiskConfig(stop_loss_pct=Decimal(3)),
        secrets=Secrets(telegram_token=Secret("hunter2")),
    )
    assert changed_keys(Config(), Config()) == ()
    assert changed_keys(Config(), new) == (
        "market.speed",
        "market.seed",
        "risk.stop_loss_pct",
        "secrets.telegram_token",
    )


@pytest.mark.parametrize("key", sorted(dotted(path) for path in setting_paths()))
def test_only_what_nothing_was_opened_or_recorded_by_is_live(key: str) -> None:
    is_tunable = key.partition(".")[0] in LIVE_SECTIONS and key != "risk.exchange_stop"
    assert is_live(key) is (is_tunable or key == "log.level")


def test_every_live_name_is_a_setting_or_a_section() -> None:
    known = {dotted(path) for path in setting_paths()} | {path[0] for path in setting_paths()}
    known |= {f"secrets.{name}" for name in Secrets.model_fields}
    assert known >= LIVE


def test_what_is_live_is_applied_and_the_rest_stays() -> None:
    new = config_of(
        risk={"stop_loss_pct": 3, "daily_loss_max": 50},
        sizing={"method": "equity_pct", "value": 2},
        log={"level": "debug", "keep": 9},
        reconcile={"heal": False},
        market={"seed": 7},
        store={"path": "other.db"},
    )
    now = applied(Config(), new)
    assert (now.risk, now.sizing, now.reconcile) == (new.risk, new.sizing, new.reconcile)
    assert (now.log.level, now.log.keep) == ("debug", Config().log.keep)
    assert (now.market, now.store) == (Config().market, Config().store)
    assert changed_keys(now, new) == ("store.path", "log.keep", "market.seed")


def test_nothing_is_applied_where_nothing_changed() -> None:
    assert applied(Config(), Config()) == Config()


def test_a_change_is_told_with_its_old_and_new_value() -> None:
    new = config_of(risk={"stop_loss_pct": "3.50"}, strategy={"params": {"fast": 3}})
    assert told("risk.stop_loss_pct", Config(), new) == "risk.stop_loss_pct: 2 -> 3.5"
    assert told("strategy.params", Config(), new) == "strategy.params: {} -> { fast = 3 }"
    assert told("mode", Config(), new) == 'mode: "paper" -> "paper"'


def test_a_secret_is_told_by_its_name_alone() -> None:
    new = Config(secrets=Secrets(telegram_token=Secret("hunter2")))
    assert changed_keys(Config(), new) == ("secrets.telegram_token",)
    assert told("secrets.telegram_token", Config(), new) == "secrets.telegram_token"


def test_other_keys_of_the_exchange_are_taken_over_and_never_told() -> None:
    old = Config(secrets=Secrets(exchange_api_key=Secret("hunter2"), telegram_token=Secret("t")))
    new = Config(secrets=Secrets(exchange_api_key=Secret("hunter3"), telegram_token=Secret("u")))
    now = applied(old, new)
    assert now.secrets.exchange_api_key == Secret("hunter3")
    assert now.secrets.telegram_token == Secret("t")
    assert told("secrets.exchange_api_key", old, new) == "secrets.exchange_api_key"
