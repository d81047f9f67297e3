"""The channel "log": a notice becomes a line, at once and always."""

from __future__ import annotations

from typing import Protocol

from aegis.domain.delivery import Delivery, Letter, Manners, Sent

LOG_CHANNEL = "log"


class Log(Protocol):
    """What takes one fact a line: the event's own name and its fields."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class LogMessenger:
    """Implements `ports.Messenger`."""

    channel = LOG_CHANNEL
    manners = Manners(deadline_s=None)

    def __init__(self, log: Log) -> None:
        self._log = log

    def send(self, letter: Letter) -> Delivery:
        """Write the line `Notified`; what it tells of has a line of its own already."""
        self._log("Notified", level="debug", event_id=letter.event_id, text=letter.text)
        return Sent()
