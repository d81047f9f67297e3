"""Which channels a configuration has: the log always, the others as the operator wants."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.config.model import Config
from aegis.log.logger import Log
from aegis.notify.log_channel import LogMessenger
from aegis.ports import Messenger


def messengers_of(config: Config, log: Log) -> tuple[Messenger, ...]:
    """Return the channels of a run; at speed 0 the log alone, since nobody is to be woken by it."""
    outward = _outward(config) if config.market.speed > 0 else ()
    return (LogMessenger(log), *outward)


def _outward(config: Config) -> Iterator[Messenger]:
    telegram, token = config.notify.telegram, config.secrets.telegram_token
    if telegram.enabled:
        from aegis.notify.telegram import TelegramMessenger

        assert token is not None, "Expected the token to be checked already"
        for chat_id in telegram.chat_ids:
            yield TelegramMessenger(telegram.base_url, token, chat_id)
    if config.notify.webhook.enabled:
        from aegis.notify.webhook import WebhookMessenger

        url = config.secrets.webhook_url
        assert url is not None, "Expected the URL to be checked already"
        yield WebhookMessenger(url)
