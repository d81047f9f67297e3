"""Notifier: what is in the outbox, to the channels; what was sent is marked, nothing is lost.

It never composes a text; the store wrote it with the event. A notice may be told twice when a
crash falls between the telling and the mark; it is never dropped.
"""

from __future__ import annotations

from typing import assert_never

from actors import names
from actors.base import Actor, Context
from aegis.messages import MarkNotified, NoticesAdded, NoticesRead, NotifierMessage, ReadNotices


class Notifier(Actor):
    """The channel "log" writes a line."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._is_asking = False

    def on_started(self) -> None:
        self._ask()

    def receive(self, message: NotifierMessage) -> None:
        match message:
            case NoticesAdded():
                self._ask()
            case NoticesRead():
                self._is_asking = False
                self._send(message)
            case _:
                assert_never(message)

    def _ask(self) -> None:
        """Ask once at a time: an answer under way holds what was added before it."""
        if not self._is_asking:
            self._is_asking = True
            self.tell(names.POSITION_STORE, ReadNotices(reply_to=self.name))

    def _send(self, message: NoticesRead) -> None:
        if not message.notices:
            return
        for notice in message.notices:
            self.log("Notified", event_id=notice.event_id, text=notice.text)
        told = tuple((notice.event_id, notice.channel) for notice in message.notices)
        self.tell(names.POSITION_STORE, MarkNotified(told=told))
        self._ask()
