"""Which channels a configuration has."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis.config.model import Config, build
from aegis.config.secret import Secret
from aegis.log.logger import Log, configure
from supervisors.channels import messengers_of

SECRETS = {
    "telegram_token": Secret("12345:AbC"),
    "webhook_url": Secret("https://example.test/hook"),
}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return configure(tmp_path / "log", "info", 1, 1, console=None, now_text=lambda: "now")


def channels(
    log: Log, *, speed: int = 600, is_telegram: bool = True, is_hook: bool = True
) -> list[str]:
    config = build(
        {
            "market": {"speed": speed},
            "notify": {
                "telegram": {"enabled": is_telegram, "chat_ids": [42, -100]},
                "webhook": {"enabled": is_hook},
            },
            "secrets": SECRETS,
        }
    )
    assert isinstance(config, Config)
    return [each.channel for each in messengers_of(config, log)]


def test_each_chat_is_a_channel_of_its_own(log: Log) -> None:
    assert channels(log) == ["log", "telegram:42", "telegram:-100", "webhook"]


def test_what_is_not_enabled_is_no_channel(log: Log) -> None:
    assert channels(log, is_hook=False) == ["log", "telegram:42", "telegram:-100"]
    assert channels(log, is_telegram=False) == ["log", "webhook"]


def test_a_run_at_full_speed_tells_the_log_alone(log: Log) -> None:
    assert channels(log, speed=0) == ["log"]
