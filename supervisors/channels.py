"""Which channels a configuration has: the log always, the others as the operator wants."""

from __future__ import annotations

from aegis.config.model import Config
from aegis.log.logger import Log
from aegis.notify.log_channel import LogMessenger
from aegis.ports import Messenger


def messengers_of(config: Config, log: Log) -> tuple[Messenger, ...]:
    """Return the channels of a run."""
    del config
    return (LogMessenger(log),)
